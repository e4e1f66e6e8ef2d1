//! track-event.

use end_to_end::{Setup, samples};
use serde_json::{Value, json};
use testkit::{Answer, FakeServer};

const EVENT: &str = r#"{"user_id":"u1","event":"Order Completed"}"#;

fn setup(segment: &FakeServer, write_keys: &str) -> Setup {
    Setup::default()
        .parameter("SegmentEndpoint", segment.url())
        .parameter("TrackEventInput", r#"{"user_id":"nightly-report","event":"Schedule Ran"}"#)
        .secret("WriteKeysSecret", write_keys)
}

#[tokio::test]
async fn every_sample_is_recorded_before_the_answer() {
    let segment = FakeServer::healthy().await;
    let stack = setup(&segment, r#"{"default":"k1"}"#).up().await;
    let function = stack.function("TrackEvent");
    for (index, (name, payload)) in samples("track-event").into_iter().enumerate() {
        let answer: Value = serde_json::from_str(&function.invoke(payload).await.unwrap()).unwrap();
        assert_eq!(answer["success"], true, "{name}");
        assert_eq!(answer["segment_response"], json!({"success": true}), "{name}");
        let (write_key, message) = segment.taken()[index].clone();
        assert_eq!((write_key.as_str(), &message["messageId"]), ("k1", &answer["message_id"]), "{name}");
    }
    let samples = samples("track-event").len() as f64;
    assert_eq!(stack.metric("Delivered", "track-event", None), samples);
    assert_eq!(stack.metric("ColdStarts", "track-event", None), 1.0);
    let logs = function.logs();
    assert!(logs.contains("requestId"), "{logs}");
    assert!(!logs.contains("user_12345") && !logs.contains("Premium"), "no content in the logs: {logs}");
}

#[tokio::test]
async fn json_passes_through_the_runtime_unchanged() {
    let segment = FakeServer::healthy().await;
    let stack = setup(&segment, "k1").up().await;
    let function = stack.function("TrackEvent");
    let payload =
        r#"{"user_id":"u1","event":"e","properties":{"n":12345678901234567890,"one":1.0,"cut":"\ud83d"}}"#;
    let answer = function.invoke(payload).await.unwrap();
    assert!(
        answer.contains("\"properties\":{\"n\":12345678901234567890,\"one\":1.0,\"cut\":\"\u{fffd}\"}"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_failure_has_a_type_that_callers_can_distinguish() {
    let segment = FakeServer::start(|_| Answer::rate_limited("60")).await;
    let stack = setup(&segment, "k1").up().await;
    let function = stack.function("TrackEvent");
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
async fn a_rotated_write_key_is_used_after_segment_refuses_the_old_one() {
    let segment = FakeServer::healthy().await;
    let stack = setup(&segment, r#"{"default":"old"}"#).up().await;
    let function = stack.function("TrackEvent");
    function.invoke(EVENT).await.unwrap();
    stack.rotate("WriteKeysSecret", r#"{"default":"new"}"#).await;
    segment.set(|request| match request.write_key().as_str() {
        "new" => Answer::ok(),
        _ => Answer::status(401),
    });
    // A secret is read again at most every 5 s. The caller sees refusals in between.
    let mut refused = 0;
    while let Err(failure) = function.invoke(EVENT).await {
        assert_eq!(failure.kind, "InvalidWriteKey");
        refused += 1;
        assert!(refused < 200, "{}", function.logs());
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let keys: Vec<String> = segment.taken().into_iter().map(|(write_key, _)| write_key).collect();
    assert_eq!(keys, ["old", "new"]);
}
