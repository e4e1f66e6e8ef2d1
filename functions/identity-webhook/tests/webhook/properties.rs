//! What holds for every input: arbitrary bytes, and the samples with pieces changed.

use bytes::Bytes;
use identity_webhook::{Config, Mappings, credentials, map};
use proptest::{prelude::*, sample::Index};
use serde_json::{Map, Value, json};

use crate::support::{HEADER, SECRET, Webhook, now, request, sample_body, signed, with_header};

const BODIES: [&str; 6] = [
    "user.create.complete",
    "user.email.update",
    "user.update.complete",
    "user.login.success",
    "user.delete.complete",
    "user.registration.create.complete",
];

fn config() -> Config {
    let mut config = Config::new("d");
    config.mappings = Mappings::with("test", r#"fusionauth.on."user.deactivate".delete = {}"#).unwrap();
    config
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// A sample with some bytes overwritten, removed or doubled.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((any::<Index>(), any::<u8>(), 0..4_u8), 1..8);
    (prop::sample::select(BODIES.to_vec()), changes).prop_map(|(name, changes)| {
        let mut body = sample_body(name);
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

/// Any JSON value of some depth.
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

/// Where the values of a document are, as JSON pointers.
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

/// A sample with some values replaced by others of any type.
fn mistyped() -> impl Strategy<Value = Value> {
    let changes = prop::collection::vec((any::<Index>(), json_value()), 1..6);
    (prop::sample::select(BODIES.to_vec()), changes).prop_map(|(name, changes)| {
        let mut body: Value = serde_json::from_slice(&sample_body(name)).unwrap();
        for (at, value) in changes {
            let mut found = Vec::new();
            pointers(&body, "", &mut found);
            *body.pointer_mut(at.get::<String>(&found)).unwrap() = value;
        }
        body
    })
}

/// A key that names a credential, in some spelling.
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

/// The objects of a document, by their pointers.
pub fn objects(body: &Value) -> Vec<String> {
    let mut found = Vec::new();
    pointers(body, "", &mut found);
    found.retain(|pointer| body.pointer(pointer).is_some_and(Value::is_object));
    found
}

proptest! {
    #[test]
    fn no_body_makes_the_mapper_panic(body in prop_oneof![prop::collection::vec(any::<u8>(), 0..200), damaged()]) {
        let first = map("fusionauth", &body, &config(), None, now()).ok();
        prop_assert_eq!(first, map("fusionauth", &body, &config(), None, now()).ok(), "mapping is deterministic");
    }

    #[test]
    fn a_mistyped_member_never_ends_in_a_server_error(body in mistyped()) {
        let webhook = Webhook::signed();
        let (status, answer) = block_on(webhook.send(signed(body.to_string())));
        prop_assert!(matches!(status, 200 | 400 | 422), "{} {}", status, answer);
        let accepted = answer["accepted"].as_u64().unwrap_or_default();
        prop_assert_eq!(webhook.topic.bodies().len() as u64, accepted);
    }

    #[test]
    fn no_credential_ever_leaves(
        name in prop::sample::select(BODIES.to_vec()),
        plants in prop::collection::vec((any::<Index>(), credential_key(), 0..3_usize), 1..6),
    ) {
        let mut body: Value = serde_json::from_slice(&sample_body(name)).unwrap();
        for (at, key, shape) in plants {
            let found = objects(&body);
            let target = body.pointer_mut(at.get::<String>(&found)).unwrap();
            let planted = "planted-credential";
            let value = [json!(planted), json!([planted]), json!({"inner": {"x": planted}})][shape].clone();
            target.as_object_mut().unwrap().insert(key, value);
        }
        let webhook = Webhook::signed();
        block_on(webhook.send(signed(body.to_string())));
        for published in webhook.topic.bodies() {
            prop_assert!(!published.contains("planted-credential"), "{}", published);
        }
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
    fn a_damaged_token_is_never_accepted(
        changes in prop::collection::vec((any::<Index>(), "[A-Za-z0-9_.=-]", 0..3_u8), 1..4),
    ) {
        let body = sample_body("user.login.success");
        let genuine = signed(body.clone()).headers()[HEADER].to_str().unwrap().to_owned();
        let mut token = genuine.clone();
        for (at, character, how) in changes {
            let at = at.index(token.len());
            match how {
                0 => token.replace_range(at..=at, &character),
                1 => token.insert_str(at, &character),
                _ => token.truncate(at.max(1)),
            }
        }
        prop_assume!(token != genuine);
        let webhook = Webhook::signed();
        prop_assert_eq!(block_on(webhook.send(with_header(request(body), HEADER, &token))).0, 401);
        prop_assert!(webhook.topic.bodies().is_empty());
    }

    #[test]
    fn any_header_and_any_body_without_the_secret_are_refused(
        header in "[ -~]{0,300}",
        body in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        prop_assume!(!header.contains(SECRET));
        let webhook = Webhook::signed();
        let request = with_header(request(Bytes::from(body)), HEADER, &header);
        prop_assert_eq!(block_on(webhook.send(request)).0, 401);
    }

    #[test]
    fn a_message_keeps_the_free_form_data_as_it_came(data in json_value()) {
        let mut expected = json!({"data": data});
        credentials::strip(&mut expected);
        let body = json!({"type": "user.create.complete", "user": {"id": "u", "data": data}});
        let messages = map("fusionauth", body.to_string().as_bytes(), &config(), None, now()).unwrap().messages;
        let traits = messages[0].message.get("traits").and_then(Value::as_object).cloned();
        let data = expected["data"].as_object().filter(|data| !data.is_empty()).map(|_| expected["data"].clone());
        let expected: Map<_, _> = data.map(|data| ("data".to_owned(), data)).into_iter().collect();
        prop_assert_eq!(traits, Some(expected));
    }
}
