//! The recorded metrics of a request.

use bytes::Bytes;
use http::Request;
use identity::Config;
use serde_json::json;

use crate::support::{Fault, RecordingTopic, SECRET, Webhook, request, sample_body, signed};

/// Returns the metrics that a handler on that topic records for a request, without the time and the level.
async fn recorded(topic: RecordingTopic, request: Request<Bytes>) -> Vec<String> {
    let secret = json!({"fusionauth": {"signingSecrets": [SECRET]}});
    testkit::log();
    Webhook::with(&secret, Config::new("d"), topic).send(request).await;
    let log = testkit::logged();
    let fields = log.lines().filter_map(|line| line.split_once("platform::telemetry: "));
    fields.map(|(_, fields)| fields.split_once(". ").unwrap().1.to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn each_request_is_recorded_by_its_result() {
    let (login, unknown) = (sample_body("user.login.success"), r#"{"event":{"type":"of.tomorrow"}}"#);
    let well = RecordingTopic::default;
    for (topic, request, expected) in [
        (well(), signed(login.clone()), r#"Accepted=1 kind="user.login.success""#),
        (well(), signed(unknown), r#"Ignored=1 Reason="event_type""#),
        (well(), request(login.clone()), r#"Rejected=1 Reason="not_authentic""#),
        (well(), signed("not json"), r#"Rejected=1 Reason="malformed""#),
        (
            RecordingTopic::default().failing(Fault::Refuses),
            signed(login.clone()),
            r#"Rejected=1 Reason="not_stored""#,
        ),
        (RecordingTopic::default().failing(Fault::Hangs), signed(login), r#"Rejected=1 Reason="not_stored""#),
    ] {
        assert_eq!(recorded(topic, request).await, [expected]);
    }
}

#[tokio::test]
async fn a_replaced_time_is_counted_with_its_reason() {
    for (instant, expected) in [
        (r#""soon""#, Some(r#"Corrected=1 Reason="unreadable_time""#)),
        ("7", Some(r#"Corrected=1 Reason="implausible_time""#)),
        ("null", None),
        ("1763712001000", None),
    ] {
        let body = format!(
            r#"{{"event":{{"type":"user.create.complete","createInstant":{instant},"user":{{"id":"u1"}}}}}}"#
        );
        let mut recorded = recorded(RecordingTopic::default(), signed(body)).await;
        assert_eq!(recorded.pop().as_deref(), Some(r#"Accepted=1 kind="user.create.complete""#));
        assert_eq!(recorded.pop().as_deref(), expected, "{instant}");
    }
}
