//! Regulations at a Public API that fails on demand.

#![allow(clippy::unwrap_used, reason = "clippy does not count test helpers as tests")]

use std::time::Duration;

use segment::{
    Failure, Outcome, Secret,
    regulation::{RegulationType, Regulations},
};
use serde_json::json;
use testkit::{Answer, FakeServer};

fn regulations(fake: &FakeServer, regulation_type: RegulationType) -> Regulations {
    Regulations::new(platform::http::client().unwrap(), fake.url().parse().unwrap(), regulation_type)
        .with_deadline(Duration::from_millis(300))
        .with_clock(|| "2026-11-21T04:05:06Z".parse().unwrap())
}

async fn create(fake: &FakeServer) -> Outcome {
    regulations(fake, RegulationType::DeleteOnly).create(&Secret::new("token"), &["u1"]).await
}

#[tokio::test]
async fn a_regulation_is_requested_in_the_form_of_the_public_api() {
    let fake = FakeServer::healthy().await;
    for regulation_type in RegulationType::ALL {
        let regulations = regulations(&fake, regulation_type);
        assert_eq!(regulations.create(&Secret::new("sgp_1"), &["u1", "\"ü\""]).await, Outcome::Delivered);
    }
    for (request, regulation_type) in fake.requests().iter().zip(RegulationType::ALL) {
        assert_eq!(request.line, "POST /regulations");
        assert_eq!(request.header("authorization"), Some("Bearer sgp_1"));
        assert_eq!(request.header("content-type"), Some("application/vnd.segment.v1+json"));
        let expected = json!({
            "regulationType": regulation_type.as_str(),
            "subjectType": "USER_ID",
            "subjectIds": ["u1", "\"ü\""],
        });
        assert_eq!(request.json(), expected);
    }
}

#[tokio::test]
async fn every_failure_has_its_outcome() {
    let retry =
        |failure, seconds: Option<u64>| Outcome::Retry { failure, after: seconds.map(Duration::from_secs) };
    let in_the_body = json!({"errors": [{"data": {"msBeforeNext": 7_000}}]}).to_string();
    let made = json!({"data": {"regulateId": "r1"}}).to_string();
    for (answer, expected) in [
        (Answer::Status(200, Vec::new(), made), Outcome::Delivered),
        (Answer::EndlessBody, retry(Failure::Timeout, None)),
        (Answer::Status(200, Vec::new(), "<html>".to_owned()), retry(Failure::NotSegment(200), None)),
        (Answer::status(204), retry(Failure::NotSegment(204), None)),
        (Answer::rate_limited("30"), retry(Failure::Status(429), Some(30))),
        (Answer::rate_limited("Sat, 21 Nov 2026 04:05:36 GMT"), retry(Failure::Status(429), Some(30))),
        (Answer::Status(429, Vec::new(), in_the_body), retry(Failure::Status(429), Some(7))),
        (Answer::status(503), retry(Failure::Status(503), None)),
        (Answer::status(408), retry(Failure::Status(408), None)),
        (Answer::ResetBefore, retry(Failure::Transport, None)),
        (Answer::Late(Duration::from_secs(5)), retry(Failure::Timeout, None)),
        (Answer::status(400), Outcome::Rejected(Failure::Status(400))),
        (Answer::status(401), Outcome::Rejected(Failure::Token(Some(401)))),
        (Answer::status(403), Outcome::Rejected(Failure::Token(Some(403)))),
    ] {
        let fake = FakeServer::answering([answer.clone()]).await;
        assert_eq!(create(&fake).await, expected, "{answer:?}");
        assert_eq!(fake.requests().len(), 1, "{answer:?}");
    }
}

#[tokio::test]
async fn a_redirect_takes_the_token_nowhere_else() {
    let elsewhere = FakeServer::healthy().await;
    let location = vec![("Location", elsewhere.url())];
    let fake = FakeServer::answering([Answer::Status(307, location, String::new())]).await;
    assert_eq!(create(&fake).await, Outcome::Retry { failure: Failure::Status(307), after: None });
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn a_closed_port_is_a_failed_connection() {
    let regulations = Regulations::new(
        platform::http::client().unwrap(),
        "http://127.0.0.1:1".parse().unwrap(),
        RegulationType::DeleteOnly,
    );
    let outcome = regulations.create(&Secret::new("token"), &["u1"]).await;
    assert_eq!(outcome, Outcome::Retry { failure: Failure::Connect, after: None });
}

#[tokio::test]
async fn a_token_that_no_request_can_carry_is_a_refused_token() {
    let fake = FakeServer::healthy().await;
    let regulations = regulations(&fake, RegulationType::DeleteOnly);
    let outcome = regulations.create(&Secret::new("two\nlines"), &["u1"]).await;
    assert_eq!(outcome, Outcome::Rejected(Failure::Token(None)));
    assert!(fake.requests().is_empty());
}
