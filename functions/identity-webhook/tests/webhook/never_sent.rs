//! What must not leave, planted into the samples of every provider.

use std::path::Path;

use identity_webhook::{Config, Mapping, map};
use proptest::{prelude::*, sample::Index};
use serde_json::{Value, json};

use crate::{
    properties::{credential_key, json_value, objects, pointers},
    support::sample,
};

const PLANTED: &str = "planted-value";

/// Members that are a customer's own affair, or Okta's.
const PRIVATE: [&str; 3] = ["private_metadata", "unsafe_metadata", "debugContext"];

/// A provider's route and a body for it.
fn samples() -> Vec<(&'static str, Value)> {
    let mut samples = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
    for (folder, start, route) in [
        ("identity-webhook/bodies", "clerk.", "clerk"),
        ("identity-webhook/bodies", "okta.", "okta"),
        ("cognito-trigger", "", "cognito"),
    ] {
        for name in crate::samples::names(&format!("../../events/{folder}")) {
            if name.starts_with(start) {
                samples.push((
                    route,
                    serde_json::from_slice(&sample(&format!("../{folder}/{name}.json"))).unwrap(),
                ));
            }
        }
    }
    assert!(samples.len() > 10, "{}", folder.display());
    samples
}

fn published(route: &str, body: &Value) -> String {
    let Mapping { messages, .. } = map(route, body.to_string().as_bytes(), &Config::new("d"), None).unwrap();
    messages.iter().map(|mapped| mapped.message.as_json()).collect()
}

#[test]
fn what_the_samples_mark_stays() {
    for (route, body) in samples() {
        assert!(!published(route, &body).contains("never-send"), "{body:#}");
    }
}

proptest! {
    #[test]
    fn neither_credentials_nor_private_data_ever_leave(
        (route, body) in prop::sample::select(samples()),
        plants in prop::collection::vec((any::<Index>(), credential_key(), 0..6_usize), 1..6),
    ) {
        let mut body = body;
        for (at, key, shape) in plants {
            let found = objects(&body);
            let target = body.pointer_mut(at.get::<String>(&found)).unwrap().as_object_mut().unwrap();
            let value = [json!(PLANTED), json!([PLANTED]), json!({"inner": {"x": PLANTED}})][shape % 3].clone();
            match shape {
                0..3 => drop(target.insert(key, value)),
                _ => drop(target.insert(PRIVATE[shape - 3].to_owned(), json!({"id": value, "name": PLANTED}))),
            }
        }
        let published = published(route, &body);
        prop_assert!(!published.contains(PLANTED), "{}", published);
    }

    #[test]
    fn a_member_of_any_other_type_makes_no_panic_and_one_answer(
        (route, body) in prop::sample::select(samples()),
        changes in prop::collection::vec((any::<Index>(), json_value()), 1..6),
    ) {
        let mut body = body;
        for (at, value) in changes {
            let mut found = Vec::new();
            pointers(&body, "", &mut found);
            *body.pointer_mut(at.get::<String>(&found)).unwrap() = value;
        }
        let mapped = || map(route, body.to_string().as_bytes(), &Config::new("d"), None).ok();
        prop_assert_eq!(mapped(), mapped());
    }
}
