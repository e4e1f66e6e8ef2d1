//! Auth0's log streams: every code, and repeated records.

use std::collections::{BTreeMap, BTreeSet};

use identity::{Config, Ignored, Mapping};
use serde_json::{Value, json};

use crate::support::{ids, map, sample_body};

const TABLE: &str = include_str!("../../src/providers/auth0/log_types.tsv");

/// The mapped codes with their calls: an identify, a delete, or the name of a track.
pub const MAPPED: &[(&str, &[&str])] = &[
    ("f", &["Failed Login"]),
    ("fc", &["Failed by Connector"]),
    ("fce", &["Failed Change Email"]),
    ("fco", &["Failed by CORS"]),
    ("fcoa", &["Failed cross-origin authentication"]),
    ("fcp", &["Failed Change Password"]),
    ("fcpn", &["Failed Change Phone Number"]),
    ("fcu", &["Failed Change Username"]),
    ("fdu", &["Failed User Deletion"]),
    ("federated_logout_failed", &["Failed Federated Logout"]),
    ("fens", &["Failed Exchange"]),
    ("flo", &["Failed Logout"]),
    ("fp", &["Failed Login (Incorrect Password)"]),
    ("fs", &["Failed Signup"]),
    ("fu", &["Failed Login (Invalid Email/Username)"]),
    ("fv", &["Failed Verification Email"]),
    ("gd_enrollment_complete", &["MFA enrollment complete"]),
    ("gd_start_enroll_failed", &["MFA Enrollment Failed"]),
    ("gd_unenroll", &["Unenroll device account"]),
    ("gd_webauthn_enrollment_failed", &["WebAuthn browser error"]),
    ("oidc_backchannel_logout_failed", &["Failed OIDC Back-Channel Logout request"]),
    ("oidc_backchannel_logout_succeeded", &["Successful OIDC Back-Channel Logout request"]),
    ("s", &["Signed In"]),
    ("sce", &["identify", "Success Change Email"]),
    ("scoa", &["Signed In"]),
    ("scp", &["Success Change Password"]),
    ("scpn", &["identify", "Success Change Phone Number"]),
    ("scu", &["identify", "Success Change Username"]),
    ("sdu", &["delete"]),
    ("sens", &["Signed In"]),
    ("slo", &["Signed Out"]),
    ("ss", &["identify", "Signed Up"]),
    ("sv", &["identify", "Success Verification Email"]),
    ("universal_logout_failed", &["Failed Universal Logout request"]),
    ("universal_logout_succeeded", &["Signed Out"]),
];

fn codes() -> Vec<&'static str> {
    TABLE.lines().filter_map(|line| Some(line.split_once('\t')?.0)).collect()
}

pub fn record(code: &str, id: &str) -> Value {
    json!({"log_id": id, "data": {"type": code, "user_id": "auth0|1", "date": "2026-11-21T07:59:00Z", "log_id": id}})
}

pub fn mapped(body: impl AsRef<[u8]>) -> Mapping {
    map("auth0/logs", body, &Config::new("d")).unwrap()
}

pub fn calls(mapping: &Mapping) -> Vec<&str> {
    mapping
        .messages
        .iter()
        .map(|mapped| {
            let text = |name| mapped.message.get(name).and_then(Value::as_str);
            text("event").or_else(|| text("type")).unwrap()
        })
        .collect()
}

#[test]
fn a_change_of_a_user_is_not_attributed_to_the_administrator() {
    for code in ["sce", "scpn", "scu", "sdu"] {
        let body = |id: Value| json!({"body": {"user_id": id}});
        let path = |path: &str| json!({"request": {"path": path, "auth": {"user": {"user_id": "auth0|1"}}}});
        for (details, expected) in [
            (body(json!("1")), true),
            (body(json!("auth0|1")), true),
            (body(json!(null)), true),
            (body(json!("2")), false),
            (body(json!("auth0|2")), false),
            (body(json!("11")), false),
            (body(json!(2)), false),
            (body(json!({"id": "2"})), false),
            (json!({"request": {"body": {"user_id": "auth0|2"}}}), false),
            (path("/api/v2/users/auth0%7C2"), false),
            (path("/api/v2/users/auth0|2/identities"), false),
            (path("/api/v2/users/auth0%7C1"), true),
            (path("/api/v2/clients"), true),
        ] {
            let mut record = record(code, "1");
            record["data"]["details"] = details;
            let mapping = mapped(record.to_string());
            assert_eq!(!mapping.messages.is_empty(), expected, "{record}");
            assert_eq!(matches!(mapping.ignored[..], [Ignored::Unusable(_)]), !expected, "{record}");
        }
    }
}

#[test]
fn a_time_is_read_in_any_form_and_an_implausible_one_is_replaced() {
    for (date, expected, created_at) in [
        (json!("2026-11-21T07:59:00Z"), "2026-11-21T07:59:00.000Z", json!("2026-11-21T07:59:00.000Z")),
        (json!(1_795_247_940), "2026-11-21T07:59:00.000Z", json!("2026-11-21T07:59:00.000Z")),
        (json!(1_795_247_940_000_i64), "2026-11-21T07:59:00.000Z", json!("2026-11-21T07:59:00.000Z")),
        (json!(7), "2026-11-21T08:00:00.000Z", json!(null)),
        (json!("soon"), "2026-11-21T08:00:00.000Z", json!(null)),
        (json!(null), "2026-11-21T08:00:00.000Z", json!(null)),
    ] {
        let mut record = record("ss", "1");
        record["data"]["date"] = date.clone();
        let mapping = mapped(record.to_string());
        let identify = mapping.messages[0].message.as_object();
        assert_eq!(identify["timestamp"], expected, "{date}");
        assert_eq!(identify["traits"].get("createdAt").unwrap_or(&Value::Null), &created_at, "{date}");
        assert_eq!(mapping.times.len(), usize::from(created_at.is_null() && !date.is_null()), "{date}");
    }
}

#[test]
fn every_code_makes_the_tables_messages_or_is_ignored() {
    let known: BTreeMap<_, _> = MAPPED.iter().copied().collect();
    let codes = codes();
    assert!(known.keys().all(|code| codes.contains(code)));
    for code in codes {
        let mapping = mapped(json!([record(code, "1")]).to_string());
        match known.get(code) {
            Some(expected) => {
                assert_eq!(calls(&mapping), *expected, "{code}");
                assert_eq!(mapping.ignored, []);
            }
            // Without a description and a path it is unknown what a call was about.
            None => assert_eq!(mapping.ignored, [Ignored::EventType(code.to_owned())], "{code}"),
        }
    }
}

#[test]
fn all_codes_in_one_batch_are_separate_messages() {
    let batch: Vec<Value> = codes().into_iter().map(|code| record(code, code)).collect();
    let mapping = mapped(Value::from(batch).to_string());
    let expected: usize = MAPPED.iter().map(|(_, calls)| calls.len()).sum();
    let distinct: BTreeSet<_> = ids(&mapping).into_iter().collect();
    assert_eq!((mapping.messages.len(), distinct.len()), (expected, expected));
}

#[test]
fn every_code_tolerates_any_odd_member() {
    let odd =
        [json!(null), json!(7), json!("x"), json!([]), json!({}), json!([{}]), json!([[7]]), json!(true)];
    for code in codes() {
        for member in ["user_name", "date", "details", "description", "ip", "organization_id", "client_name"]
        {
            for value in &odd {
                let mut record = record(code, "1");
                record["data"][member] = value.clone();
                mapped(record.to_string());
            }
        }
    }
}

#[test]
fn a_login_without_a_prompt_is_none() {
    for (details, is_login) in [
        (json!({"prompts": []}), false),
        (json!({"prompts": [], "stats": {"loginsCount": 3}}), true),
        (json!({"prompts": [{"name": "login"}]}), true),
        (json!({}), true),
        (json!({"prompts": "none"}), true),
        (json!(null), true),
    ] {
        let mut record = record("s", "1");
        record["data"]["details"] = details.clone();
        let mapping = mapped(record.to_string());
        let left_out = matches!(mapping.ignored[..], [Ignored::LeftOut(_)]);
        assert_eq!((mapping.messages.len() == 1, left_out), (is_login, !is_login), "{details}");
        // Other codes have no prompts either.
        record["data"]["type"] = json!("slo");
        assert_eq!(calls(&mapped(record.to_string())), ["Signed Out"]);
    }
}

#[test]
fn a_delivery_that_is_repeated_or_replayed_makes_the_same_messages() {
    let array = sample_body("auth0.logs.array");
    let first = mapped(&array);
    let doubled: Value = serde_json::from_slice(&array).unwrap();
    let doubled = [doubled.as_array().unwrap().clone(), doubled.as_array().unwrap().clone()].concat();
    let twice = mapped(Value::from(doubled).to_string());
    assert_eq!(ids(&twice), [ids(&first), ids(&first)].concat());
    let distinct: BTreeSet<_> = ids(&first).into_iter().collect();
    assert_eq!(distinct.len(), first.messages.len());
}

#[test]
fn records_without_an_id_are_distinguished_by_their_content() {
    let record = |date| json!({"type": "s", "user_id": "auth0|1", "date": date});
    let batch = json!([
        record("2026-11-21T07:00:00Z"),
        record("2026-11-21T07:00:01Z"),
        record("2026-11-21T07:00:00Z")
    ]);
    let mapping = mapped(batch.to_string());
    let ids = ids(&mapping);
    assert_eq!((ids[0] == ids[1], ids[0] == ids[2]), (false, true));
}
