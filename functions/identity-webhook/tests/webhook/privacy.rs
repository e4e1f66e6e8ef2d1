//! Of every provider: what is marked as a credential, or stands where nothing is read, is neither sent nor logged.

use bytes::Bytes;
use http::Request;
use identity_webhook::{Config, addresses};
use proptest::{prelude::*, sample::Index};
use serde_json::{Value, json};

use crate::{
    log,
    properties::{block_on, credential_key, objects},
    support::{Recorder, Webhook, sample},
};

/// The JSON bodies of every provider that has an address, with that address.
fn bodies() -> Vec<(&'static str, Value)> {
    let folder = format!("{}/../../events/identity-webhook/bodies", env!("CARGO_MANIFEST_DIR"));
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let body = |name: String| {
        let address = addresses().into_iter().find(|address| name.starts_with(&address.replace('/', ".")));
        Some((address?, serde_json::from_slice(&sample(&format!("bodies/{name}"))).ok()?))
    };
    names.into_iter().filter_map(body).collect()
}

/// What is sent and logged of a body, by a handler that asks for no proof.
fn sent_and_logged(address: &str, body: &Value) -> (String, u16) {
    log::start();
    log::take();
    let mut config = Config::new("d");
    config.allow_unsigned = true;
    let webhook = Webhook::with(&json!({}), config, Recorder::default());
    let request = Request::post(format!("/identity/{address}")).header("content-type", "application/json");
    let (status, answer) = block_on(webhook.send(request.body(Bytes::from(body.to_string())).unwrap()));
    (format!("{}{answer}{}", webhook.topic.bodies().concat(), log::take()), status)
}

/// The free-form data of FusionAuth's users and registrations is sent on purpose.
fn is_free_form(address: &str, pointer: &str) -> bool {
    address == "fusionauth" && pointer.split('/').any(|segment| segment == "data")
}

#[test]
fn every_provider_has_bodies_here() {
    let bodies = bodies();
    for address in addresses() {
        assert!(bodies.iter().any(|(known, _)| *known == address), "{address}");
    }
}

#[test]
fn what_the_samples_mark_is_never_sent() {
    for (address, body) in bodies() {
        let (seen, status) = sent_and_logged(address, &body);
        assert_eq!(status, 200, "{address}");
        assert!(!seen.contains("never-send"), "{address} {seen}");
    }
}

proptest! {
    #[test]
    fn a_planted_credential_is_neither_sent_nor_logged(
        which in any::<Index>(),
        plants in prop::collection::vec((any::<Index>(), credential_key(), 0..3_usize), 1..8),
    ) {
        let (address, mut body) = which.get(&bodies()).clone();
        for (at, key, shape) in plants {
            let found = objects(&body);
            let value = [json!("planted"), json!(["planted"]), json!({"inner": {"x": "planted"}})][shape].clone();
            body.pointer_mut(at.get::<String>(&found)).unwrap().as_object_mut().unwrap().insert(key, value);
        }
        let (seen, _) = sent_and_logged(address, &body);
        prop_assert!(!seen.contains("planted"), "{} {}", address, seen);
    }

    #[test]
    fn what_nobody_asked_for_is_neither_sent_nor_logged(
        which in any::<Index>(),
        plants in prop::collection::vec((any::<Index>(), "zz[a-zA-Z_]{1,8}", 0..3_usize), 1..8),
    ) {
        let (address, mut body) = which.get(&bodies()).clone();
        for (at, key, shape) in plants {
            let mut found = objects(&body);
            found.retain(|pointer| !is_free_form(address, pointer));
            let value = [json!("planted"), json!(["planted"]), json!({"email": "planted"})][shape].clone();
            body.pointer_mut(at.get::<String>(&found)).unwrap().as_object_mut().unwrap().insert(key, value);
        }
        let (seen, _) = sent_and_logged(address, &body);
        prop_assert!(!seen.contains("planted"), "{} {}", address, seen);
    }
}
