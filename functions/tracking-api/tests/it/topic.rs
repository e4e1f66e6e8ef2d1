//! The promise: 200 only if the good messages are stored.

use std::time::Duration;

use http::header;
use serde_json::json;
use tracking_api::PUBLISH_DEADLINE;

use testkit::topic::Fault;

use crate::support::{Api, request, track};

#[tokio::test]
async fn if_the_topic_refuses_the_answer_is_503_with_a_time_to_retry() {
    let bad = json!({"type": "track", "userId": "u"});
    for batch in [json!({"batch": [track("1")]}), json!({"batch": [track("1"), bad, track("2")]})] {
        let response = Api::with_fault(Fault::Refuses).respond(request("/v1/batch", batch.to_string())).await;
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[header::RETRY_AFTER], "5");
        let expected = r#"{"error":"not_stored","code":"not_stored","message":"The messages could not be stored. Send all of them again."}"#;
        assert_eq!(response.body(), expected, "and nothing is said about bad ones");
    }
}

#[tokio::test]
async fn bad_messages_alone_do_not_need_the_topic() {
    let api = Api::with_fault(Fault::Refuses);
    assert_eq!(api.post("/v1/track", &json!({"userId": "u"})).await.0, 400);
}

#[tokio::test(start_paused = true)]
async fn if_the_topic_hangs_it_is_given_up_at_the_deadline() {
    let begin = tokio::time::Instant::now();
    let (status, _) = Api::with_fault(Fault::Hangs).post("/v1/track", &track("1")).await;
    assert_eq!(status, 503);
    assert!(begin.elapsed() < PUBLISH_DEADLINE + Duration::from_secs(1));
}

#[tokio::test]
async fn a_message_that_is_sent_again_has_the_same_id() {
    let api = Api::new();
    for _ in 0..2 {
        api.post("/v1/batch", &json!({"batch": [track("1")]})).await;
    }
    let bodies = api.bodies();
    assert_eq!(bodies[0], bodies[1]);
}
