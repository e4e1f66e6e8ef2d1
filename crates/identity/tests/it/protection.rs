//! `[fields]`: the protection of personal data never fails open. With a fault in it, nothing is sent.

use std::collections::BTreeSet;

use identity::{Config, HashKey, MapError, Mappings};
use serde_json::Value;

use crate::support::{bodies, hashed, map, messages, sample_body};

/// Returns the settings of a function that starts with this mapping, or why it does not start.
fn started(mapping: &str) -> Result<Config, String> {
    let variables = [("SEGUE_DEPLOYMENT", "stack"), ("MAPPINGS", mapping)];
    let read = |name: &str| Some(variables.iter().find(|(known, _)| *known == name)?.1.to_owned());
    Config::from_variables(read).map_err(|error| error.to_string())
}

#[test]
fn a_field_that_no_rule_sets_is_refused_with_the_nearest_name() {
    for (path, meant) in [
        ("traits.emial", Some("traits.email")),
        ("traits.Email", Some("traits.email")),
        ("properties.email", Some("traits.email")),
        ("traits.applicationId", Some("context.applicationId")),
        ("traits.registrations.usernme", Some("traits.registrations.username")),
        ("traits.registrations.0.username", Some("traits.registrations.username")),
        ("traits.email.domain", None),
        ("context.ipAddress", None),
        ("context.ipp", Some("context.ip")),
        ("context.device.nam", Some("context.device.name")),
        ("context.ip.last", None),
        ("userId.x", None),
        ("traits.socialSecurityNumber", None),
    ] {
        for action in ["drop", "hash", "mask"] {
            if path.starts_with("userId") && action != "hash" {
                continue;
            }
            let meant = meant.map(|meant| format!("; did you mean {meant:?}?")).unwrap_or_default();
            let expected = format!("MAPPINGS:2:1: no rule sets {path:?}, so this protects nothing{meant}");
            let error = started(&format!("[fields]\n'{path}' = '{action}'")).unwrap_err();
            assert!(error.ends_with(&expected), "{action}: {error} instead of {expected}");
        }
    }
}

#[test]
fn a_wildcard_for_the_items_of_a_list_is_refused_in_free_form_data_too() {
    for path in ["traits.data.*", "traits.data.list[].ssn", "traits.data.list.0.ssn", "traits.data.list.[*]"]
    {
        let error = started(&format!("[fields]\n'{path}' = 'drop'")).unwrap_err();
        assert!(error.contains("MAPPINGS:2:1: a path has only names"), "{path}: {error}");
    }
    assert!(started("[fields]\n'traits.data.list.ssn' = 'drop'").is_ok());
}

#[test]
fn a_field_of_the_users_own_rule_can_be_protected() {
    let rules = r#"
        [fusionauth.on."user.create.complete"]
        identify = { traits = { crm = "event.user.data.crm", plan = { value = { name = "pro", tags = [{ a = 1 }] } },
          home = "profile.registrations.0.data", role = "profile.registrations.0.roles" } }
        [clerk.on."user.updated"]
        identify = { traits = ["user", { all = "profile.publicMetadata", org = "profile.organization" }] }
    "#;
    for (path, known) in [
        ("traits.crm", true),
        ("traits.crm.number", true),
        ("traits.plan.name", true),
        ("traits.plan.tags.a", true),
        ("traits.plan.nam", false),
        ("traits.home.street", true),
        ("traits.role.x", false),
        ("traits.all.ssn", true),
        ("traits.org.slug", true),
        ("traits.org.owner", false),
        ("traits.data.anything.at.all", true),
        ("traits.registrations.data.anything", true),
        ("traits", true),
        ("groupId", true),
    ] {
        let action = if path == "groupId" { "hash" } else { "drop" };
        let mapping = started(&format!("{rules}\n[fields]\n'{path}' = '{action}'"));
        assert_eq!(mapping.is_ok(), known, "{path}: {:?}", mapping.err());
    }
}

/// Lists every path in a value, with quotes around a part that needs them.
fn paths(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| paths(item, path, found)),
        Value::Object(object) => {
            for (name, value) in object {
                let name = if name.contains('.') { format!("\"{name}\"") } else { name.clone() };
                let below = format!("{path}.{name}");
                paths(value, &below, found);
                found.insert(below);
            }
        }
        _ => {}
    }
}

#[test]
fn every_field_of_a_samples_messages_can_be_protected() {
    let mut found = BTreeSet::new();
    for (route, body) in bodies() {
        let mapping = map(route, body.to_string(), &Config::new("d")).unwrap();
        for mapped in mapping.messages {
            for part in ["traits", "properties", "context"] {
                paths(mapped.message.get(part).unwrap_or(&Value::Null), part, &mut found);
            }
        }
    }
    assert!(found.len() > 80, "{found:?}");
    let fields: String = found.iter().map(|path| format!("'{path}' = 'drop'\n")).collect();
    if let Err(error) = Mappings::with("all", &format!("[fields]\n{fields}")) {
        panic!("{error}");
    }
}

#[test]
fn with_a_hash_and_no_key_no_message_is_made() {
    let config = started("fields.userId = 'hash'\nfields.'traits.email' = 'hash'").unwrap();
    for (route, body) in bodies() {
        let would_send = !map(route, body.to_string(), &Config::new("d")).unwrap().messages.is_empty();
        let result = map(route, body.to_string(), &config);
        assert_eq!(matches!(result, Err(MapError::NoHashKey)), would_send, "{route}");
    }
}

#[test]
fn a_protected_field_is_sent_protected() {
    let config = started("fields.'traits.email' = 'hash'\nfields.'traits.verified' = 'mask'").unwrap();
    let (key, body) = (HashKey::new("0kZ8vTq3RrWm5yXc7Lp2"), sample_body("fusionauth.user.create.complete"));
    let mapping = hashed("fusionauth", body, &config, Some(&key)).unwrap();
    let traits = &messages(&mapping)[0]["traits"];
    assert_eq!(traits["email"].as_str().unwrap().len(), 64);
    assert_eq!(traits["verified"], "***");
    assert!(!mapping.messages[0].message.as_json().contains("annika@example.com"));
}

#[test]
fn a_misspelled_event_type_is_reported_with_the_nearest_name() {
    for (event_type, doubt) in [
        ("fusionauth.on.'user.login.succes'", Some("did you mean \"user.login.success\"?")),
        ("fusionauth.on.'user.twofactor.succes'", Some("did you mean \"user.two-factor.success\"?")),
        ("fusionauth.on.'game.over'", Some("check its spelling")),
        ("fusionauth.on.'user.password.breach'", None),
        ("auth0.logs.on.gd_unenrol", Some("did you mean \"gd_unenroll\"?")),
        ("auth0.logs.on.limit_wc", None),
        ("auth0.logs.on.'sapi Create a Usr'", Some("did you mean \"sapi Create a User\"?")),
        ("auth0.logs.on.'sapi Create a Role'", None),
        ("auth0.events.on.'user.create'", Some("did you mean \"user.created\"?")),
        ("clerk.on.'user.update'", Some("did you mean \"user.updated\"?")),
        ("okta.on.'user.lifecycle.deactivate'", None),
        ("okta.on.'user.lifecycle.deactivte'", Some("did you mean \"user.lifecycle.deactivate\"?")),
        ("okta.on.'system.api_token.create'", None),
        (
            "cognito.on.PostConfirmation_ConfirmSignup",
            Some("did you mean \"PostConfirmation_ConfirmSignUp\"?"),
        ),
    ] {
        let mappings = Mappings::with("mine.toml", &format!("{event_type}.track = {{}}")).unwrap();
        let warnings: Vec<String> = mappings.warnings().collect();
        assert_eq!(warnings.len(), usize::from(doubt.is_some()), "{warnings:?}");
        assert!(warnings.iter().all(|warning| warning.ends_with(doubt.unwrap())), "{warnings:?}");
    }
    let mappings = Mappings::with("mine.toml", "\n[clerk]\non.'user.update'.track = {}").unwrap();
    let expected =
        "mine.toml:3:4: clerk is not known to send \"user.update\"; did you mean \"user.updated\"?";
    assert_eq!(mappings.warnings().collect::<Vec<_>>(), [expected]);
}

/// The event that was meant would still be sent.
#[test]
fn ignoring_a_misspelled_event_type_is_refused() {
    let error = started("fusionauth.on.'user.login.succes'.ignore = true").unwrap_err();
    assert!(
        error.contains("MAPPINGS:1:15: ") && error.ends_with("did you mean \"user.login.success\"?"),
        "{error}"
    );
    assert!(started("fusionauth.on.'user.password.breach'.ignore = true").is_ok());
}

#[test]
fn doubtful_settings_are_reported() {
    let config = started("fields.userId = 'hash'\nclerk.on.'user.update'.track = {}").unwrap();
    for (key, expected) in
        [(None, "the identity secret has no hashKey"), (Some("hush"), "hashKey has fewer than 16 characters")]
    {
        let doubts = config.mappings.setting_warnings(key.map(HashKey::new).as_ref()).concat();
        assert!(doubts.contains(expected) && doubts.contains("did you mean \"user.updated\"?"), "{doubts}");
        assert!(!doubts.contains("hush"), "{doubts}");
    }
}
