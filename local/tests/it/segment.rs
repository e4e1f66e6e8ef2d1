//! A Segment with wrong answers: `segue serve --segment-endpoint`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::{Answer, FakeServer};

use crate::process::Server;

fn start(data: &tempfile::TempDir, segment: &FakeServer) -> Server {
    Server::start(data.path(), &["--segment-endpoint", &segment.url(), "--write-key", "key"])
}

async fn track(server: &Server, id: &str) {
    let message = json!({"userId": "u", "event": "e", "messageId": id, "writeKey": "key"});
    assert_eq!(server.post("/v1/track", message.to_string()).await.status().as_u16(), 200);
}

/// Waits for so many calls of Segment.
async fn calls(segment: &FakeServer, count: usize) {
    for _ in 0..1_500 {
        if segment.requests().len() >= count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("Segment was called {} times in 30 s, not {count} times", segment.requests().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_after_of_zero_leads_to_at_most_one_call_a_second() {
    for header in ["0", "Sun, 06 Nov 1994 08:49:37 GMT"] {
        let data = tempfile::tempdir().unwrap();
        let segment = FakeServer::start(move |_| Answer::rate_limited(header)).await;
        let server = start(&data, &segment);
        for number in 0..50 {
            track(&server, &number.to_string()).await;
        }
        calls(&segment, 1).await;
        let (before, began) = (segment.requests().len(), Instant::now());
        calls(&segment, before + 3).await;
        assert!(began.elapsed() >= Duration::from_secs(2), "{header}: {:?}", began.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_in_the_place_of_segment_gets_no_message_delivered_and_the_page_says_so() {
    let answer = |status: u16, body: &str| Answer::Status(status, Vec::new(), body.to_owned());
    for (answer, failure, status) in [
        (answer(200, "<html><title>Sign in</title></html>"), "not_segment", 200),
        (answer(200, r#"{"success":false}"#), "not_segment", 200),
        (answer(204, ""), "not_segment", 204),
        (answer(302, ""), "redirect", 302),
    ] {
        let data = tempfile::tempdir().unwrap();
        let segment = FakeServer::start(move |_| answer.clone()).await;
        let server = start(&data, &segment);
        track(&server, "m1").await;
        let retrying = |rows: &[Value]| rows.iter().any(|row| row["state"] == "retrying");
        let row = server.rows(retrying).await.remove(0);
        let attempt = &server.details(&row).await["deliveries"][0]["attempts"][0];
        assert_eq!(attempt["status"], status, "{attempt}");
        assert_eq!(attempt["failure"], failure, "{attempt}");
        segment.set(|_| Answer::ok());
        server.rows(|rows| rows.iter().any(|row| row["state"] == "delivered")).await;
    }
}
