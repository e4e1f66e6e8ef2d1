//! The rows of the list and their changes.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{Answer, FakeServer};

use crate::{
    live::Live,
    process::{Server, login, sample},
};

fn states(row: &Value) -> Vec<(&str, &str)> {
    let destinations = row["destinations"].as_array().unwrap().iter();
    destinations.map(|one| (one["name"].as_str().unwrap(), one["state"].as_str().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_shown_from_its_receipt_through_its_retries_to_its_end() {
    let data = tempfile::tempdir().unwrap();
    let webhook = FakeServer::answering([Answer::status(503), Answer::status(400)]).await;
    let url = format!("{}/hook", webhook.url());
    let server = Server::start(data.path(), &["--webhook", &url, "--allow-private-webhooks"]);
    let mut live = Live::connect(&server).await;
    assert!(live.rows(|_| true).await.is_empty());
    assert_eq!(server.webhook(&login("1")).await.status(), StatusCode::OK);
    let row = live.rows(|rows| rows.first().is_some_and(|row| row["state"] == "retrying")).await.remove(0);
    for (field, expected) in [
        ("source", "fusionauth"),
        ("kind", "user.login.success"),
        ("type", "track"),
        ("user", "user-1"),
        ("event", "user.login.success"),
    ] {
        assert_eq!(row[field], expected, "{row}");
    }
    let retrying =
        row["destinations"].as_array().unwrap().iter().find(|one| one["state"] == "retrying").unwrap();
    assert_eq!((&retrying["attempts"], &retrying["failure"]), (&json!(1), &json!("server_error")));
    assert!(retrying["due"].as_str().unwrap() > row["at"].as_str().unwrap());
    assert!(row["reason"].as_str().unwrap().contains("503"), "{row}");
    let dead = live.rows(|rows| rows[0]["state"] == "dead-letter").await.remove(0);
    let name = row["destinations"][1]["name"].as_str().unwrap();
    assert_eq!(states(&dead), [("stand-in", "delivered"), (name, "dead-letter")]);
    assert!(name.starts_with("127.0.0.1:") && dead["reason"].as_str().unwrap().contains("400"), "{dead}");
}

#[tokio::test]
async fn the_same_message_again_is_the_same_row() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    for _ in 0..7 {
        server.webhook(&login("1")).await;
    }
    let rows = server.rows(|rows| rows.first().is_some_and(|row| row["times"] == 7)).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(
        server.details(&rows[0]).await["arrivals"].as_array().unwrap().len(),
        5,
        "the first and the last"
    );
}

#[tokio::test]
async fn an_event_without_a_message_is_shown_with_the_reason() {
    let data = tempfile::tempdir().unwrap();
    let secret = ["--fusionauth-signing-secret", "s3cret"];
    let server = Server::start(data.path(), &secret);
    server.webhook(&login("1")).await;
    let unknown = r#"{"event":{"id":"1","type":"jwt.refresh"}}"#;
    let trial = json!({"path": "/identity/fusionauth", "body": unknown}).to_string();
    server.post("/debugger/api/try", trial).await;
    let batch = r#"{"writeKey":"local","batch":[{"type":"track","userId":"u"},{"type":"page","userId":"u","name":"Home"},7]}"#;
    assert_eq!(server.post("/v1/batch", batch).await.status(), StatusCode::OK);
    server.post("/identity/fusionorth", "{}").await;
    let kept =
        json!({"userId": "u", "event": "e", "writeKey": "local", "integrations": {"Segment.io": false}});
    server.post("/v1/track", kept.to_string()).await;
    let rows = server.rows(|rows| rows.len() == 6).await;
    let found = |state: &str, part: &str| {
        let of = |row: &&Value| {
            row["state"] == state && row["reason"].as_str().is_some_and(|text| text.contains(part))
        };
        rows.iter().find(of).unwrap_or_else(|| panic!("no {state} {part} in {rows:#?}"))
    };
    assert_eq!(found("rejected", "not authentic")["source"], "fusionauth");
    let unmapped = found("ignored", "\"jwt.refresh\" is not mapped");
    assert_eq!((&unmapped["type"], &unmapped["kind"]), (&json!(null), &json!("jwt.refresh")));
    assert_eq!(found("rejected", "2 of 3 messages cannot be taken")["times"], 2);
    assert_eq!(found("rejected", "There is nothing at this address")["source"], "fusionorth");
    assert_eq!(found("ignored", "no destination takes it")["event"], "e");
    assert!(rows.iter().any(|row| row["event"] == "Home" && row["source"] == "HTTP API"));
}

#[tokio::test]
async fn a_deleted_user_without_a_destination_is_shown_as_not_deleted() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let event = json!({"event": {"id": "1", "type": "user.delete.complete", "user": {"id": "u"}}});
    assert_eq!(server.webhook(&event).await.status(), StatusCode::OK);
    let row = server.rows(|rows| rows.len() == 1).await.remove(0);
    assert_eq!((&row["state"], &row["type"]), (&json!("ignored"), &json!("delete")));
    let reason = row["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("not deleted anywhere") && reason.contains("SEGMENT_PUBLIC_API_TOKEN"),
        "{row}"
    );
}

#[tokio::test]
async fn a_message_sent_to_the_stand_in_directly_is_shown_too() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    for body in [
        r#"{"userId":"u","event":"Direct","messageId":"1","writeKey":"k"}"#,
        r#"{"userId":"u","messageId":"2","writeKey":"k"}"#,
    ] {
        assert_eq!(server.post("/stand-in/v1/track", body).await.status(), StatusCode::OK);
    }
    let rows = server.rows(|rows| rows.len() == 2).await;
    assert_eq!((&rows[0]["state"], &rows[0]["event"]), (&json!("delivered"), &json!("Direct")));
    assert_eq!((&rows[1]["state"], &rows[1]["reason"]), (&json!("dropped"), &json!("event: is missing")));
}

#[tokio::test]
async fn after_a_restart_the_list_matches_the_store() {
    let data = tempfile::tempdir().unwrap();
    let webhook = FakeServer::start(|request| {
        Answer::status(if request.json()["messageId"] == "refused" { 400 } else { 503 })
    })
    .await;
    let url = format!("{}/hook", webhook.url());
    let options = ["--webhook", &url, "--allow-private-webhooks"];
    let server = Server::start(data.path(), &options);
    for id in ["waiting", "refused"] {
        let message = json!({"userId": "u", "event": id, "messageId": id, "writeKey": "local"});
        server.post("/v1/track", message.to_string()).await;
    }
    let settled = |rows: &[Value]| {
        let is = |id: &str, webhook: &str| {
            let row = rows.iter().find(|row| row["messageId"] == id);
            row.is_some_and(
                |row| matches!(states(row)[..], [("stand-in", "delivered"), (_, at)] if at == webhook),
            )
        };
        is("waiting", "retrying") && is("refused", "dead-letter")
    };
    let mut before = server.rows(settled).await;
    server.kill();
    let server = Server::start(data.path(), &options);
    let mut after = server.rows(settled).await;
    assert_eq!(after.len(), 2);
    before.sort_by_key(|row| row["messageId"].to_string());
    after.sort_by_key(|row| row["messageId"].to_string());
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(states(before), states(after));
        assert_eq!(after["source"], before["source"]);
    }
}

#[tokio::test]
async fn after_a_restart_each_row_keeps_its_source() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    server.webhook(&login("1")).await;
    let library = |name| json!({"library": {"name": name, "version": "1.2.3"}});
    let call = json!({"userId": "u", "event": "e", "writeKey": "local", "context": library("analytics-go")});
    server.post("/v1/track", call.to_string()).await;
    // A backfill sends to Segment itself.
    let user = json!({"userId": "u", "messageId": format!("auth0-{}", "a".repeat(43)), "writeKey": "k", "context": library("segue")});
    assert_eq!(server.post("/stand-in/v1/identify", user.to_string()).await.status(), StatusCode::OK);
    let sources = |rows: &[Value]| {
        let mut sources: Vec<String> =
            rows.iter().map(|row| row["source"].as_str().unwrap().to_owned()).collect();
        sources.sort();
        sources
    };
    let delivered = |rows: &[Value]| rows.len() == 3 && rows.iter().all(|row| row["state"] == "delivered");
    assert_eq!(
        sources(&server.rows(delivered).await),
        ["analytics-go 1.2.3", "backfill auth0", "fusionauth"]
    );
    server.kill();
    let server = Server::start(data.path(), &[]);
    assert_eq!(
        sources(&server.rows(delivered).await),
        ["analytics-go 1.2.3", "backfill auth0", "fusionauth"]
    );
}

#[tokio::test]
async fn the_numbers_count_received_and_delivered_messages() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let mut live = Live::connect(&server).await;
    let sum = |numbers: &Value, name: &str| -> u64 {
        numbers[name].as_array().into_iter().flatten().map(|second| second.as_u64().unwrap()).sum()
    };
    let body = std::fs::read(sample("identity-webhook/bodies/fusionauth.user.create.complete.json")).unwrap();
    server.post("/identity/fusionauth", body).await;
    let numbers = live.numbers(|numbers| sum(numbers, "out") == 1).await;
    assert_eq!((sum(&numbers, "in"), numbers["in"].as_array().unwrap().len()), (1, 300));
    assert_eq!(numbers["times"]["count"], 1);
    assert_eq!((&numbers["fault"], &numbers["failures"]), (&json!(null), &json!([])));
    let fault = json!({"status": 500, "seconds": 600});
    server.api(Method::PUT, "fault").json(&fault).send().await.unwrap();
    server.webhook(&login("1")).await;
    let numbers = live.numbers(|numbers| numbers["failures"][0].is_object()).await;
    assert_eq!(numbers["failures"][0]["reason"], "server_error");
    let queue = &numbers["queues"][0];
    assert_eq!(
        (&queue["name"], &queue["label"], &queue["depth"]),
        (&json!("segment"), &json!("stand-in"), &json!(1))
    );
    assert!(queue["oldestSeconds"].as_u64().unwrap() < 30 && numbers["fault"]["status"] == 500, "{numbers}");
}

#[tokio::test]
async fn an_open_list_ends_when_the_server_stops() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let mut live = Live::connect(&server).await;
    live.rows(|_| true).await;
    let stopped = tokio::task::spawn_blocking(|| server.terminate());
    assert_eq!(live.end().await, None);
    assert!(stopped.await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_settled_list_matches_the_store() {
    let data = tempfile::tempdir().unwrap();
    let mut tried = std::collections::BTreeSet::new();
    // A third is accepted at once, a third at the second attempt, a third never.
    let webhook = FakeServer::start(move |request| {
        let id = request.json()["messageId"].as_str().unwrap().to_owned();
        match id.parse::<u32>().unwrap() % 3 {
            0 => Answer::ok(),
            1 if tried.insert(id) => Answer::status(429),
            1 => Answer::ok(),
            _ => Answer::status(410),
        }
    })
    .await;
    let url = format!("{}/hook", webhook.url());
    let server = Server::start(data.path(), &["--webhook", &url, "--allow-private-webhooks"]);
    for batch in 0..20 {
        let messages: Vec<Value> = (0..15)
            .map(|number| json!({"type": "page", "userId": "u", "messageId": (batch * 15 + number).to_string()}))
            .collect();
        let body = json!({"writeKey": "local", "batch": messages}).to_string();
        assert_eq!(server.post("/v1/batch", body).await.status(), StatusCode::OK);
    }
    let settled = |row: &Value| ["delivered", "dead-letter"].contains(&row["state"].as_str().unwrap());
    let rows = server.rows(|rows| rows.len() == 300 && rows.iter().all(settled)).await;
    let mut dead: Vec<&str> = Vec::new();
    for row in &rows {
        let (id, states) = (row["messageId"].as_str().unwrap(), states(row));
        let third = id.parse::<u32>().unwrap() % 3;
        assert_eq!(states[0], ("stand-in", "delivered"));
        assert_eq!(states[1].1, if third == 2 { "dead-letter" } else { "delivered" }, "{row}");
        dead.extend((third == 2).then_some(id));
    }
    let queue = server.queue("webhooks").await;
    let mut stored: Vec<Value> = queue["deadLetters"].as_array().unwrap().clone();
    stored
        .iter_mut()
        .for_each(|letter| *letter = serde_json::from_str(letter["body"].as_str().unwrap()).unwrap());
    let mut stored: Vec<&str> = stored.iter().map(|message| message["messageId"].as_str().unwrap()).collect();
    dead.sort_unstable();
    stored.sort_unstable();
    assert_eq!((stored, &queue["depth"]), (dead, &json!(0)));
}
