//! The samples in `events/identity-webhook`, each against its golden answer. `GOLDEN=write` writes them anew.

use serde_json::{Value, json};

use crate::support::{Recorder, SECRET, Webhook, from_gateway, sample};

const SAMPLES: [&str; 13] = [
    "fusionauth.user.create.complete",
    "fusionauth.user.create.complete-by-api",
    "fusionauth.user.email.update",
    "fusionauth.user.update.complete",
    "fusionauth.user.update.complete-unchanged",
    "fusionauth.user.login.success",
    "fusionauth.user.login.success-social",
    "fusionauth.user.delete.complete",
    "fusionauth.user.deactivate",
    "fusionauth.user.registration.create.complete",
    "fusionauth.user.two-factor.failed-attempt",
    "fusionauth.group.member.add.complete",
    "fusionauth.unsigned",
];

fn gateway_event(name: &str) -> Value {
    serde_json::from_slice(&sample(&format!("{name}.json"))).unwrap()
}

#[tokio::test]
async fn every_sample_ends_as_its_golden_file_says() {
    for name in SAMPLES {
        let webhook = Webhook::signed();
        let (status, answer) = webhook.send(from_gateway(&gateway_event(name))).await;
        let outcome = json!({"status": status, "answer": answer, "published": webhook.topic.published()});

        let path = format!("{}/tests/golden/{name}.json", env!("CARGO_MANIFEST_DIR"));
        if std::env::var("GOLDEN").is_ok_and(|mode| mode == "write") {
            std::fs::write(&path, format!("{outcome:#}\n")).unwrap();
        }
        let golden = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let golden: Value = serde_json::from_slice(&golden).unwrap();
        assert_eq!(outcome, golden, "{name}\n{outcome:#}");
    }
}

#[test]
fn every_sample_is_listed_and_holds_the_body_that_lies_beside_it() {
    let folder = format!("{}/../../events/identity-webhook", env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let files = files.filter_map(|name| Some(name.to_str().unwrap().strip_suffix(".json")?.to_owned()));
    for name in files {
        assert!(SAMPLES.contains(&name.as_str()), "{name} is not tested");
        if name != "fusionauth.unsigned" {
            let request = from_gateway(&gateway_event(&name));
            assert_eq!(request.body(), &sample(&format!("bodies/{name}.json")), "{name}");
        }
    }
}

#[tokio::test]
async fn a_deactivated_user_is_deleted_where_that_is_enabled() {
    let mut config = identity_webhook::Config::new("d");
    config.deactivate_deletes = true;
    let secret = json!({"fusionauth": {"signingSecrets": SECRET}});
    let webhook = Webhook::with(&secret, config, Recorder::default());
    let request = from_gateway(&gateway_event("fusionauth.user.deactivate"));
    assert_eq!(webhook.send(request).await, (200, json!({"accepted": 1})));
    let message = &webhook.topic.published()[0]["message"];
    assert_eq!((&message["type"], message.get("traits")), (&json!("delete"), None));
}
