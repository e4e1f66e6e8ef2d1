//! The accepted inputs.

use serde_json::{Value, json};
use track_event::{Event, TrackError};

use crate::setup::NOW;

fn read(input: &str) -> Result<Event, TrackError> {
    Event::read(input.as_bytes(), None, "52fdfc07", NOW.parse().unwrap())
}

fn refusal(input: &str) -> (&'static str, String) {
    let error = read(input).unwrap_err();
    (error.kind(), error.to_string())
}

#[test]
fn an_empty_id_or_time_counts_as_missing_and_a_number_becomes_text() {
    let none = read(r#"{"user_id":7,"event":"e"}"#).unwrap();
    let empty =
        read(r#"{"user_id":7,"anonymous_id":"","event":"e","message_id":" ","timestamp":""}"#).unwrap();
    assert_eq!(empty.message(), none.message());
    assert_eq!((none.message().user_id(), none.message().message_id()), (Some("7"), Some("segue-52fdfc07")));
}

#[test]
fn each_fault_of_the_input_is_reported_with_its_field() {
    for (input, kind, text) in [
        ("", "InvalidField", "input: the body is empty; send a JSON object"),
        ("[]", "InvalidField", "input: the body is JSON but not an object"),
        ("{", "InvalidField", "input: the body is not JSON: it ends too early at line 1 column 1"),
        (
            r#"{"event":"e"}"#,
            "MissingField",
            "user_id is missing; name the user that the event belongs to, or an anonymous_id",
        ),
        (
            r#"{"user_id":"u"}"#,
            "MissingField",
            "event is missing; name the event, such as \"Order Completed\"",
        ),
        (
            r#"{"user_id":"u","event":null}"#,
            "MissingField",
            "event is missing; name the event, such as \"Order Completed\"",
        ),
        (r#"{"user_id":[],"event":"e"}"#, "InvalidField", "user_id: must be a string"),
        (
            r#"{"user_id":" ","event":"e"}"#,
            "MissingField",
            "user_id is missing; name the user that the event belongs to, or an anonymous_id",
        ),
        (r#"{"user_id":"u","event":""}"#, "InvalidField", "event: must not be empty"),
        (r#"{"user_id":"u","event":"e","properties":[1]}"#, "InvalidField", "properties: must be an object"),
        (r#"{"user_id":"u","event":"e","context":"c"}"#, "InvalidField", "context: must be an object"),
        (
            r#"{"user_id":"u","event":"e","integrations":true}"#,
            "InvalidField",
            "integrations: must be an object",
        ),
        (
            r#"{"user_id":"u","event":"e","timestamp":"soon"}"#,
            "InvalidField",
            "timestamp: must be an ISO 8601 time or epoch milliseconds",
        ),
        (r#"{"user_id":"u","event":"e","message_id":[]}"#, "InvalidField", "message_id: must be a string"),
        (r#"{"userId":"u","event":"e"}"#, "InvalidField", "userId: is unknown; write user_id"),
        (
            r#"{"user_id":"u","event":"e","propertys":{}}"#,
            "InvalidField",
            "propertys: is unknown; the fields are message_id, user_id, anonymous_id, event, properties, context, integrations, timestamp and schedule",
        ),
        (
            r#"{"user_id":"u","event":"e","schedule":"daily"}"#,
            "InvalidField",
            "schedule.arn: must be <aws.scheduler.schedule-arn>",
        ),
        (
            r#"{"user_id":"u","event":"e","schedule":{"arn":"arn:a","time":"<aws.scheduler.scheduled-time>"}}"#,
            "InvalidField",
            "schedule.time: must be <aws.scheduler.scheduled-time>",
        ),
    ] {
        assert_eq!(refusal(input), (kind, text.to_owned()), "{input}");
    }
    let id = "x".repeat(100);
    let long = format!(r#"{{"user_id":"u","event":"e","message_id":"{id}"}}"#);
    assert_eq!(refusal(&long), ("InvalidField", "message_id: must have at most 99 characters".to_owned()));
}

#[test]
fn fields_that_segue_adds_to_the_message_count_towards_its_size() {
    let input =
        |bytes| json!({"user_id": "u", "event": "e", "properties": {"x": "y".repeat(bytes)}}).to_string();
    let frame = read(&input(0)).unwrap().message().as_json().len();
    assert!(read(&input(32 * 1024 - frame)).is_ok());
    assert_eq!(
        refusal(&input(32 * 1024 - frame + 1)),
        ("TooLarge", "the event is larger than 32 KB as JSON; make its properties smaller".to_owned())
    );
}

#[test]
fn json_that_node_accepts_is_accepted() {
    let event = read(r#"{"user_id":"u","event":"e","properties":{"cut":"\ud83d","n":1.0}}"#).unwrap();
    assert_eq!(event.message().get("properties").unwrap().to_string(), "{\"cut\":\"\u{fffd}\",\"n\":1.0}");
}

#[test]
fn a_run_of_a_schedule_is_one_message_however_often_it_is_tried() {
    let run = |arn: &str, time: &str, invocation: &str| {
        let input = json!({"user_id": "u", "event": "e", "schedule": {"arn": arn, "time": time}}).to_string();
        let event = Event::read(input.as_bytes(), None, invocation, NOW.parse().unwrap()).unwrap();
        (event.message().message_id().unwrap().to_owned(), event.message().get("timestamp").unwrap().clone())
    };
    let first = run("arn:aws:scheduler:a", "2026-11-21T02:00:00Z", "1");
    assert_eq!(first, run("arn:aws:scheduler:a", "2026-11-21T02:00:00.000Z", "2"));
    assert_eq!(first.1, "2026-11-21T02:00:00.000Z");
    assert!(first.0.len() <= 99, "{}", first.0);
    for other in [
        run("arn:aws:scheduler:b", "2026-11-21T02:00:00Z", "1"),
        run("arn:aws:scheduler:a", "2026-11-22T02:00:00Z", "1"),
    ] {
        assert_ne!(first.0, other.0);
    }
}

#[test]
fn a_given_id_and_time_take_precedence_over_the_schedules() {
    let input = r#"{"user_id":"u","event":"e","message_id":"m","timestamp":"2026-01-01","schedule":{"arn":"arn:a","time":"2026-11-21T02:00:00Z"}}"#;
    let event = read(input).unwrap();
    assert_eq!(event.message().message_id(), Some("m"));
    assert_eq!(event.message().get("timestamp"), Some(&json!("2026-01-01T00:00:00.000Z")));
    assert_eq!(event.message().get("schedule"), None);
}

#[test]
fn a_rule_has_its_event_in_its_detail_or_in_the_configuration() {
    let notice = |detail: Value| {
        json!({
            "source": "aws.events", "detail-type": "Scheduled Event", "time": "2026-11-21T02:00:00Z",
            "resources": ["arn:aws:events:eu-central-1:123456789012:rule/nightly"], "detail": detail,
        })
        .to_string()
    };
    let configured = json!({"user_id": "configured", "event": "e"});
    let user = |detail, configured: Option<&Value>| {
        let configured = configured.and_then(Value::as_object);
        let event = Event::read(notice(detail).as_bytes(), configured, "1", NOW.parse().unwrap());
        event.map(|event| event.message().user_id().unwrap().to_owned())
    };
    assert_eq!(user(json!({}), Some(&configured)).unwrap(), "configured");
    assert_eq!(user(json!({"user_id": "detail", "event": "e"}), Some(&configured)).unwrap(), "detail");
    assert_eq!(
        user(json!({}), None).unwrap_err().to_string(),
        "event is missing; an EventBridge rule brings none: set TRACK_EVENT_INPUT (the stack's parameter TrackEventInput), or give the rule's target an input"
    );
}
