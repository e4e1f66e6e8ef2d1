//! The promise: 200 only if every message is stored.

use std::time::Duration;

use http::header;
use identity::{Config, Providers};
use identity_webhook::Authentication;
use serde_json::json;

use crate::support::{Fault, RecordingTopic, SECRET, Webhook, request, sample_body, signed, with_header};

fn webhook(fault: Fault) -> Webhook {
    let secret = json!({"fusionauth": {"signingSecrets": [SECRET]}});
    Webhook::with(&secret, Config::new("d"), RecordingTopic::default().failing(fault))
}

#[tokio::test]
async fn if_the_topic_refuses_the_answer_is_503_with_a_time_to_retry() {
    let response = webhook(Fault::Refuses).respond(signed(sample_body("user.login.success"))).await;
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()[header::RETRY_AFTER], "5");
    assert!(response.body().contains(r#""error":"not_stored""#), "{}", response.body());
}

#[tokio::test(start_paused = true)]
async fn if_the_topic_hangs_it_is_given_up_at_the_deadline() {
    let begin = tokio::time::Instant::now();
    let response = webhook(Fault::Hangs).respond(signed(sample_body("user.login.success"))).await;
    assert_eq!(response.status(), 503);
    assert_eq!(begin.elapsed(), Duration::from_secs(5));
}

#[tokio::test]
async fn the_same_event_twice_is_the_same_message() {
    let webhook = Webhook::signed();
    for _ in 0..2 {
        let answer = webhook.send(signed(sample_body("user.create.complete"))).await;
        assert_eq!(answer, (200, json!({"accepted": 1})));
    }
    let bodies = webhook.topic.bodies();
    assert_eq!(bodies[0], bodies[1]);
}

#[tokio::test]
async fn two_deployments_do_not_suppress_each_others_copy() {
    let mut ids = Vec::new();
    for deployment in ["one", "two"] {
        let secret = json!({"fusionauth": {"signingSecrets": [SECRET]}});
        let webhook = Webhook::with(&secret, Config::new(deployment), RecordingTopic::default());
        webhook.send(signed(sample_body("user.login.success"))).await;
        ids.push(webhook.topic.published()[0]["message"]["messageId"].clone());
    }
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_stage_before_the_path_and_a_slash_after_it_do_no_harm() {
    for path in ["/identity/fusionauth", "/prod/identity/fusionauth", "/a/identity/b/identity/fusionauth/"] {
        let webhook = Webhook::signed();
        let mut request = signed(sample_body("user.login.success"));
        *request.uri_mut() = path.parse().unwrap();
        assert_eq!(webhook.send(request).await, (200, json!({"accepted": 1})), "{path}");
    }
}

#[tokio::test]
async fn health_is_answered_to_everyone() {
    let webhook = Webhook::signed();
    let request = http::Request::get("/prod/health").body(bytes::Bytes::new()).unwrap();
    assert_eq!(webhook.send(request).await, (200, json!({"status": "ok"})));
}

#[tokio::test]
async fn a_challenge_is_answered_to_a_get_at_the_address_of_its_provider_alone() {
    const CHALLENGE: &str = "x-okta-verification-challenge";
    let webhook = Webhook::new(&json!({"okta": {"header": {"name": "Authorization", "value": "hush"}}}));
    let asked = |method: &str, path: &str, value: &str| {
        let mut request = with_header(request(""), CHALLENGE, value);
        (*request.method_mut(), *request.uri_mut()) = (method.parse().unwrap(), path.parse().unwrap());
        webhook.send(request)
    };
    // The challenge proves nothing, so it needs no secret.
    assert_eq!(asked("GET", "/identity/okta", "abc-123").await, (200, json!({"verification": "abc-123"})));
    assert_eq!(asked("GET", "/identity/okta/", "\"a<b>").await.1["verification"], "\"a<b>");
    for (method, path, value, status) in [
        ("GET", "/identity/clerk", "abc", 405),
        ("GET", "/identity/fusionauth", "abc", 405),
        ("POST", "/identity/okta", "abc", 401),
        ("GET", "/identity/okta", &"x".repeat(1025), 405),
    ] {
        assert_eq!(asked(method, path, value).await.0, status, "{method} {path}");
    }
}

#[tokio::test]
async fn a_provider_that_is_invoked_has_no_address() {
    let mut request = request("{}");
    *request.uri_mut() = "/identity/cognito".parse().unwrap();
    let (status, answer) = Webhook::signed().send(request).await;
    let text = answer["message"].as_str().unwrap();
    assert!(status == 404 && text.contains("okta, clerk") && !text.contains("cognito"), "{answer}");
    assert!(Authentication::parse(r#"{"cognito":{"bearer":"x"}}"#, &Providers::built_in()).is_err());
}
