//! track-event.

use std::time::Duration;

use end_to_end::{Aws, Lambda, samples};
use fakes::{Answer, FakeServer};
use serde_json::{Value, json};

const EVENT: &str = r#"{"user_id":"u1","event":"Order Completed"}"#;

async fn started(aws: &Aws, segment: &FakeServer, secret: &str) -> Lambda {
    let environment = [
        ("SEGMENT_ENDPOINT", segment.url()),
        ("WRITE_KEYS_SECRET_ARN", secret.to_owned()),
        ("TRACK_EVENT_INPUT", r#"{"user_id":"nightly-report","event":"Schedule Ran"}"#.to_owned()),
    ];
    aws.function("track-event", &environment.each_ref().map(|(name, value)| (*name, value.as_str()))).await
}

#[tokio::test]
async fn every_sample_is_recorded_before_the_answer() {
    let aws = Aws::start().await;
    let segment = FakeServer::healthy().await;
    let function = started(&aws, &segment, &aws.secret(r#"{"default":"k1"}"#).await).await;
    for (index, (name, payload)) in samples("track-event").into_iter().enumerate() {
        let answer: Value = serde_json::from_str(&function.invoke(payload).await.unwrap()).unwrap();
        assert_eq!(answer["success"], true, "{name}");
        assert_eq!(answer["segment_response"], json!({"success": true}), "{name}");
        let (write_key, message) = segment.taken()[index].clone();
        assert_eq!((write_key.as_str(), &message["messageId"]), ("k1", &answer["message_id"]), "{name}");
    }
    let logs = function.logs();
    assert!(logs.contains(r#""Function":"track-event","Delivered":1,"to":"segment","requestId":"#), "{logs}");
    assert_eq!(logs.matches(r#""Function":"track-event","ColdStarts":1}"#).count(), 1, "{logs}");
    assert!(!logs.contains("user_12345") && !logs.contains("Premium"), "no content in the logs: {logs}");
}

#[tokio::test]
async fn json_goes_through_the_runtime_unharmed() {
    let aws = Aws::start().await;
    let segment = FakeServer::healthy().await;
    let function = started(&aws, &segment, &aws.secret("k1").await).await;
    let payload =
        r#"{"user_id":"u1","event":"e","properties":{"n":12345678901234567890,"one":1.0,"cut":"\ud83d"}}"#;
    let answer = function.invoke(payload).await.unwrap();
    assert!(
        answer.contains("\"properties\":{\"n\":12345678901234567890,\"one\":1.0,\"cut\":\"\u{fffd}\"}"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_failure_has_a_type_that_callers_can_switch_on() {
    let aws = Aws::start().await;
    let segment = FakeServer::start(|_| Answer::rate_limited("60")).await;
    let function = started(&aws, &segment, &aws.secret("k1").await).await;
    for (payload, kind, message) in [
        ("{}", "MissingField", "event is missing; name the event, such as \"Order Completed\""),
        ("[]", "InvalidField", "input: the body is JSON but not an object"),
        (
            EVENT,
            "RateLimited",
            "Segment limits the rate; the event was not recorded after 1 attempts; try again in 60 s",
        ),
    ] {
        let failure = function.invoke(payload).await.unwrap_err();
        assert_eq!((failure.kind.as_str(), failure.message.as_str()), (kind, message));
    }
    assert!(function.is_running());
}

#[tokio::test]
async fn a_rotated_write_key_is_picked_up_when_segment_refuses_the_old_one() {
    let aws = Aws::start().await;
    let segment = FakeServer::healthy().await;
    let secret = aws.secret(r#"{"default":"old"}"#).await;
    let function = started(&aws, &segment, &secret).await;
    function.invoke(EVENT).await.unwrap();
    aws.rotate(&secret, r#"{"default":"new"}"#).await;
    segment.set(|request| match request.write_key().as_str() {
        "new" => Answer::ok(),
        _ => Answer::status(401),
    });
    // A secret is read again at most every 5 s, so refusals within them are told to the caller.
    let mut refused = 0;
    while let Err(failure) = function.invoke(EVENT).await {
        assert_eq!(failure.kind, "InvalidWriteKey");
        refused += 1;
        assert!(refused < 200, "{}", function.logs());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let keys: Vec<String> = segment.taken().into_iter().map(|(write_key, _)| write_key).collect();
    assert_eq!(keys, ["old", "new"]);
}
