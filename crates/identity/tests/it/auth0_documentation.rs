//! The examples in docs/auth0.md are right.

use identity::Config;
use serde_json::{Value, json};

use crate::{
    auth0_events::TYPES,
    auth0_logs::MAPPED,
    support::{map, with_mapping},
};

const PAGE: &str = include_str!("../../../../docs/auth0.md");

/// Returns the blocks of code in a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let block = |text: &'static str| text.split_once("```").map(|(block, _)| block);
    PAGE.split(&format!("```{language}\n")).skip(1).filter_map(block).collect()
}

#[test]
fn it_names_every_mapped_type() {
    for (name, calls) in MAPPED.iter().chain(TYPES) {
        let short = format!("….{}`", name.rsplit('.').next().unwrap_or_default());
        let is_named = PAGE.contains(&format!("`{name}`")) || name.contains('.') && PAGE.contains(&short);
        assert!(is_named || calls.is_empty(), "{name}");
    }
}

#[test]
fn its_mappings_work_as_described() {
    let login =
        json!({"user": {"user_id": "auth0|1"}, "client": {"name": "Shop"}, "stats": {"logins_count": 2}});
    let sent = |mine: &str| {
        let config = with_mapping(mine);
        let mapping = map("auth0/login", login.to_string(), &config).unwrap();
        Value::Object(mapping.messages[0].message.as_object().clone())
    };
    let [everywhere, renamed] = blocks("toml")[..] else { panic!("there are two") };
    assert_eq!(sent("")["integrations"], json!({"All": false}));
    assert_eq!(sent(everywhere).get("integrations"), None);
    assert_eq!(sent(renamed)["event"], "Logged in");
    assert_eq!(sent(renamed)["properties"], json!({"application": "Shop"}));
}

#[test]
fn the_body_that_its_action_posts_is_understood() {
    // Without the undefined members, as the Action leaves them out.
    let body = json!({
        "user": {"user_id": "auth0|1", "app_metadata": {}},
        "request": {"ip": "203.0.113.7", "user_agent": "Mozilla/5.0", "query": {}},
        "client": {"name": "Shop"},
        "stats": {"logins_count": 1},
        "transaction": {"protocol": "oidc-basic-profile", "prompt": []},
    });
    for member in
        ["user_id", "signedUp", "ip", "user_agent", "query", "name", "logins_count", "protocol", "prompt"]
    {
        assert!(blocks("js")[0].contains(&format!("{member}:")), "{member}");
    }
    let mapping = map("auth0/login", body.to_string(), &Config::new("d")).unwrap();
    let message = mapping.messages[0].message.as_object();
    let expected = json!({"application": "Shop", "ip": "203.0.113.7", "agent": "Mozilla/5.0"});
    assert_eq!((&message["event"], &message["properties"]), (&json!("signup"), &expected));
}
