//! The client against a Segment that fails on demand.

#![allow(clippy::unwrap_used, reason = "clippy does not count test helpers as tests")]

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use segment::{Client, Credentials, CredentialsError, Failure, Library, Message, Outcome, Secret};
use serde_json::{Value, json};
use testkit::{Answer, FakeServer};

fn client(fake: &FakeServer) -> Client {
    Client::new(platform::http::client().unwrap(), fake.url().parse().unwrap())
        .with_clock(|| "2026-11-21T04:05:06.789Z".parse().unwrap())
}

fn key() -> Secret {
    Secret::new("key")
}

fn track(id: impl std::fmt::Display) -> Message {
    let text = format!(r#"{{"type":"track","userId":"u","event":"e","messageId":"{id}","n":1.0}}"#);
    Message::from_json(text.as_bytes()).unwrap()
}

fn retry(failure: Failure) -> Outcome {
    Outcome::Retry { failure, after: None }
}

#[tokio::test]
async fn one_message_goes_to_the_call_of_its_type_with_the_time_of_the_attempt() {
    let fake = FakeServer::healthy().await;
    let attempt = client(&fake).send(&key(), &track("m")).await;
    assert_eq!(attempt.outcome, Outcome::Delivered);
    assert_eq!(attempt.response, Some(json!({"success": true})));
    let request = &fake.requests()[0];
    assert_eq!(request.line, "POST /v1/track");
    assert_eq!(request.write_key(), "key");
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(
        request.body,
        r#"{"type":"track","userId":"u","event":"e","messageId":"m","n":1.0,"sentAt":"2026-11-21T04:05:06.789Z"}"#
    );
}

#[tokio::test]
async fn messages_go_in_one_batch_unchanged_and_in_order() {
    let fake = FakeServer::healthy().await;
    let messages: Vec<Message> = (0..3).map(track).collect();
    let outcomes = client(&fake).send_batch(&key(), &messages).await;
    assert_eq!(outcomes, vec![Outcome::Delivered; 3]);
    let expected: Vec<&str> = messages.iter().map(Message::as_json).collect();
    assert_eq!(fake.requests().len(), 1);
    assert_eq!(
        fake.requests()[0].body,
        format!(r#"{{"batch":[{}],"sentAt":"2026-11-21T04:05:06.789Z"}}"#, expected.join(","))
    );
}

#[tokio::test]
async fn messages_that_exceed_a_batch_go_in_several() {
    let fake = FakeServer::healthy().await;
    let messages: Vec<Message> = (0..5_001).map(track).collect();
    let outcomes = client(&fake).send_batch(&key(), &messages).await;
    assert!(outcomes.len() == 5_001 && outcomes.iter().all(|outcome| *outcome == Outcome::Delivered));
    let counts: Vec<usize> = fake.requests().iter().map(|request| request.messages().len()).collect();
    assert_eq!(counts, [2_500, 2_500, 1]);
}

#[tokio::test]
async fn the_bad_messages_of_a_refused_batch_end_alone() {
    let bad = |message: &Value| matches!(message["messageId"].as_str(), Some("3" | "8"));
    let fake = FakeServer::start(move |request| {
        if request.messages().iter().any(bad) { Answer::status(400) } else { Answer::ok() }
    })
    .await;
    let messages: Vec<Message> = (0..10).map(track).collect();
    let outcomes = client(&fake).send_batch(&key(), &messages).await;
    for (index, outcome) in outcomes.into_iter().enumerate() {
        let expected = match index {
            3 | 8 => Outcome::Rejected(Failure::Status(400)),
            _ => Outcome::Delivered,
        };
        assert_eq!(outcome, expected, "message {index}");
    }
    let mut taken: Vec<String> = fake
        .taken()
        .into_iter()
        .map(|(_, message)| message["messageId"].as_str().unwrap().to_owned())
        .collect();
    taken.sort();
    assert_eq!(taken, ["0", "1", "2", "4", "5", "6", "7", "9"], "each good message exactly once");
}

#[tokio::test]
async fn once_segment_asks_to_wait_nothing_more_is_tried() {
    let fake = FakeServer::answering([Answer::ok(), Answer::rate_limited("30")]).await;
    let messages: Vec<Message> = (0..7_501).map(track).collect();
    let outcomes = client(&fake).send_batch(&key(), &messages).await;
    assert_eq!(fake.requests().len(), 2);
    assert!(outcomes[..2_500].iter().all(|outcome| *outcome == Outcome::Delivered));
    let wait = Outcome::Retry { failure: Failure::Status(429), after: Some(Duration::from_secs(30)) };
    assert!(outcomes[2_500..].iter().all(|outcome| *outcome == wait));
}

#[tokio::test]
async fn an_http_date_in_retry_after_is_understood() {
    let fake = FakeServer::answering([Answer::rate_limited("Sat, 21 Nov 2026 04:06:06 GMT")]).await;
    let attempt = client(&fake).send(&key(), &track("m")).await;
    let after = Some(Duration::from_millis(59_211));
    assert_eq!(attempt.outcome, Outcome::Retry { failure: Failure::Status(429), after });
}

#[tokio::test]
async fn every_failure_has_its_outcome() {
    for (answer, expected) in [
        (Answer::status(503), retry(Failure::Status(503))),
        (Answer::status(410), retry(Failure::Status(410))),
        (Answer::status(501), Outcome::Rejected(Failure::Status(501))),
        (Answer::status(400), Outcome::Rejected(Failure::Status(400))),
        (Answer::status(401), Outcome::Rejected(Failure::WriteKey)),
        (Answer::ResetBefore, retry(Failure::Transport)),
        (Answer::ResetAfter, retry(Failure::Transport)),
        (Answer::Late(Duration::from_secs(60)), retry(Failure::Timeout)),
        // A body without an end may mean anything.
        (Answer::EndlessBody, retry(Failure::Timeout)),
        (Answer::Bytes(br#"{"success":true}"#.to_vec(), 8), retry(Failure::Transport)),
    ] {
        let fake = FakeServer::answering([answer.clone()]).await;
        let client = client(&fake).with_deadline(Duration::from_millis(200));
        assert_eq!(client.send(&key(), &track("m")).await.outcome, expected, "{answer:?}");
    }
}

#[tokio::test]
async fn a_success_that_is_not_from_segment_is_a_retry() {
    let body = |text: &str| Answer::Status(200, Vec::new(), text.to_owned());
    let page = "<html><title>Sign in</title></html>";
    for (answer, status) in [
        (body(page), 200),
        (body(&page.repeat(1_000)), 200),
        (body(r#"{"success":false}"#), 200),
        (body(""), 200),
        (Answer::Status(202, Vec::new(), r#"{"success":true}"#.to_owned()), 202),
        (Answer::status(204), 204),
    ] {
        let fake = FakeServer::answering([answer.clone()]).await;
        let messages = [track(1), track(2)];
        let outcomes = client(&fake).send_batch(&key(), &messages).await;
        assert_eq!(outcomes, vec![retry(Failure::NotSegment(status)); 2], "{answer:?}");
    }
}

#[tokio::test]
async fn servers_that_take_segments_place_are_trusted() {
    for body in [r#"{"success":true}"#, "OK", r#"{"ok":true,"receivedEvents":1,"okEvents":1}"#] {
        let fake = FakeServer::answering([Answer::Status(200, Vec::new(), body.to_owned())]).await;
        assert_eq!(client(&fake).send(&key(), &track("m")).await.outcome, Outcome::Delivered, "{body}");
    }
}

#[tokio::test]
async fn a_closed_port_is_a_retry() {
    let client = Client::new(platform::http::client().unwrap(), "http://127.0.0.1:9".parse().unwrap());
    assert_eq!(client.send(&key(), &track("m")).await.outcome, retry(Failure::Connect));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = FakeServer::healthy().await;
    let location = format!("{}/v1/track", elsewhere.url());
    let fake =
        FakeServer::answering([Answer::Status(307, vec![("Location", location)], String::new())]).await;
    assert_eq!(client(&fake).send(&key(), &track("m")).await.outcome, retry(Failure::Status(307)));
    assert!(elsewhere.requests().is_empty());
}

/// Returns its keys one after the other.
struct Rotated(Mutex<VecDeque<Result<&'static str, CredentialsError>>>);

impl Rotated {
    fn next(&self) -> Result<Secret, CredentialsError> {
        self.0.lock().unwrap().pop_front().unwrap().map(Secret::new)
    }
}

impl Credentials for Rotated {
    async fn write_key(&self) -> Result<Secret, CredentialsError> {
        self.next()
    }

    async fn refreshed(&self) -> Result<Secret, CredentialsError> {
        self.next()
    }
}

#[tokio::test]
async fn a_refused_write_key_is_read_again_before_the_message_is_given_up() {
    let only_new = |request: &testkit::Request| {
        if request.write_key() == "new" { Answer::ok() } else { Answer::status(401) }
    };
    let unavailable = || CredentialsError::Unavailable("down".into());
    let none = || Err(CredentialsError::NoWriteKey);
    for (keys, expected) in [
        (vec![Ok("old"), Ok("new")], Outcome::Delivered),
        (vec![Ok("old"), Ok("old")], Outcome::Rejected(Failure::WriteKey)),
        (vec![Ok("old"), Ok("older")], Outcome::Rejected(Failure::WriteKey)),
        (vec![none(), Ok("new")], Outcome::Delivered),
        (vec![none(), none()], Outcome::Rejected(Failure::NoWriteKey)),
        (vec![Err(unavailable())], retry(Failure::SecretUnavailable)),
        (vec![Ok("old"), Err(unavailable())], retry(Failure::SecretUnavailable)),
    ] {
        let fake = FakeServer::start(only_new).await;
        let rotated = Rotated(Mutex::new(keys.into()));
        assert_eq!(client(&fake).send(&rotated, &track("m")).await.outcome, expected);
    }
}

#[tokio::test]
async fn a_message_that_segment_has_no_call_for_is_rejected_and_the_rest_is_sent() {
    let fake = FakeServer::healthy().await;
    let delete = Message::from_json(br#"{"type":"delete","userId":"u"}"#).unwrap();
    let outcomes = client(&fake).send_batch(&key(), &[track(1), delete, track(2)]).await;
    assert_eq!(outcomes[0], Outcome::Delivered);
    assert!(matches!(outcomes[1], Outcome::Rejected(Failure::Invalid(_))));
    assert_eq!(outcomes[2], Outcome::Delivered);
    assert_eq!(fake.taken().len(), 2);
}

#[tokio::test]
async fn the_library_is_set_where_it_is_missing_and_counts_towards_the_size() {
    let fake = FakeServer::healthy().await;
    let client = client(&fake).with_library(Library { name: "segue", version: "1.2.3" }).with_gzip(true);
    let named =
        Message::from_json(br#"{"type":"page","userId":"u","context":{"library":{"name":"x"}}}"#).unwrap();
    let frame = r#"{"type":"page","userId":"u","x":""}"#.len();
    let full = format!(r#"{{"type":"page","userId":"u","x":"{}"}}"#, "x".repeat(32 * 1024 - frame));
    let full = Message::from_json(full.as_bytes()).unwrap();
    let outcomes = client.send_batch(&key(), &[track(1), named, full]).await;
    let too_large = Failure::Invalid("message: is larger than 32 KB as JSON".to_owned());
    assert_eq!(outcomes, [Outcome::Delivered, Outcome::Delivered, Outcome::Rejected(too_large)]);
    let request = &fake.requests()[0];
    assert_eq!(request.header("content-encoding"), Some("gzip"));
    assert_eq!(request.header("user-agent"), Some("segue/1.2.3"));
    assert_eq!(request.messages()[0]["context"]["library"], json!({"name": "segue", "version": "1.2.3"}));
    assert_eq!(request.messages()[1]["context"]["library"], json!({"name": "x"}));
}

#[tokio::test]
async fn fields_that_segment_sets_itself_are_not_sent_to_it() {
    let fake = FakeServer::healthy().await;
    let text = r#"{"type":"page","receivedAt":"2026-11-21T04:00:03Z","userId":"u","sentAt":"2026-11-21T04:00:02Z","originalTimestamp":"2026-11-21T04:00:00Z","n":1.0,"timestamp":"2026-11-21T04:00:01Z","version":1,"channel":"server"}"#;
    let message = Message::from_json(text.as_bytes()).unwrap();
    let sent = r#"{"type":"page","userId":"u","n":1.0,"timestamp":"2026-11-21T04:00:01.000Z""#;
    let sent_at = r#""sentAt":"2026-11-21T04:05:06.789Z"}"#;
    assert_eq!(client(&fake).send(&key(), &message).await.outcome, Outcome::Delivered);
    assert_eq!(fake.requests()[0].body, format!("{sent},{sent_at}"));
    assert_eq!(client(&fake).send_batch(&key(), &[message]).await, [Outcome::Delivered]);
    assert_eq!(fake.requests()[1].body, format!(r#"{{"batch":[{sent}}}],{sent_at}"#));
}

#[tokio::test]
async fn the_largest_message_is_sent_although_more_was_set_on_receipt() {
    let frame = r#"{"type":"page","userId":"u","context":{"library":{}},"x":""}"#;
    let load = "x".repeat(segment::MAX_MESSAGE_BYTES - frame.len());
    let sent = frame.replace(r#""x":"""#, &format!(r#""x":"{load}""#));
    let received =
        sent.replace(r#"}},"x""#, r#"}},"receivedAt":"2026-11-21T04:00:03Z","channel":"server","x""#);
    let message = Message::from_json(received.as_bytes()).unwrap();
    let of_browser = Message::from_json(received.replace("server", "browser").as_bytes()).unwrap();
    let fake = FakeServer::healthy().await;
    let client = client(&fake).with_library(Library { name: "segue", version: "1.2.3" });
    let outcomes = client.send_batch(&key(), &[message, of_browser]).await;
    assert_eq!(outcomes, vec![Outcome::Delivered; 2]);
    for request in fake.requests() {
        assert_eq!(request.messages()[0].to_string(), sent);
    }
}

#[tokio::test]
async fn messages_of_browsers_and_apps_go_to_their_own_call_and_keep_their_channel() {
    let message = |id: usize, channel: &str| {
        let text = format!(
            r#"{{"type":"page","userId":"u","messageId":"{id}","receivedAt":"2026-11-21T04:00:03Z","channel":"{channel}"}}"#
        );
        Message::from_json(text.as_bytes()).unwrap()
    };
    let channels = ["browser", "server", "mobile", "kiosk"];
    let messages: Vec<Message> =
        channels.iter().enumerate().map(|(id, channel)| message(id, channel)).collect();
    let fake =
        FakeServer::start(
            |request| {
                if request.line == "POST /v1/b" { Answer::status(400) } else { Answer::ok() }
            },
        )
        .await;
    let outcomes = client(&fake).send_batch(&key(), &messages).await;
    let refused = Outcome::Rejected(Failure::Status(400));
    assert_eq!(outcomes, [refused.clone(), Outcome::Delivered, refused, Outcome::Delivered]);
    let sent: Vec<(String, Vec<Value>)> =
        fake.requests().iter().map(|request| (request.line.clone(), request.messages())).collect();
    let page = |id: &str, channel: Option<&str>| {
        let mut message = json!({"type": "page", "userId": "u", "messageId": id});
        if let Some(channel) = channel {
            message["channel"] = channel.into();
        }
        message
    };
    let (browser, mobile) = (page("0", Some("browser")), page("2", Some("mobile")));
    assert_eq!(
        sent,
        [
            ("POST /v1/batch".to_owned(), vec![page("1", None), page("3", Some("kiosk"))]),
            ("POST /v1/b".to_owned(), vec![browser.clone(), mobile.clone()]),
            ("POST /v1/b".to_owned(), vec![browser]),
            ("POST /v1/b".to_owned(), vec![mobile]),
        ]
    );
}

#[tokio::test]
async fn the_time_of_sending_is_that_of_each_attempt() {
    let fake = FakeServer::answering([Answer::status(503)]).await;
    let second = Arc::new(Mutex::new(0));
    let client = client(&fake).with_clock(move || {
        let mut second = second.lock().unwrap();
        *second += 1;
        jiff::Timestamp::from_second(*second).unwrap()
    });
    for _ in 0..2 {
        let _ = client.send(&key(), &track("m")).await;
    }
    let sent: Vec<Value> = fake.requests().iter().map(|request| request.json()["sentAt"].clone()).collect();
    assert_eq!(sent, ["1970-01-01T00:00:01.000Z", "1970-01-01T00:00:02.000Z"]);
}
