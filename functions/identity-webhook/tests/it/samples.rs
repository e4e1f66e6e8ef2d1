//! The samples in `events/identity-webhook`, each compared with its golden answer. `GOLDEN=write` writes the
//! golden files again.

use std::{collections::BTreeSet, path::Path};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::{BEARER, RecordingTopic, SECRET, Webhook, from_gateway, sample};

/// The secrets in `events/README.md`.
fn secrets() -> Value {
    json!({
        "fusionauth": {"signingSecrets": SECRET},
        "auth0": {"bearer": BEARER},
        "clerk": {"signingSecrets": "whsec_c2VndWUtc2FtcGxlLXNpZ25pbmctc2VjcmV0LWRvLW5vdC11c2U="},
        "okta": {"header": {"name": "Authorization", "value": "segue-sample-header-value-do-not-use"}},
        "keycloak": {"signingSecrets": "segue-sample-keycloak-secret-do-not-use"},
        "kinde": {"publicKeys": include_str!("../keys/test-rsa-2048-public.pem")},
        "logto": {"signingSecrets": "segue-sample-logto-key-do-not-use"},
        "ory": {"bearer": "segue-sample-ory-token-do-not-use"},
        "stytch": {"signingSecrets": "whsec_c2VndWUtc2FtcGxlLXN0eXRjaC1zZWNyZXQtZG8tbm90LXVzZQ=="},
        "supabase": {"bearer": "segue-sample-supabase-token-do-not-use"},
        "supabase-hook": {"signingSecrets": "v1,whsec_c2VndWUtc2FtcGxlLXN1cGFiYXNlLXNlY3JldC1kby1ub3QtdXNl"},
        "workos": {"signingSecrets": "segue-sample-workos-secret-do-not-use"},
    })
}

/// Returns the names of the files in a folder, without `.json`.
fn names(folder: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let names = files.filter_map(|name| Some(name.to_str().unwrap().strip_suffix(".json")?.to_owned()));
    names.collect()
}

fn gateway_event(name: &str) -> Value {
    serde_json::from_slice(&sample(&format!("{name}.json"))).unwrap()
}

/// Sends every sample, to fill the log.
pub async fn send_all() {
    for name in names("../../events/identity-webhook") {
        Webhook::new(&secrets()).send(from_gateway(&gateway_event(&name))).await;
    }
}

#[tokio::test]
async fn every_sample_ends_as_its_golden_file_says() {
    for name in names("../../events/identity-webhook") {
        let webhook = Webhook::new(&secrets());
        let (status, answer) = webhook.send(from_gateway(&gateway_event(&name))).await;
        let mut outcome = json!({"status": status, "answer": answer, "published": webhook.topic.published()});
        if answer["event"] == "login" {
            // A login has no id of its own, so its message id is random.
            outcome["published"][0]["message"]["messageId"] = json!("another each time");
        }

        let path = format!("{}/../../crates/identity/tests/golden/{name}.json", env!("CARGO_MANIFEST_DIR"));
        if std::env::var("GOLDEN").is_ok_and(|mode| mode == "write") {
            std::fs::write(&path, format!("{outcome:#}\n")).unwrap();
        }
        let golden = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let golden: Value = serde_json::from_slice(&golden).unwrap();
        assert_eq!(outcome, golden, "{name}\n{outcome:#}");
    }
}

#[test]
fn every_sample_with_a_body_has_its_body_file_and_nothing_is_left_over() {
    let samples = names("../../events/identity-webhook");
    assert_eq!(samples, names("../../crates/identity/tests/golden"));
    let bodies = names("../../events/identity-webhook/bodies");
    for name in &bodies {
        let request = from_gateway(&gateway_event(name));
        let mut body = request.body().to_vec();
        let mut file = sample(&format!("bodies/{name}.json"));
        if name.starts_with("kinde.") {
            // The file has the claims of the JWT.
            let claims = body.split(|byte| *byte == b'.').nth(1).unwrap();
            body = URL_SAFE_NO_PAD.decode(claims).unwrap();
            file = serde_json::from_slice::<Value>(&file).unwrap().to_string().into_bytes();
        }
        assert_eq!(body, file, "{name}");
    }
    let without: Vec<_> = samples.difference(&bodies).collect();
    assert_eq!(without, ["fusionauth.unsigned", "okta.verification"]);
}

#[tokio::test]
async fn a_deactivated_user_is_deleted_where_that_is_enabled() {
    let mut config = identity::Config::new("d");
    let mappings = r#"fusionauth.on."user.deactivate".delete = {}"#;
    config.mappings = identity::Mappings::with("test", mappings).unwrap();
    let secret = json!({"fusionauth": {"signingSecrets": SECRET}});
    let webhook = Webhook::with(&secret, config, RecordingTopic::default());
    let request = from_gateway(&gateway_event("fusionauth.user.deactivate"));
    assert_eq!(webhook.send(request).await, (200, json!({"accepted": 1})));
    let message = &webhook.topic.published()[0]["message"];
    assert_eq!((&message["type"], message.get("traits")), (&json!("delete"), None));
}
