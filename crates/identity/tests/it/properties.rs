//! Properties of every input: arbitrary bytes, and samples with changed parts.

use identity::{Config, credentials};
use proptest::{prelude::*, sample::Index};
use serde_json::{Map, Value, json};

use crate::support::{map, sample_body, with_mapping};

const BODIES: [&str; 6] = [
    "user.create.complete",
    "user.email.update",
    "user.update.complete",
    "user.login.success",
    "user.delete.complete",
    "user.registration.create.complete",
];

fn config() -> Config {
    with_mapping(r#"fusionauth.on."user.deactivate".delete = {}"#)
}

/// Generates a sample with some bytes overwritten, removed or doubled.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((any::<Index>(), any::<u8>(), 0..4_u8), 1..8);
    (prop::sample::select(BODIES.to_vec()), changes).prop_map(|(name, changes)| {
        let mut body = sample_body(&format!("fusionauth.{name}"));
        for (at, byte, how) in changes {
            if body.is_empty() {
                break;
            }
            let at = at.index(body.len());
            match how {
                0 => body[at] = byte,
                1 => drop(body.remove(at)),
                2 => body.insert(at, byte),
                _ => body.truncate(at.max(1)),
            }
        }
        body
    })
}

/// Generates any JSON value of some depth.
pub fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec(("[a-zA-Z_]{1,8}", inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Lists the values of a document, as JSON pointers.
pub fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(object) => {
            let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
            object.iter().for_each(|(key, value)| pointers(value, &format!("{at}/{}", escaped(key)), found));
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, value)| pointers(value, &format!("{at}/{index}"), found));
        }
        _ => {}
    }
}

/// Generates a key that names a credential, in some spelling.
pub fn credential_key() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        vec!["password"],
        vec!["new", "password"],
        vec!["access", "token"],
        vec!["refresh", "token"],
        vec!["api", "key"],
        vec!["client", "secret"],
        vec!["recovery", "codes"],
        vec!["one", "time", "code"],
        vec!["authorization"],
        vec!["salt"],
        vec!["private", "key", "pem"],
        vec!["pin"],
        vec!["card", "cvv"],
        vec!["session", "token"],
        vec!["authentication", "token"],
        vec!["set", "cookie"],
        vec!["passwd"],
        vec!["mfa", "secret"],
        vec!["otp"],
        vec!["tokens"],
    ]);
    (words, 0..5_usize).prop_map(|(words, spelling)| match spelling {
        0 => words.join("_"),
        1 => words.join("-").to_uppercase(),
        2 => words.join(" "),
        3 => words.concat(),
        _ => words.iter().map(|word| word[..1].to_uppercase() + &word[1..]).collect(),
    })
}

/// Returns the objects of a document, as JSON pointers.
pub fn objects(body: &Value) -> Vec<String> {
    let mut found = Vec::new();
    pointers(body, "", &mut found);
    found.retain(|pointer| body.pointer(pointer).is_some_and(Value::is_object));
    found
}

proptest! {
    #[test]
    fn no_body_makes_the_mapper_panic(body in prop_oneof![prop::collection::vec(any::<u8>(), 0..200), damaged()]) {
        let first = map("fusionauth", &body, &config()).ok();
        prop_assert_eq!(first, map("fusionauth", &body, &config()).ok(), "mapping is deterministic");
    }

    #[test]
    fn stripping_leaves_nothing_to_strip_and_keeps_the_rest(value in json_value()) {
        let mut once = json!({"kept": value, "apiKey": "x"});
        credentials::strip(&mut once);
        let mut twice = once.clone();
        credentials::strip(&mut twice);
        prop_assert_eq!(&once, &twice);
        prop_assert_eq!(once.get("apiKey"), None);
        prop_assert!(once.get("kept").is_some());
    }

    #[test]
    fn free_form_data_is_sent_as_received(data in json_value()) {
        let mut expected = json!({"data": data});
        credentials::strip(&mut expected);
        let body = json!({"type": "user.create.complete", "user": {"id": "u", "data": data}});
        let messages = map("fusionauth", body.to_string(), &config()).unwrap().messages;
        let traits = messages[0].message.get("traits").and_then(Value::as_object).cloned();
        let data = expected["data"].as_object().filter(|data| !data.is_empty()).map(|_| expected["data"].clone());
        let expected: Map<_, _> = data.map(|data| ("data".to_owned(), data)).into_iter().collect();
        prop_assert_eq!(traits, Some(expected));
    }
}
