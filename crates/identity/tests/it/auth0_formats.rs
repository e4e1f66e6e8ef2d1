//! The formats of Auth0's log streams, and unusable records among usable ones.

use identity::{Config, Ignored, MapError};
use serde_json::{Value, json};

use crate::{
    auth0_logs::{calls, mapped, record},
    support::{ids, map},
};

#[test]
fn the_same_records_make_the_same_messages_in_every_format() {
    let records = [record("s", "1"), record("slo", "2")];
    let bare = records.clone().map(|record| record["data"].clone());
    let with_underscore = records.clone().map(|mut record| {
        let id = record["log_id"].take();
        let data = record["data"].as_object_mut().unwrap();
        data.remove("log_id");
        data.insert("_id".to_owned(), id);
        record["data"].take()
    });
    let lines = |records: &[Value]| records.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let expected = mapped(json!(records).to_string());
    assert_eq!(calls(&expected), ["Signed In", "Signed Out"]);
    for body in [
        json!({"logs": records}).to_string(),
        json!(bare).to_string(),
        json!(with_underscore).to_string(),
        lines(&records),
        lines(&bare),
        format!("\r\n{}\r\n\r\n{}\r\n", records[0], records[1]),
    ] {
        assert_eq!(ids(&mapped(&body)), ids(&expected), "{body}");
    }
    for (record, id) in records.iter().zip(ids(&expected)) {
        assert_eq!(ids(&mapped(record.to_string())), [id], "an object alone");
    }
}

#[test]
fn a_broken_line_does_not_affect_the_others() {
    let (first, last) = (record("s", "1").to_string(), record("slo", "2").to_string());
    for broken in [r#"{"log_id":"3","data":{"type":"s""#, "null", "7", r#""text""#, "[]", "\u{fffd}{", "{}"] {
        for body in [
            format!("{first}\n{broken}\n{last}"),
            format!("{broken}\n{first}\n{last}\n"),
            format!("{first}\n{last}\n{broken}"),
        ] {
            let mapping = mapped(&body);
            assert_eq!(calls(&mapping), ["Signed In", "Signed Out"], "{body}");
            assert!(matches!(mapping.ignored[..], [Ignored::Unusable(_)]), "{body}");
        }
    }
    let not_utf8 = [first.as_bytes(), b"\n{\"\xff\":1}\n", last.as_bytes()].concat();
    assert_eq!(calls(&mapped(not_utf8)), ["Signed In", "Signed Out"]);
}

#[test]
fn a_body_that_is_json_in_no_format_is_refused() {
    let pretty = format!("{:#}", json!([record("s", "1")]));
    for body in
        ["", " \n", "logs", "7", "\"s\"", "null", "{", "{\n\"a\": 1,\n}", "[{]", &pretty[..pretty.len() - 3]]
    {
        let error = map("auth0/logs", body, &Config::new("d")).unwrap_err();
        assert!(matches!(error, MapError::Json(_)), "{body}");
    }
}

#[test]
fn a_record_that_cannot_be_used_does_not_affect_the_others() {
    let mut without_user = record("fu", "3");
    without_user["data"]["user_id"] = json!("");
    without_user["data"]["user_name"] = json!("nobody@example.com");
    for (bad, problem) in [
        (json!("not a record"), "log 1 must be an object"),
        (json!({}), "log 1.data.type is missing"),
        (json!({"log_id": "3", "data": {"type": 7}}), "log 1.data.type must be a string"),
        (json!({"log_id": "3", "data": {"type": "s"}}), "user_id is missing"),
        (json!({"log_id": "3", "data": {"type": "s", "user_id": 7}}), "user_id must be a string"),
        (without_user, "user_id must not be empty"),
        (
            json!({"log_id": "3", "data": {"type": "ss", "user_id": "x".repeat(40_000)}}),
            "message is larger than 32 KB as JSON",
        ),
    ] {
        let mapping = mapped(json!([record("s", "1"), bad, record("slo", "2")]).to_string());
        assert_eq!(calls(&mapping), ["Signed In", "Signed Out"], "{bad}");
        let [Ignored::Unusable(unusable)] = &mapping.ignored[..] else { panic!("{bad}") };
        assert_eq!(unusable.to_string(), problem);
    }
}
