//! The bodies of `events/identity-webhook`, each compared with the messages in its golden file. The tests of
//! the function `identity-webhook` write these files, because they also contain its answers.

use identity::{Config, Providers};
use serde_json::{Value, json};

use crate::support::{map, samples};

const DEPLOYMENT: &str = "arn:aws:cloudformation:eu-west-1:123456789012:stack/segue/sample";

#[test]
fn every_body_makes_the_messages_in_its_golden_file() {
    // The ledger decides about a login, and only the function asks it.
    for (route, name, body) in samples() {
        if Providers::built_in().at_address(route).is_none_or(|provider| provider.route == "auth0/login") {
            continue;
        }
        let path = format!("{}/tests/golden/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let golden: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let mapping = map(route, body, &Config::new(DEPLOYMENT)).unwrap();
        let one =
            |one: &identity::Mapped| json!({"writeKey": one.write_key, "message": one.message.as_object()});
        let published: Vec<Value> = mapping.messages.iter().map(one).collect();
        assert_eq!(Value::from(published), golden["published"], "{name}");
    }
}
