//! Events and their messages, with the built-in mapping and with others.

use identity::{Config, GUIDE, Ignored, MapError, Mapped, Mappings};
use serde_json::{Value, json};

use crate::support::{map, sample_body, with_mapping};

/// Returns the one message of a body.
fn only(body: &[u8], config: &Config) -> Mapped {
    let mut mapping = map("fusionauth", body, config).unwrap();
    assert_eq!((mapping.messages.len(), &mapping.ignored[..]), (1, &[][..]));
    mapping.messages.remove(0)
}

fn map_default(body: &Value) -> Value {
    let mapped = only(body.to_string().as_bytes(), &Config::new("d"));
    Value::Object(mapped.message.as_object().clone())
}

#[test]
fn the_smallest_event_is_enough() {
    for (event_type, expected) in [
        ("user.create.complete", json!({"type": "identify", "event": "user.create.complete", "traits": {}})),
        ("user.email.update", json!({"type": "identify", "event": "user.email.update", "traits": {}})),
        ("user.update.complete", json!({"type": "identify", "event": "user.update.complete", "traits": {}})),
        ("user.login.success", json!({"type": "track", "event": "user.login.success", "properties": {}})),
        ("user.delete.complete", json!({"type": "delete"})),
    ] {
        let event = json!({"type": event_type, "user": {"id": "u1"}});
        let bare = map_default(&event);
        let wrapped = map_default(&json!({"event": event}));
        for mut message in [bare, wrapped] {
            let object = message.as_object_mut().unwrap();
            let id = object.remove("messageId").unwrap();
            assert!(id.as_str().unwrap().starts_with("fusionauth-") && id.as_str().unwrap().len() <= 99);
            assert_eq!(object.remove("userId").unwrap(), "u1");
            assert_eq!(object.remove("timestamp").unwrap(), "2026-11-21T08:00:00.000Z");
            let context = object.remove("context").unwrap();
            assert_eq!(context["channel"], "server");
            assert_eq!(context["library"]["name"], "segue");
            assert_eq!(message, expected, "{event_type}");
        }
    }
}

#[test]
fn members_of_any_odd_shape_do_no_harm() {
    let odd = [json!(null), json!(7), json!("x"), json!([]), json!({}), json!([{}]), json!(true)];
    for member in ["info", "tenantId", "createInstant", "id", "ipAddress", "applicationId", "original"] {
        for value in &odd {
            let mut event =
                json!({"type": "user.update.complete", "user": {"id": "u1", "email": "a@example.com"}});
            event[member] = value.clone();
            let message = map_default(&json!({"event": event}));
            assert_eq!(message["traits"], json!({"email": "a@example.com"}), "{member} {value}");
        }
    }
}

#[test]
fn every_other_type_is_ignored_misspelled_or_not() {
    for event_type in [
        "user.create",
        "user.update",
        "user.delete",
        "user.login.failed",
        "user.login.new-device",
        "user.two-factor.failed-attempt",
        "user.two-factor.failed.attempt",
        "jwt.refresh",
        "test",
        "USER.LOGIN.SUCCESS",
        "create-log.create",
        "",
    ] {
        let body = json!({"event": {"type": event_type, "user": {"id": "u1"}}});
        let result = map("fusionauth", body.to_string(), &Config::new("d"));
        if event_type.is_empty() {
            assert!(matches!(result, Err(MapError::Unusable(_))));
            continue;
        }
        let mapping = result.unwrap();
        assert_eq!(mapping.ignored, [Ignored::EventType(event_type.to_owned())]);
        assert!(mapping.messages.is_empty());
    }
}

#[test]
fn an_implausible_time_is_nowhere_in_a_message() {
    let receipt = json!("2026-11-21T08:00:00.000Z");
    for (instant, expected) in [
        (json!(1_763_712_001_000_i64), json!("2025-11-21T08:00:01.000Z")),
        (json!("1763712001000"), json!("2025-11-21T08:00:01.000Z")),
        (json!(1_763_712_001), json!("2025-11-21T08:00:01.000Z")),
        (json!("2025-11-21T08:00:01Z"), json!("2025-11-21T08:00:01.000Z")),
        (json!(0), receipt.clone()),
        (json!(1_826_784_000_000_i64), receipt.clone()),
        (json!(i64::MAX), receipt.clone()),
        (json!(-99_999_999_999_999_i64), receipt.clone()),
        (json!(u64::MAX), receipt.clone()),
        (json!(1.5e300), receipt.clone()),
        (json!("soon"), receipt.clone()),
    ] {
        let event = json!({"type": "user.create.complete", "createInstant": instant,
            "user": {"id": "u1", "insertInstant": instant}});
        let message = map_default(&json!({"event": event}));
        assert_eq!(message["timestamp"], expected, "{instant}");
        let traits = match expected == receipt {
            true => json!({}),
            false => json!({"insertInstant": 1_763_712_001_000_i64, "createdAt": expected}),
        };
        assert_eq!(message["traits"], traits, "{instant}");
    }
}

#[test]
fn a_tenant_has_its_own_write_key_and_message_ids() {
    let mut config = Config::new("d");
    config.tenants.insert("t1".to_owned(), "shop".to_owned());
    let mut ids = Vec::new();
    for (event, expected) in [
        (json!({"tenantId": "T1", "user": {"id": "u"}}), "shop"),
        (json!({"user": {"id": "u", "tenantId": "t1"}}), "shop"),
        (json!({"tenantId": "t2", "user": {"id": "u", "tenantId": "t1"}}), "default"),
        (json!({"user": {"id": "u"}}), "default"),
    ] {
        let mut event = event;
        event["id"] = json!("one");
        event["type"] = json!("user.login.success");
        let mapped = only(event.to_string().as_bytes(), &config);
        assert_eq!(mapped.write_key, expected, "{event}");
        ids.push(mapped.message.message_id().unwrap().to_owned());
    }
    assert_eq!((ids[0] == ids[1], ids[1] == ids[2], ids[2] == ids[3]), (true, false, true));
}

#[test]
fn an_event_without_an_id_is_identified_by_its_body() {
    let id = |body: &str| only(body.as_bytes(), &Config::new("d")).message.message_id().unwrap().to_owned();
    let one = r#"{"type":"user.login.success","user":{"id":"u"},"n":1}"#;
    assert_eq!(id(one), id(one));
    assert_ne!(id(one), id(&one.replace(":1}", ":2}")));
}

#[test]
fn numbers_in_free_form_data_keep_their_digits() {
    let body = r#"{"type":"user.create.complete","user":{"id":"u","data":{"big":12345678901234567890,"price":1.50}}}"#;
    let mapped = only(body.as_bytes(), &Config::new("d"));
    let text = mapped.message.as_json();
    assert!(text.contains(r#""data":{"big":12345678901234567890,"price":1.50}"#), "{text}");
}

#[test]
fn a_message_above_the_limit_loses_its_free_form_data_and_lists_them() {
    let mut body: Value = serde_json::from_slice(&sample_body("fusionauth.user.create.complete")).unwrap();
    body["event"]["user"]["data"] = json!({"note": "x".repeat(40_000)});
    let message = map_default(&body);
    assert_eq!(message["context"]["leftOut"], json!(["traits.data"]));
    assert_eq!(
        (message["traits"].get("data"), &message["traits"]["email"]),
        (None, &json!("annika@example.com"))
    );
    assert!(message["traits"]["registrations"].is_array());

    body["event"]["user"]["registrations"][0]["data"] = json!({"note": "x".repeat(38_000)});
    let message = map_default(&body);
    assert_eq!(message["context"]["leftOut"], json!(["traits.data", "traits.registrations"]));

    body["event"]["user"]["email"] = json!("x".repeat(35_000));
    let message = map_default(&body);
    let expected = json!(["traits.data", "traits.registrations", "traits.email"]);
    assert_eq!(
        (&message["context"]["leftOut"], &message["traits"]["firstName"]),
        (&expected, &json!("Annika"))
    );

    body["event"]["user"]["id"] = json!("x".repeat(40_000));
    let error = map("fusionauth", body.to_string(), &Config::new("d")).unwrap_err();
    assert_eq!(error.to_string(), "message is larger than 32 KB as JSON");
}

#[test]
fn a_half_emoji_in_a_name_is_accepted() {
    let body = br#"{"event":{"type":"user.create.complete","user":{"id":"u","firstName":"Bo \ud83d"}}}"#;
    assert_eq!(only(body, &Config::new("d")).message.get("traits").unwrap()["firstName"], "Bo \u{fffd}");
}

#[test]
fn every_mapping_in_the_documentation_can_be_used_unchanged() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");
    let mut found = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for part in text.split("```toml\n").skip(1) {
            let (block, _) = part.split_once("```").unwrap();
            let lines: Vec<&str> = block.lines().map(str::trim_start).collect();
            if let Err(error) = Mappings::with(path.file_name().unwrap().to_str().unwrap(), &lines.join("\n"))
            {
                panic!("{error}");
            }
            found += 1;
        }
    }
    assert!(found >= 3, "{found}");
}

#[test]
fn the_examples_in_the_built_in_mapping_can_be_copied() {
    let (_, examples) = GUIDE.split_once("# EXAMPLES\n").unwrap();
    let (examples, _) = examples.split_once("\n# THE PARTS OF A FILE\n").unwrap();
    let mut found = 0;
    for part in examples.split("\n#\n#     ").skip(1) {
        let example = format!("    {part}").replace("#     ", "");
        let example: Vec<&str> =
            example.lines().take_while(|line| !line.starts_with('#')).map(str::trim).collect();
        let mappings =
            Mappings::with("example", &example.join("\n")).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(mappings.warnings().collect::<Vec<_>>(), [""; 0]);
        found += 1;
    }
    assert_eq!(found, 5);
}

#[test]
fn a_call_that_cannot_be_made_does_not_affect_the_events_other_calls() {
    let rules =
        r#"fusionauth.on."user.create.complete" = { identify = {}, group = { groupId = "event.none" } }"#;
    let body = br#"{"type":"user.create.complete","user":{"id":"u"}}"#;
    let mapping = map("fusionauth", body, &with_mapping(rules)).unwrap();
    assert_eq!(mapping.messages.len(), 1);
    assert_eq!(mapping.ignored.len(), 1);
    assert_eq!(mapping.ignored[0].to_string(), "the event cannot be used: none is missing");
}

#[test]
fn a_value_is_sent_everywhere_that_rules_name_it() {
    let rules = r#"
        [fusionauth.on."user.create.complete"]
        identify = { traits = { a = "profile.data", b = "profile.data", c = ["profile.none", "profile.email"] } }
        track = [
          { event = "x", properties = { a = "profile.data", email = "profile.email" }, when = { "profile.data.n" = 1 } },
          { event = "y", properties = { a = "profile.data.n" }, when = { "profile.email" = { exists = true } } },
        ]
    "#;
    let config = with_mapping(rules);
    let body = br#"{"type":"user.create.complete","user":{"id":"u","email":"a@example.com","data":{"n":1}}}"#;
    let messages = map("fusionauth", body, &config).unwrap().messages;
    let field = |index: usize, name: &str| messages[index].message.get(name).cloned().unwrap();
    let data = json!({"n": 1});
    assert_eq!(field(0, "traits"), json!({"a": data, "b": data, "c": "a@example.com"}));
    assert_eq!(field(1, "properties"), json!({"a": data, "email": "a@example.com"}));
    assert_eq!(field(2, "properties"), json!({"a": 1}));
    assert_ne!(field(1, "messageId"), field(2, "messageId"));
}
