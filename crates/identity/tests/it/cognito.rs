//! Cognito's triggers, in a dry run: they have no address.

use identity::Config;
use serde_json::{Value, json};

use crate::support::{self, map, mapped, outline, segment_naming, with_mapping};

fn trigger(source: &str) -> Value {
    json!({"triggerSource": source, "userName": "u1", "request": {"userAttributes": {"sub": "u1"}},
        "invocation": {"id": "r1", "time": "2026-11-21T08:00:00.000Z"}})
}

#[test]
fn every_trigger_makes_the_mappings_messages() {
    for (source, segment) in [
        ("PostConfirmation_ConfirmSignUp", vec!["identify u1", "track u1 Signed Up"]),
        ("PostConfirmation_ConfirmForgotPassword", vec!["track u1 PostConfirmation_ConfirmForgotPassword"]),
        ("PostAuthentication_Authentication", vec!["identify u1", "track u1 Signed In"]),
        ("PreSignUp_SignUp", vec![]),
        ("PreSignUp_AdminCreateUser", vec![]),
        ("PreSignUp_ExternalProvider", vec![]),
        ("PreAuthentication_Authentication", vec![]),
        ("TokenGeneration_RefreshTokens", vec![]),
        ("TokenGeneration_HostedAuth", vec![]),
        ("CustomMessage_ForgotPassword", vec![]),
        ("UserMigration_Authentication", vec![]),
    ] {
        assert_eq!(outline("cognito", &trigger(source), &segment_naming()), segment, "{source}");
        let provider = outline("cognito", &trigger(source), &Config::new("d"));
        assert_eq!(provider.len(), segment.len());
        let own = provider.iter().filter(|message| message.starts_with("track"));
        own.for_each(|message| assert_eq!(message, &format!("track u1 {source}")));
    }
}

#[test]
fn attributes_become_traits_of_their_own_types() {
    for (attributes, expected) in [
        (
            json!({"email_verified": "true", "phone_number_verified": "false"}),
            json!({"emailVerified": true, "phoneVerified": false}),
        ),
        (json!({"email_verified": true, "phone_number_verified": "maybe"}), json!({"emailVerified": true})),
        (
            json!({"given_name": "Ines", "family_name": " ", "custom:plan": "team", "address": "x"}),
            json!({"firstName": "Ines"}),
        ),
        (
            json!({"email": 7, "locale": "pt-PT", "picture": "https://x.example/i.png"}),
            json!({"avatar": "https://x.example/i.png", "locale": "pt-PT"}),
        ),
    ] {
        let mut event = trigger("PostConfirmation_ConfirmSignUp");
        event["request"]["userAttributes"] = attributes.clone();
        event["request"]["userAttributes"]["sub"] = json!("u1");
        assert_eq!(mapped("cognito", &event, &Config::new("d")).0[0]["traits"], expected, "{attributes}");
        event["userName"] = json!("ines");
        assert_eq!(mapped("cognito", &event, &Config::new("d")).0[0]["traits"]["username"], "ines");
    }
}

#[test]
fn a_custom_attribute_is_sent_where_a_rule_names_it() {
    let mut event = trigger("PostAuthentication_Authentication");
    event["request"]["userAttributes"]["custom:plan"] = json!("team");
    let own = r#"cognito.on.PostAuthentication_Authentication.identify = { traits = { plan = 'event.request.userAttributes."custom:plan"' } }"#;
    let config = with_mapping(own);
    assert_eq!(mapped("cognito", &event, &config).0[0]["traits"], json!({"plan": "team"}));
}

#[test]
fn a_repeated_sign_up_is_one_message_and_each_login_is_another() {
    let ids = |source: &str, user: &str, invocation: Value| {
        let mut event = trigger(source);
        event["request"]["userAttributes"]["sub"] = json!(user);
        event["invocation"] = invocation;
        let mapping = map("cognito", event.to_string(), &Config::new("d")).unwrap();
        support::ids(&mapping).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let (first, second) =
        (json!({"id": "r1", "time": "2026-11-21"}), json!({"id": "r2", "time": "2026-11-22"}));
    let sign_up = "PostConfirmation_ConfirmSignUp";
    assert_eq!(ids(sign_up, "u1", first.clone()), ids(sign_up, "u1", second.clone()));
    assert_ne!(ids(sign_up, "u1", first.clone()), ids(sign_up, "u2", first.clone()));
    let login = "PostAuthentication_Authentication";
    assert_eq!(ids(login, "u1", first.clone()), ids(login, "u1", first.clone()));
    assert_ne!(ids(login, "u1", first.clone()), ids(login, "u1", second));
    assert_ne!(
        ids(login, "u1", first)[0],
        ids(login, "u1", json!(null))[0],
        "without an id, the body identifies it"
    );
}

#[test]
fn the_time_comes_from_the_function() {
    let mut event = trigger("PostAuthentication_Authentication");
    let time = |event: &Value| mapped("cognito", event, &Config::new("d")).0[0]["timestamp"].clone();
    assert_eq!(time(&event), "2026-11-21T08:00:00.000Z");
    event["invocation"]["time"] = json!("2026-11-21T07:59:59Z");
    assert_eq!(time(&event), "2026-11-21T07:59:59.000Z");
}
