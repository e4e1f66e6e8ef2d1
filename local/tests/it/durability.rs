//! Failures that must lose no message.

use std::{collections::BTreeSet, time::Duration};

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::{Answer, FakeServer};

use crate::process::{Server, login};

async fn arrived(fake: &FakeServer, count: usize) -> BTreeSet<String> {
    for _ in 0..1_500 {
        let ids: BTreeSet<String> = fake
            .taken()
            .iter()
            .map(|(_, message)| message["messageId"].as_str().unwrap().to_owned())
            .collect();
        if ids.len() >= count {
            return ids;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{count} messages did not arrive in 30 s");
}

fn options(fake: &FakeServer) -> [String; 4] {
    ["--segment-endpoint".to_owned(), fake.url(), "--write-key".to_owned(), "key".to_owned()]
}

fn start(data: &tempfile::TempDir, fake: &FakeServer) -> Server {
    let options = options(fake);
    Server::start(data.path(), &options.each_ref().map(String::as_str))
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_loses_no_event_that_was_answered_200() {
    let fake = FakeServer::start(|_| Answer::status(503)).await;
    let data = tempfile::tempdir().unwrap();
    let mut accepted = 0;
    // `KILLS=60` kills it more often.
    let kills = std::env::var("KILLS").map_or(4, |kills| kills.parse().unwrap());
    for round in 0..kills {
        let server = start(&data, &fake);
        let (http, url) = (server.http.clone(), format!("{}/identity/fusionauth", server.base));
        let load: Vec<_> = (0..8)
            .map(|client| {
                let (http, url) = (http.clone(), url.clone());
                tokio::spawn(async move {
                    let mut accepted = 0;
                    for number in 0..200 {
                        let body = login(&format!("{round}-{client}-{number}")).to_string();
                        let request = http.post(&url).header("content-type", "application/json").body(body);
                        match request.send().await {
                            Ok(answer) if answer.status() == StatusCode::OK => accepted += 1,
                            _ => break,
                        }
                    }
                    accepted
                })
            })
            .collect();
        // In the middle of the load, at another point in each round.
        let calls = fake.requests().len();
        let called = async {
            while fake.requests().len() == calls {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), called).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20 * (round % 8))).await;
        server.kill();
        for client in load {
            accepted += client.await.unwrap();
        }
    }
    assert!(accepted > 0);
    fake.set(|_| Answer::ok());
    let _server = start(&data, &fake);
    // A request that was stored but not answered when the process was killed may arrive too.
    assert!(arrived(&fake, accepted).await.len() >= accepted);
    println!("{kills} kills lost none of {accepted} messages.");
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_right_after_the_answers_loses_nothing() {
    let fake = FakeServer::start(|_| Answer::Late(Duration::from_millis(300))).await;
    let data = tempfile::tempdir().unwrap();
    let server = start(&data, &fake);
    for number in 0..200 {
        assert_eq!(server.webhook(&login(&number.to_string())).await.status(), StatusCode::OK);
    }
    assert!(server.terminate().success());
    fake.set(|_| Answer::ok());
    let _server = start(&data, &fake);
    assert_eq!(arrived(&fake, 200).await.len(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_segment_delays_events_and_loses_none() {
    let outages = [Answer::status(503), Answer::status(429), Answer::rate_limited("1"), Answer::ResetBefore];
    let outages: Vec<_> = outages.into_iter().map(|down| tokio::spawn(sit_out(down))).collect();
    for outage in outages {
        outage.await.unwrap();
    }
}

async fn sit_out(down: Answer) {
    let mut left = 3;
    let fake = FakeServer::start(move |_| {
        left -= 1;
        if left >= 0 { down.clone() } else { Answer::ok() }
    })
    .await;
    let data = tempfile::tempdir().unwrap();
    let server = start(&data, &fake);
    for number in 0..50 {
        assert_eq!(server.webhook(&login(&number.to_string())).await.status(), StatusCode::OK);
    }
    assert_eq!(arrived(&fake, 50).await.len(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_arrives_twice_is_one_message() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    for id in ["1", "1", "2"] {
        assert_eq!(server.webhook(&login(id)).await.status(), StatusCode::OK);
    }
    let messages = server.messages(2).await;
    assert_eq!(messages.len(), 2);
    assert_ne!(messages[0]["message"]["messageId"], messages[1]["message"]["messageId"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_without_optional_parts_are_accepted() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    for body in [
        json!({"event": {"id": "1", "type": "user.login.success", "user": {"id": "u"}}}),
        json!({"event": {"id": "2", "type": "user.create.complete", "user": {"id": "u"}}}),
        json!({"id": "3", "type": "user.login.success", "user": {"id": "u"}, "info": null, "tenantId": null}),
    ] {
        let answer: Value = server.webhook(&body).await.json().await.unwrap();
        assert_eq!(answer, json!({"accepted": 1}), "{body}");
    }
    assert_eq!(server.messages(3).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_an_event_is_when_it_happened() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let mut body = login("1");
    body["event"]["createInstant"] = json!(1_505_762_615_056_i64);
    server.webhook(&body).await;
    assert_eq!(server.messages(1).await[0]["message"]["timestamp"], "2017-09-18T19:23:35.056Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_tenant_has_its_write_key() {
    let fake = FakeServer::healthy().await;
    let data = tempfile::tempdir().unwrap();
    let tenants = r#"{"tenant-a":"shop"}"#;
    let keys = r#"{"default":"k1","shop":"k2"}"#;
    let options = ["--segment-endpoint", &fake.url(), "--write-key", keys, "--tenant-write-keys", tenants];
    let server = Server::start(data.path(), &options);
    let mut body = login("1");
    server.webhook(&body).await;
    body["event"]["tenantId"] = json!("tenant-a");
    body["event"]["id"] = json!("2");
    server.webhook(&body).await;
    arrived(&fake, 2).await;
    let keys: BTreeSet<String> = fake.taken().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, BTreeSet::from(["k1".to_owned(), "k2".to_owned()]));
}
