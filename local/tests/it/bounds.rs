//! Requests of strangers take bounded memory, and do not block other requests.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::FakeServer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::process::{Server, login};

/// A list of 6 MB that repeats `unit`.
fn list_of(unit: &str) -> String {
    format!("[{}0]", unit.repeat(5_990_000 / unit.len()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_many_values_is_refused_and_takes_little_memory() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    for unit in ["0,", "{},", r#"{"":0},"#] {
        let body = list_of(unit);
        let all = (0..4).map(|_| server.post("/identity/auth0/logs", body.clone()));
        for answer in join_all(all).await {
            assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE, "{unit}");
            let answer: Value = answer.json().await.unwrap();
            assert_eq!(answer["error"], "too_large");
        }
    }
    let peak = server.peak_memory();
    assert!(peak < 300, "{peak} MiB");
}

/// Opens a connection and sends the head and a part of a body.
async fn unfinished(server: &Server, length: usize, sent: usize) -> TcpStream {
    let host = server.base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).await.unwrap();
    let head =
        format!("POST /identity/fusionauth HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n\r\n");
    let _ = stream.write_all(head.as_bytes()).await;
    let chunk = vec![b' '; 64 * 1024];
    let mut left = sent;
    while left > 0 {
        let part = left.min(chunk.len());
        // The server may have rejected it by now.
        let written = tokio::time::timeout(Duration::from_secs(2), stream.write_all(&chunk[..part])).await;
        if !matches!(written, Ok(Ok(()))) {
            break;
        }
        left -= part;
    }
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn many_large_bodies_at_once_take_bounded_memory_and_do_not_block_small_ones() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let mut streams = join_all((0..150).map(|_| unfinished(&server, 5_900_000, 5_890_000))).await;
    assert_eq!(server.webhook(&login("1")).await.status(), StatusCode::OK);
    let large = " ".repeat(5_900_000);
    let refused = server.post("/identity/fusionauth", large.clone()).await;
    assert_eq!(
        (refused.status(), &refused.headers()["retry-after"]),
        (StatusCode::SERVICE_UNAVAILABLE, &"5".parse().unwrap())
    );
    let peak = server.peak_memory();
    assert!(peak < 200, "{peak} MiB");
    // A body without room gets its 503 once it is complete.
    let last = streams.last_mut().unwrap();
    last.write_all(&[b' '; 10_000]).await.unwrap();
    let mut answer = [0; 12];
    last.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 503");
    drop(streams);
    loop {
        let taken = server.post("/identity/fusionauth", large.clone()).await;
        // There was room for it: the body is read, and it is empty.
        if taken.status() == StatusCode::BAD_REQUEST {
            break;
        }
        assert_eq!(taken.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
    assert!(server.log().contains("Large bodies are refused"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_context_of_batches_does_not_fill_the_memory() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &["--page", "off"]);
    let messages = vec![r#"{"type":"page","userId":"u"}"#; 2_400].join(",");
    let context = "x".repeat(3_200);
    let body = format!(r#"{{"writeKey":"local","context":{{"a":"{context}"}},"batch":[{messages}]}}"#);
    let answers = join_all((0..10).map(|_| server.post("/v1/batch", body.clone()))).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status().as_u16()).collect();
    assert!(statuses.iter().all(|status| [200, 503].contains(status)), "{statuses:?}");
    assert!(statuses.contains(&200));
    let peak = server.peak_memory();
    assert!(peak < 300, "{peak} MiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_viewers_can_follow_the_page_and_one_more_when_another_leaves() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let live = || server.api(Method::GET, "live").send();
    let mut viewers: Vec<_> =
        join_all((0..50).map(|_| live())).await.into_iter().map(Result::unwrap).collect();
    assert!(viewers.iter().all(|viewer| viewer.status() == StatusCode::OK));
    assert_eq!(live().await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    viewers.pop();
    // The server notices when it sends the next numbers, once per second.
    while live().await.unwrap().status() != StatusCode::OK {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_with_a_wrong_write_key_in_its_head_is_rejected_before_its_body_arrives() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let host = server.base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).await.unwrap();
    // The user name is "wrong".
    let head = format!(
        "POST /v1/batch HTTP/1.1\r\nhost: {host}\r\nauthorization: Basic d3Jvbmc6\r\ncontent-length: 400000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 401");
}

/// A parsed message can be a hundred times as large as its text, and many are being sent at once.
#[tokio::test(flavor = "multi_thread")]
async fn messages_being_sent_take_no_more_memory_than_their_texts() {
    let (data, webhook) = (tempfile::tempdir().unwrap(), FakeServer::healthy().await);
    let secret = json!({"webhooks": [{"url": webhook.url(), "batchSize": 100}]}).to_string();
    let options = ["--page", "off", "--webhooks-secret", &secret, "--allow-private-webhooks"];
    let server = Server::start(data.path(), &options);
    let tree = vec![r#"{"":0}"#; 4_400].join(",");
    let message = format!(r#"{{"type":"track","userId":"u","event":"e","properties":{{"x":[{tree}]}}}}"#);
    let batch = format!(r#"{{"writeKey":"local","batch":[{}]}}"#, vec![message; 14].join(","));
    for _ in 0..10 {
        assert_eq!(server.post("/v1/batch", batch.clone()).await.status(), StatusCode::OK);
    }
    let delivered =
        || webhook.requests().iter().map(|request| request.body.matches("userId").count()).sum::<usize>();
    while delivered() < 140 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let peak = server.peak_memory();
    assert!(peak < 250, "{peak} MiB");
}
