//! Of every provider, found by the names of the samples: what is marked as a credential, or stands where nothing is
//! read, is neither sent nor logged, and nothing odd in a body ends in a server error.

use bytes::Bytes;
use http::Request;
use identity_webhook::{Config, addresses, map};
use proptest::{prelude::*, sample::Index};
use serde_json::{Value, json};

use crate::{
    log,
    properties::{block_on, credential_key, json_value, objects, pointers},
    samples::names,
    support::{Recorder, Webhook, now, sample},
};

/// Members that are a customer's own affair, or the provider's.
const PRIVATE: [&str; 4] = ["private_metadata", "unsafe_metadata", "app_metadata", "debugContext"];

/// The JSON bodies of every provider with its route.
pub fn bodies() -> Vec<(&'static str, Value)> {
    let mut bodies = Vec::new();
    for name in names("../../events/identity-webhook/bodies") {
        let route = addresses().into_iter().find(|address| name.starts_with(&address.replace('/', ".")));
        // One of them is not JSON but has it on each line.
        let Ok(body) = serde_json::from_slice(&sample(&format!("bodies/{name}.json"))) else { continue };
        bodies.push((route.unwrap_or_else(|| panic!("{name} is of no provider")), body));
    }
    for name in names("../../events/cognito-trigger") {
        let body = sample(&format!("../cognito-trigger/{name}.json"));
        bodies.push(("cognito", serde_json::from_slice(&body).unwrap()));
    }
    bodies
}

/// What is sent, answered and logged of a body, by a handler that asks for no proof.
fn sent_and_logged(route: &str, body: &Value) -> (String, u16) {
    let mut config = Config::new("d");
    if !addresses().contains(&route) {
        let mapping = map(route, body.to_string().as_bytes(), &config, None, now());
        let messages = mapping.as_ref().map_or(&[][..], |mapping| &mapping.messages);
        let sent: String = messages.iter().map(|mapped| mapped.message.as_json()).collect();
        return (format!("{sent}{:?}", mapping.err()), 200);
    }
    log::start();
    log::take();
    config.allow_unsigned = true;
    let webhook = Webhook::with(&json!({}), config, Recorder::default());
    let request = Request::post(format!("/identity/{route}")).header("content-type", "application/json");
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
        assert!(bodies.iter().any(|(route, _)| *route == address), "{address}");
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
        plants in prop::collection::vec((any::<Index>(), credential_key(), 0..7_usize), 1..8),
    ) {
        let (address, mut body) = which.get(&bodies()).clone();
        for (at, key, shape) in plants {
            let mut found = objects(&body);
            found.retain(|pointer| shape < 3 || !is_free_form(address, pointer));
            let values = [json!("planted"), json!(["planted"]), json!({"inner": {"x": "planted"}})];
            let (key, value) = match shape {
                0..3 => (key, values[shape].clone()),
                _ => (PRIVATE[shape - 3].to_owned(), json!({"id": "planted", "email": "planted", "name": values})),
            };
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

    #[test]
    fn a_member_of_any_other_type_makes_no_server_error(
        which in any::<Index>(),
        changes in prop::collection::vec((any::<Index>(), json_value()), 1..6),
    ) {
        let (route, mut body) = which.get(&bodies()).clone();
        for (at, value) in changes {
            let mut found = Vec::new();
            pointers(&body, "", &mut found);
            *body.pointer_mut(at.get::<String>(&found)).unwrap() = value;
        }
        let (seen, status) = sent_and_logged(route, &body);
        prop_assert!(matches!(status, 200 | 400 | 422), "{} {} {}", route, status, seen);
    }
}
