//! Providers that a file declares.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use identity::{Config, Mappings};
use serde_json::{Value, json};

use crate::support::{map, mapped, outline, with_mapping};

/// A provider with as little as possible.
const LEAST: &str = r#"
    [acme]
    proof = { kind = "bearer" }
    event = { type = "event.type" }
    subject = [{ userId = "event.user" }]
    on.login.track = {}
"#;

/// Returns the smallest provider with another value for a key of it.
fn acme(key: &str, value: &str) -> String {
    format!("{LEAST}\n{key} = {value}")
}

/// Returns the smallest provider whose bodies are arrays.
fn of_a_list() -> String {
    LEAST.replace("\"event.type\" }", "\"event.type\", list = \"*\" }")
}

fn faults(text: &str) -> Vec<String> {
    let error = Mappings::with("acme.toml", text).err().unwrap_or_else(|| panic!("no fault in {text}"));
    error.to_string().lines().map(str::to_owned).collect()
}

/// Returns the traits that a profile of this source makes, as the trait `x`.
fn trait_of(source: &str, event: &Value) -> Value {
    let text = format!(
        r#"
        [acme]
        proof = {{ kind = "bearer" }}
        event = {{ type = "event.type" }}
        subject = [{{ userId = "event.user", user = "event.data", group = "event.team" }}]
        profile.x = {source}
        on.login.identify = {{ traits = {{ x = "profile.x" }} }}
        "#
    );
    let mut body = json!({"type": "login", "user": "u"});
    body.as_object_mut().unwrap().extend(event.as_object().unwrap().clone());
    let (messages, _) = mapped("acme", &body, &with_mapping(&text));
    messages[0]["traits"].get("x").cloned().unwrap_or_default()
}

#[test]
fn the_smallest_provider_maps_its_events() {
    let config = with_mapping(LEAST);
    assert_eq!(outline("acme", &json!({"type": "login", "user": "u1"}), &config), ["track u1 login"]);
    let array =
        json!([{"type": "login", "user": "u1"}, {"type": "login", "user": "u2"}, {"type": "other"}, 7]);
    let mapping = map("acme", array.to_string(), &with_mapping(&of_a_list())).unwrap();
    let users: Vec<_> = mapping.messages.iter().map(|mapped| mapped.message.user_id().unwrap()).collect();
    assert_eq!((users, mapping.ignored.len()), (vec!["u1", "u2"], 2));
}

#[test]
fn events_of_a_list_without_ids_have_different_message_ids() {
    let text = LEAST.replace(
        r#"event = { type = "event.type" }"#,
        r#"event = { type = "event.type", list = "data.items" }"#,
    );
    let config = with_mapping(&text);
    let body = json!({"data": {"items": [{"type": "login", "user": "u1"}, {"type": "login", "user": "u1", "n": 1}]}});
    let mapping = map("acme", body.to_string(), &config).unwrap();
    let ids: Vec<_> = mapping.messages.iter().map(|mapped| mapped.message.message_id()).collect();
    assert_ne!(ids[0], ids[1]);
    let again = map("acme", body.to_string(), &config).unwrap();
    assert_eq!(mapping.messages, again.messages);
    let error = map("acme", r#"{"data": {}}"#, &config).unwrap_err();
    assert_eq!(error.to_string(), "data.items must be an array");
    let error = map("acme", "{}", &with_mapping(&of_a_list())).unwrap_err();
    assert_eq!(error.to_string(), "the body must be an array");
    // One event a body is what a file says, unless it says otherwise.
    assert!(map("acme", "[]", &with_mapping(LEAST)).is_err());
}

#[test]
fn a_value_comes_from_where_the_file_says() {
    let event = json!({
        "data": {
            "first": "Ada", "last": "King", "blank": " ", "n": 7, "flag": true, "tags": ["a", "b"],
            "mixed": ["a", 1], "object": {"plan": "pro", "password": "hush"}, "path": "/users/u9/x",
            "list": [{"id": "a", "v": "A"}, {"id": "b", "v": "B", "ok": true}, {"id": "c", "v": 7}, 9],
            "one": [{"v": "only"}], "wanted": "a", "unwanted": "z", "odd.name": "dots",
            "seconds": 1_763_712_181, "german": "21.11.2025", "born": "1972-02-03", "never": "31.02.2025",
        },
        "team": {"name": "Acme"},
    });
    for (source, expected) in [
        (r#""user.first""#, json!("Ada")),
        (r#""user.blank""#, json!(null)),
        (r#""user.n""#, json!(null)),
        (r#""user.object""#, json!(null)),
        (r#""user.'odd.name'""#, json!("dots")),
        (r#""group.name""#, json!("Acme")),
        (r#""event.data.last""#, json!("King")),
        (r#"["user.none", "user.blank", "user.last"]"#, json!("King")),
        (r#""{user.first}-{user.n}""#, json!("Ada-7")),
        (r#""{user.first}-{user.none}""#, json!(null)),
        ("{ value = [1, true] }", json!([1, true])),
        (r#"{ number = "user.n" }"#, json!(7)),
        (r#"{ number = ["user.first", "user.n"] }"#, json!(7)),
        (r#"{ boolean = "user.n" }"#, json!(null)),
        (r#"{ boolean = "user.flag" }"#, json!(true)),
        (r#"{ texts = "user.tags" }"#, json!(["a", "b"])),
        (r#"{ texts = "user.mixed" }"#, json!(null)),
        (r#"{ join = ["user.first", "user.none", "user.last"] }"#, json!("Ada King")),
        (r#"{ join = ["user.last", "user.first"], with = ", " }"#, json!("King, Ada")),
        (r#"{ text = "user.path", after = "users/", before = "/" }"#, json!("u9")),
        (r#"{ text = "user.path", after = "groups/" }"#, json!(null)),
        (r#"{ time = "user.seconds" }"#, json!("2025-11-21T08:03:01.000Z")),
        (r#"{ time = "user.seconds", format = "milliseconds" }"#, json!(null)),
        (r#"{ time = "user.german", format = "%d.%m.%Y" }"#, json!("2025-11-21T00:00:00.000Z")),
        (r#"{ time = "user.never", format = "%d.%m.%Y" }"#, json!(null)),
        (r#"{ freeForm = "user.object" }"#, json!({"plan": "pro"})),
        (r#"{ fields = { a = "user.first", b = "user.none" } }"#, json!({"a": "Ada"})),
        (r#"{ fields = { b = "user.none" } }"#, json!(null)),
        (r#"{ list = "user.list", take = "v", where = { id = "user.wanted" } }"#, json!("A")),
        (r#"{ list = "user.list", take = "v", where = { id = "user.unwanted" } }"#, json!(null)),
        (
            r#"{ list = "user.list", take = "v", where = { id = "user.wanted" }, is = { ok = true } }"#,
            json!(null),
        ),
        (r#"{ list = "user.list", take = "v", is = { ok = true } }"#, json!("B")),
        (r#"{ list = "user.list", take = "v" }"#, json!(null)),
        (r#"{ list = "user.one", take = "v" }"#, json!("only")),
        (r#"{ list = "user.one", take = "v", is = { ok = true } }"#, json!(null)),
        (r#"{ date = "user.german", format = "%d.%m.%Y" }"#, json!("2025-11-21")),
        (r#"{ date = "user.born" }"#, json!("1972-02-03")),
        (r#"{ time = "user.born" }"#, json!(null)),
        (r#"{ list = "user.first", take = "v" }"#, json!(null)),
    ] {
        assert_eq!(trait_of(source, &event), expected, "{source}");
    }
}

#[test]
fn a_member_that_is_never_read_is_gone_even_where_a_rule_copies_all_around_it() {
    let text = acme("never", r#"["event.data.private"]"#)
        + "\non.login.identify = { traits = { all = 'event.data' } }";
    let body = json!({"type": "login", "user": "u", "data": {"plan": "pro", "private": {"x": "hush"}}});
    let mapping = map("acme", body.to_string(), &with_mapping(&text)).unwrap();
    let texts: Vec<_> = mapping.messages.iter().map(|mapped| mapped.message.as_json()).collect();
    assert!(texts.iter().any(|text| text.contains(r#""all":{"plan":"pro"}"#)), "{texts:?}");
    let own = format!("{text}\non.login.group = {{ groupId = 'event.data.private.id' }}");
    assert_eq!(faults(&own), ["acme.toml:10:18: event.data.private.id is never read"]);
}

#[test]
fn a_member_that_is_never_read_is_gone_in_every_item_of_a_list_and_in_json_texts() {
    let text = acme("never", "['event.people.ssn', 'event.inner.ssn']")
        + "\njson = ['event.inner']\non.login.identify = { traits = { people = 'event.people', inner = 'event.inner', list = 'event.list' } }";
    let config = with_mapping(&text);
    for inner in [
        json!(r#"{"plan":"pro","ssn":"hush"}"#),
        json!(r#"[{"plan":"pro","ssn":"hush"}]"#),
        // A text that cannot be read may hold it too.
        json!(r#"{"plan":"pro","ssn":"hush"#),
        json!(r#""{\"ssn\":\"hush\"}""#),
        json!({"plan": "pro", "ssn": "hush"}),
    ] {
        let body = json!({"type": "login", "user": "u", "people": [{"n": 1, "ssn": "hush"}, [{"ssn": "hush"}]], "inner": inner});
        let mapping = map("acme", body.to_string(), &config).unwrap();
        let texts: String = mapping.messages.iter().map(|mapped| mapped.message.as_json()).collect();
        assert!(texts.contains(r#"{"n":1}"#) && !texts.contains("hush"), "{texts}");
    }
    for path in ["event.people.ssn", "event.people.0.ssn.area"] {
        let own = format!("{text}\non.login.track = {{ properties = {{ x = '{path}' }} }}");
        let own = own.replace("\n    on.login.track = {}", "");
        assert!(faults(&own)[0].ends_with(&format!("{path} is never read")), "{path} {:?}", faults(&own));
    }
}

#[test]
fn json_in_a_text_is_read() {
    let text = acme("json", r#"["event.inner"]"#)
        + "\nprofile.x = 'event.inner.name'\non.login.identify = { traits = { x = 'profile.x' } }";
    for (inner, expected) in
        [("{\"name\":\"Ada\"}", json!({"x": "Ada"})), ("not json", json!({})), ("[1]", json!({}))]
    {
        let body = json!({"type": "login", "user": "u", "inner": inner});
        let (messages, _) = mapped("acme", &body, &with_mapping(&text));
        let identify = messages.iter().find(|message| message["type"] == "identify").unwrap();
        assert_eq!(identify["traits"], expected, "{inner}");
    }
}

#[test]
fn an_event_without_an_entry_for_its_type_keeps_its_id_its_time_and_its_tenant() {
    let text = LEAST
        .replace(
            "type = \"event.type\"",
            "type = \"event.type\", id = \"event.id\", time = \"event.at\", tenant = \"event.tenant\"",
        )
        .replace("{ userId = \"event.user\" }", "{ types = [\"x\"], userId = \"event.user\" }")
        .replace("on.login.track = {}", "on.login.track = { userId = \"event.customer\" }");
    let config = Config { tenants: [("t2".to_owned(), "shop".to_owned())].into(), ..with_mapping(&text) };
    let event = |more: Value| {
        let mut event = json!({"type": "login", "id": "e1", "customer": "c", "at": "2026-11-20T00:00:00Z", "tenant": "t2"});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        map("acme", event.to_string(), &config).unwrap().messages.remove(0)
    };
    let (first, again) = (event(json!({})), event(json!({"attempt": 2})));
    assert_eq!(first.message.message_id(), again.message.message_id());
    assert_eq!(first.message.get("timestamp").unwrap(), "2026-11-20T00:00:00.000Z");
    assert_eq!(first.write_key, "shop");
}

#[test]
fn an_id_is_any_text_or_number_and_without_one_no_event_of_a_list_is_taken_for_another() {
    let with_id = LEAST.replace("type = \"event.type\"", "type = \"event.type\", id = \"event.id\"");
    let id = |text: &str, body: &Value| {
        let mapping = map("acme", body.to_string(), &with_mapping(text)).unwrap();
        mapping
            .messages
            .iter()
            .map(|mapped| mapped.message.message_id().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let event = |id: Value, n: u8| json!({"type": "login", "user": "u", "id": id, "n": n});
    assert_eq!(id(&with_id, &event(json!(7), 1)), id(&with_id, &event(json!(7), 2)));
    assert_ne!(id(&with_id, &event(json!(7), 1)), id(&with_id, &event(json!(8), 1)));
    assert_ne!(id(&with_id, &event(json!(null), 1)), id(&with_id, &event(json!(null), 2)));
    let without_ids = id(&of_a_list(), &json!([event(json!(null), 1), event(json!(null), 2)]));
    assert_ne!(without_ids[0], without_ids[1]);
    // They differ in a member that is never read, and have no id or none is declared.
    let never = format!("{}\nnever = ['event.n']", of_a_list());
    for text in [never.clone(), never.replace("list =", "id = \"event.none\", list =")] {
        let ids = id(&text, &json!([event(json!(1), 1), event(json!(1), 2)]));
        assert_ne!(ids[0], ids[1]);
        assert_eq!(ids, id(&text, &json!([event(json!(1), 1), event(json!(1), 2)])));
    }
    let claims =
        |iat: u8| format!("e30.{}.c2ln{iat}", URL_SAFE_NO_PAD.encode(r#"{"type":"login","user":"u"}"#));
    let jwt = with_mapping(&LEAST.replace("\"bearer\"", "\"jwt-body\""));
    let ids = [1, 2].map(|iat| {
        map("acme", claims(iat), &jwt).unwrap().messages[0].message.message_id().map(str::to_owned)
    });
    assert_eq!(ids[0], ids[1], "a JWT is signed anew each time");
}

#[test]
fn an_update_is_compared_with_the_user_that_its_own_entry_names() {
    let text = r#"
        [acme]
        proof = { kind = "bearer" }
        event = { type = "event.type" }
        subject = [
            { types = ["a"], user = "event.a", previous = "event.oldA", userId = "user.id" },
            { types = ["b"], user = "event.b", previous = "event.oldB", userId = "user.id" },
        ]
        profile.name = "event.a.name"
        profile.own = "user.name"
        on.a.identify = { traits = { name = "profile.name" } }
        on.b.identify = { traits = { name = "event.b.name" } }
    "#;
    let config = with_mapping(text);
    let user = |name: &str| json!({"id": "u", "name": name});
    for (old, expected) in [("old", 1), ("new", 0)] {
        let body = json!({"type": "b", "b": user("new"), "oldB": user(old)});
        assert_eq!(mapped("acme", &body, &config).0.len(), expected, "{old}");
    }
    let body = json!({"type": "a", "a": user("new"), "oldA": user("old")});
    assert_eq!(mapped("acme", &body, &config).0.len(), 1, "a profile may read around the user");
}

#[test]
fn a_file_can_protect_more_and_never_less() {
    // The built-in file has an array.
    for never in ["'event.data.extra'", "['event.data.extra']"] {
        let own =
            format!("[workos]\nnever = {never}\non.x.track = {{ properties = {{ all = 'event.data' }} }}");
        let body = json!({"event": "x", "id": "e", "data": {"user_id": "u", "extra": "hush", "impersonator": {"email": "hush", "reason": "r"}}});
        let (messages, _) = mapped("workos", &body, &with_mapping(&own));
        assert_eq!(
            messages[0]["properties"]["all"],
            json!({"user_id": "u", "impersonator": {"reason": "r"}}),
            "{never}"
        );
    }
    let own = "[keycloak]\njson = ['event.details.extra']\non.x.track = { properties = { all = 'event.representation' } }";
    let body = json!({"uid": "e", "type": "x", "authDetails": {"userId": "u"}, "representation": "{\"a\":1,\"credentials\":[\"hush\"]}"});
    let (messages, _) = mapped("keycloak", &body, &with_mapping(own));
    assert_eq!(messages[0]["properties"]["all"], json!({"a": 1}));
    for (never, expected) in [
        ("event.people.0.ssn", "has a number; a path applies to each item of a list"),
        ("event.type", "event.type would never be read, and the declaration reads it"),
        ("event.user", "event.user would never be read, and the declaration reads it"),
    ] {
        let found = faults(&acme("never", &format!("['{never}']")));
        assert!(found[0].ends_with(expected), "{found:?}");
    }
    let condition = acme("context", "{ inactiveWhen = { 'event.by' = 'x' } }") + "\nnever = 'event.by'";
    assert!(faults(&condition)[0].ends_with("event.by would never be read, and the declaration reads it"));
    let profile = acme("context", "{ inactiveWhen = { 'profile.x' = 'x' } }");
    assert!(
        faults(&profile)[0].ends_with("a path begins with event., not \"profile\""),
        "{:?}",
        faults(&profile)
    );
}

#[test]
fn a_date_is_the_one_that_is_written_and_a_time_the_first_that_can_be_read() {
    for (value, format, expected) in [
        (json!("1990-04-03"), "", json!("1990-04-03")),
        (json!("1990-04-03T00:00:00+02:00"), "", json!("1990-04-03")),
        (json!("1990-04-03T23:30:00-05:00"), "", json!("1990-04-03")),
        (json!("1890-04-03"), "", json!("1890-04-03")),
        (json!("9999-12-31"), "", json!("9999-12-31")),
        (json!("03.04.1990"), "", json!(null)),
        (json!("03.04.1990"), ", format = '%d.%m.%Y'", json!("1990-04-03")),
        (json!(50_000_000_000_i64), "", json!(null)),
        (json!(50_000_000_000_i64), ", format = 'milliseconds'", json!("1971-08-02")),
        (json!(-31_536_000), ", format = 'seconds'", json!("1969-01-01")),
        (json!(true), "", json!(null)),
    ] {
        let source = format!("{{ date = \"user.at\"{format} }}");
        assert_eq!(trait_of(&source, &json!({"data": {"at": value}})), expected, "{value} {format}");
    }
    for (value, format, expected) in [
        (json!(1_700_000_000.75), "seconds", json!("2023-11-14T22:13:20.750Z")),
        (json!("1700000000.75"), "seconds", json!("2023-11-14T22:13:20.750Z")),
        (json!(1_700_000_000_000_750_i64), "microseconds", json!("2023-11-14T22:13:20.001Z")),
        (json!(1e300), "seconds", json!(null)),
    ] {
        let source = format!("{{ time = \"user.at\", format = \"{format}\" }}");
        assert_eq!(trait_of(&source, &json!({"data": {"at": value}})), expected, "{value}");
    }
    let text = LEAST.replace("\"event.type\" }", "\"event.type\", time = [\"event.a\", \"event.b\"] }");
    let body = json!({"type": "login", "user": "u", "a": "soon", "b": "2026-11-20T00:00:00Z"});
    let (messages, _) = mapped("acme", &body, &with_mapping(&text));
    assert_eq!(messages[0]["timestamp"], "2026-11-20T00:00:00.000Z");
    assert_eq!(trait_of("{ freeForm = \"user.x\" }", &json!({"data": {"x": "a text"}})), json!(null));
}

#[test]
fn a_condition_tells_whether_the_person_caused_the_event() {
    let text = acme(
        "context",
        r#"{ ip = "event.ip", inactiveWhen = { "event.by" = ["admin", "api"], "event.dry" = { exists = false } } }"#,
    );
    let config = with_mapping(&text);
    for (by, dry, expected) in [
        ("user", json!(null), json!({"ip": "203.0.113.7"})),
        ("admin", json!(null), json!({"active": false})),
        ("admin", json!(true), json!({"ip": "203.0.113.7"})),
    ] {
        let body = json!({"type": "login", "user": "u", "ip": "203.0.113.7", "by": by, "dry": dry});
        assert_eq!(mapped("acme", &body, &config).0[0]["context"], expected, "{body}");
    }
}

#[test]
fn a_file_on_top_of_another_protects_more_and_replaces_the_device_as_a_whole() {
    let own = "[workos]\nnever = ['event.data.note']\ncontext = { userAgent = 'event.data.user_agent' }";
    let body = json!({"event": "session.created", "id": "e", "data": {"user_id": "u", "ip_address": "203.0.113.7", "user_agent": "Mozilla/5.0"}});
    let (messages, _) = mapped("workos", &body, &with_mapping(own));
    assert_eq!(messages[0]["context"], json!({"userAgent": "Mozilla/5.0"}));
    for path in ["event.data.note", "event.data.token"] {
        let rule = format!("{own}\n[workos.on.x]\ntrack = {{ properties = {{ x = '{path}' }} }}");
        let credential = path.ends_with("token");
        let expected =
            if credential { "names a credential, and those are never sent" } else { "is never read" };
        assert!(faults(&rule)[0].ends_with(expected), "{:?}", faults(&rule));
    }
}

#[test]
fn a_number_is_an_id_only_where_the_file_says_so() {
    let body = json!({"type": "login", "user": 12_345});
    let error = map("acme", body.to_string(), &with_mapping(LEAST)).unwrap_err();
    assert_eq!(error.to_string(), "user must be a string");
    let text = LEAST.replace("\"event.user\"", "\"{event.user}\"");
    assert_eq!(outline("acme", &body, &with_mapping(&text)), ["track 12345 login"]);
}

#[test]
fn an_event_that_would_hold_somebody_up_is_left_out_and_not_refused() {
    let config = with_mapping(&acme("refusable", "false"));
    for body in [json!({"type": "login"}), json!({}), json!({"type": "login", "user": {}})] {
        let mapping = map("acme", body.to_string(), &config).unwrap();
        assert_eq!((mapping.messages.len(), mapping.ignored.len()), (0, 1), "{body}");
    }
}

#[test]
fn the_file_of_a_user_adds_to_a_built_in_provider() {
    let text = "[workos.profile]\nplan = 'user.metadata.plan'\n[workos.on.\"user.updated\"]\nidentify = { traits = [\"user\", { plan = \"profile.plan\" }] }";
    let body = json!({"id": "e", "event": "user.updated", "data": {"id": "u", "email": "a@example.com", "metadata": {"plan": "pro"}}});
    let (messages, _) = mapped("workos", &body, &with_mapping(text));
    assert_eq!(messages[0]["traits"], json!({"email": "a@example.com", "plan": "pro"}));
    // The rest of the declaration is there, such as another rule.
    let deleted = json!({"id": "e", "event": "user.deleted", "data": {"id": "u"}});
    assert_eq!(outline("workos", &deleted, &with_mapping(text)), ["delete u"]);
    let other_proof = with_mapping(
        "[keycloak]\nproof = { kind = 'jwt', header = 'Authorization', bodyHash = 'request_body_sha256' }",
    );
    assert!(matches!(
        other_proof.providers().named("keycloak").unwrap().signature,
        Some(identity::Signature::BodyHash(_))
    ));
}

#[test]
fn a_body_that_is_a_jwt_is_its_claims() {
    let config = Config::new("d");
    let claims = r#"{"data":{"user":{"email":"rui@example.com","id":"kp_1"}},"event_id":"event_1","source":"admin","timestamp":"2024-05-01T17:41:45.592145+10:00","type":"user.updated"}"#;
    let token = format!("eyJhbGciOiJSUzI1NiJ9.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
    let mapping = map("kinde", token, &config).unwrap();
    let message = &mapping.messages[0].message;
    assert_eq!(message.user_id(), Some("kp_1"));
    assert_eq!(message.get("timestamp").unwrap(), "2024-05-01T07:41:45.592Z");
    assert_eq!(message.get("traits").unwrap()["email"], "rui@example.com");
    for body in ["", "a.b", "a.b.c.d", "a.!.c", ".."] {
        assert!(map("kinde", body, &config).is_err(), "{body}");
    }
}

#[test]
fn a_fault_is_named_with_its_position_and_the_expected_value() {
    for (text, expected) in [
        (
            "[acme]\ntitle = 'Acme'".to_owned(),
            vec![
                "acme.toml:1:2: proof is missing; [acme.proof] says how a request proves itself",
                "acme.toml:1:2: event is missing; [acme.event] says where the type of an event is",
                "acme.toml:1:2: subject is missing; [[acme.subject]] says where the user's id is",
            ],
        ),
        (
            "[acme]\non.x.track = {}".to_owned(),
            vec!["acme.toml:1:2: there is no key \"acme\" here; known are: "],
        ),
        (
            acme("tittle", "'x'"),
            vec!["acme.toml:8:1: there is no key \"tittle\" here; did you mean \"title\"?"],
        ),
        (acme("title", "7"), vec!["acme.toml:8:9: this must be a string"]),
        (acme("deadline", "0"), vec!["acme.toml:8:12: this must be a number from 1 to 30"]),
        (acme("refusalsAreFinal", "'no'"), vec!["acme.toml:8:20: this must be true or false"]),
        (acme("answer", "{ status = 500 }"), vec!["acme.toml:8:21: this must be a number from 200 to 204"]),
        (
            acme("answer", "{ status = 204, body = {} }"),
            vec!["acme.toml:8:10: an answer with the status 204 has no body"],
        ),
        (
            acme("never", "['data.x']"),
            vec!["acme.toml:8:10: \"data.x\" is no path such as event.data.private"],
        ),
        (
            acme("context", "{ ipp = 'event.ip' }"),
            vec!["acme.toml:8:13: there is no key \"ipp\" here; did you mean \"ip\"?"],
        ),
        (acme("context", "{ types = ['a*b*'] }"), vec!["acme.toml:8:21: \"a*b*\" has more than one *"]),
        (
            acme("profile.x", "'usr.id'"),
            vec!["acme.toml:8:13: a path begins with event. or user. or group., not \"usr\""],
        ),
        (
            acme("profile.x", "'user.password'"),
            vec!["acme.toml:8:13: \"password\" names a credential, and those are never sent"],
        ),
        (
            acme("profile.token", "'user.x'"),
            vec!["acme.toml:8:9: \"token\" names a credential, and those are never sent"],
        ),
        (acme("profile.x", "7"), vec!["acme.toml:8:13: this must be a path, or a constant as { value = … }"]),
        (acme("profile.x", "[]"), vec!["acme.toml:8:13: this must not be empty"]),
        (acme("profile.x", "'{user.a'"), vec!["acme.toml:8:13: a { in the text is not closed"]),
        (
            acme("profile.x", "{ tme = 'user.x' }"),
            vec!["acme.toml:8:15: there is no key \"tme\" here; did you mean \"time\"?"],
        ),
        (
            acme("profile.x", "{ time = 'user.x', fromat = 'seconds' }"),
            vec!["acme.toml:8:32: there is no key \"fromat\" here; did you mean \"format\"?"],
        ),
        (
            acme("profile.x", "{ time = 'user.x', format = 'second' }"),
            vec![
                "acme.toml:8:41: there is no \"second\"; did you mean \"seconds\"? Known are: seconds, milliseconds, microseconds",
            ],
        ),
        (
            acme("profile.x", "{ list = 'user.x' }"),
            vec!["acme.toml:8:13: take is missing; it names the member of the object that is taken"],
        ),
        (
            LEAST.replace("acme", "Acme"),
            vec![
                "acme.toml:2:6: \"Acme\" is no name of a provider: a letter, and then at most 39 lower-case letters, digits and hyphens",
            ],
        ),
        (
            LEAST.replace(r#"{ kind = "bearer" }"#, r#"{ kind = "hmac-sha265" }"#),
            vec![
                "acme.toml:3:22: there is no \"hmac-sha265\"; did you mean \"hmac-sha256\"? Known are: standard-webhooks, hmac-sha256, hmac-sha1, hmac-sha512, jwt, jwt-body, bearer, basic, header",
            ],
        ),
        (
            "[fusionauth]\nproof = { kind = 'bearer' }".to_owned(),
            vec!["acme.toml:2:1: there is no key \"proof\" here; known are: on, sets, integrations"],
        ),
    ] {
        let found = faults(&text);
        assert_eq!(found.len(), expected.len(), "{text}\n{found:?}");
        for (found, expected) in found.iter().zip(&expected) {
            assert!(found.starts_with(expected), "{text}\n{found}\n{expected}");
        }
    }
}

#[test]
fn a_file_that_could_not_work_is_refused() {
    let subject = |entry: &str| LEAST.replace("[{ userId = \"event.user\" }]", entry);
    for (text, expected) in [
        (
            acme("profile.x", "{ list = 'user.x', take = 'access_token' }"),
            "names a credential, and those are never sent",
        ),
        (
            acme("profile.x", "{ list = 'user.x', take = 'a', where = { password = 'user.y' } }"),
            "names a credential",
        ),
        (acme("profile.x", "{ time = 'user.x', format = '%!' }"), "is no format of strftime"),
        (
            acme("profile.x", "{ date = 'user.x', format = 'DD.MM.YYYY' }"),
            "known are: seconds, milliseconds, microseconds, %d.%m.%Y",
        ),
        (subject("[]"), "name at least one entry"),
        (subject("[{ types = ['x'] }]"), "name a userId or an anonymousId"),
        (subject("[{ userId = { number = 'event.user' } }]"), "write the path of a number in braces"),
        (
            subject("[{ userId = 'event.user', types = [] }]"),
            "this must not be empty; leave it out for every type",
        ),
        (subject("[{ userId = 'event.user', previous = 'event.old' }]"), "previous needs user"),
        (LEAST.replace("\"event.type\" }", "\"event.type\", id = { value = 'x' } }"), "makes one of all"),
        (LEAST.replace("\"event.type\" }", "\"event.type\", id = [{ value = 'x' }] }"), "makes one of all"),
        (LEAST.replace("\"event.type\" }", "{ value = 7 } }"), "this must be a text"),
        (LEAST.replace("acme", "event"), "is a key of a provider, so no provider can have this name"),
        (format!("{LEAST}{}", "# x\n".repeat(100_000)), "the file has more than 256 KB"),
    ] {
        let found = faults(&text);
        assert!(found.len() == 1 && found[0].contains(expected), "{expected} {found:?}");
    }
}

#[test]
fn a_rule_that_names_a_missing_member_of_the_profile_is_doubted() {
    let text = acme("profile.firstName", "'event.a'")
        + "\non.login.identify = { traits = { a = 'profile.fristName', b = 'profile.firstName' } }";
    let warnings: Vec<String> = Mappings::with("acme.toml", &text).unwrap().warnings().collect();
    assert_eq!(
        warnings,
        ["acme.toml:9:21: the profile of acme has no member \"fristName\"; did you mean \"firstName\"?"]
    );
}

#[test]
fn a_proof_that_would_prove_nothing_is_refused() {
    for (proof, expected) in [
        ("{}", "kind is missing"),
        (r#"{ kind = "bearer", header = "X-A" }"#, "the kind \"bearer\" has no \"header\""),
        (r#"{ kind = "header" }"#, "header is missing"),
        (r#"{ kind = "header", header = "x y" }"#, "\"x y\" is not the name of a header"),
        (r#"{ kind = "hmac-sha256" }"#, "header is missing"),
        (r#"{ kind = "hmac-sha256", header = "X-S", hedaer = "X" }"#, "there is no key \"hedaer\" here"),
        (
            r#"{ kind = "hmac-sha256", header = "X-S", content = "{timestamp}" }"#,
            "the signed content must have {body}",
        ),
        (
            r#"{ kind = "hmac-sha256", header = "X-S", content = "{body}{signature}" }"#,
            "the signed content must have {body}, and cannot have {signature}",
        ),
        (
            r#"{ kind = "hmac-sha256", header = "X-S", content = "{bdoy}" }"#,
            "there is no \"bdoy\"; did you mean \"body\"?",
        ),
        (
            r#"{ kind = "hmac-sha256", header = "X-S", content = "{timestamp}.{body}" }"#,
            "nothing says where {timestamp} is",
        ),
        (
            r#"{ kind = "hmac-sha256", header = "X-S", timestampHeader = "X-T" }"#,
            "the signed content has no {timestamp}",
        ),
        (
            r#"{ kind = "hmac-sha256", header = "X-S", form = "t={timestamp},v1={signature}" }"#,
            "the signed content has no {timestamp}",
        ),
        (
            r#"{ kind = "hmac-sha256", header = "X-S", form = "t={timestamp}", content = "{timestamp}.{body}" }"#,
            "the form of the header has no {signature}",
        ),
        (
            r#"{ kind = "hmac-sha256", header = "X-S", form = "{signature}=v" }"#,
            "each part of the form is a text",
        ),
        (
            r#"{ kind = "hmac-sha256", header = "X-S", idHeader = "X-I" }"#,
            "{id} in content and idHeader need each other",
        ),
        (
            r#"{ kind = "hmac-sha256", header = "X-S", content = "{id}.{body}" }"#,
            "{id} in content and idHeader need each other",
        ),
        (
            r#"{ kind = "hmac-sha256", header = "X-S", encoding = "hexx" }"#,
            "there is no \"hexx\"; did you mean \"hex\"?",
        ),
        (
            r#"{ kind = "hmac-sha256", header = "X-S", secretPrefix = "whsec_" }"#,
            "secretPrefix needs secret = \"base64\"",
        ),
        (
            r#"{ kind = "hmac-sha256", header = "X-S", form = "t={timestamp},v1={signature}", content = "{timestamp}.{body}", tolerance = 86400 }"#,
            "this must be a number from 1 to 3600",
        ),
        (
            r#"{ kind = "hmac-sha256", header = "X-S", form = "{signature},t={timestamp},{signature}", content = "{timestamp}.{body}" }"#,
            "two parts of the form begin with",
        ),
        (
            r#"{ kind = "hmac-sha256", header = "X-S", form = "v={signature}, v={timestamp}", content = "{timestamp}.{body}" }"#,
            "two parts of the form begin with",
        ),
        (r#"{ kind = "hmac-sha256", header = "X-S", content = "{body" }"#, "a { in the text is not closed"),
        (
            r#"{ kind = "hmac-sha256", header = "X-S", tolerance = 60 }"#,
            "timestamp and tolerance need a {timestamp}",
        ),
        (
            r#"{ kind = "hmac-sha256", header = "X-S", timestampHeader = "x-s", content = "{timestamp}.{body}" }"#,
            "must be different headers",
        ),
        (r#"{ kind = "jwt", header = "Authorization" }"#, "a JWT needs header and bodyHash"),
    ] {
        let found = faults(&LEAST.replace(r#"{ kind = "bearer" }"#, proof));
        assert!(found.iter().any(|fault| fault.contains(expected)), "{proof}\n{found:?}");
    }
}

#[test]
fn an_expression_has_a_limited_depth() {
    let deep = format!("{}'user.x'{}", "[".repeat(20), "]".repeat(20));
    assert_eq!(faults(&acme("profile.x", &deep)), ["acme.toml:8:29: this is nested deeper than 16 levels"]);
}
