//! For every provider with samples: a member that is marked as a credential, or that nothing reads, is
//! neither sent nor quoted in a reason. No odd value in a body is reported as a fault of the settings.

use identity::{Config, MapError, Providers};
use proptest::{prelude::*, sample::Index};
use serde_json::json;

use crate::{
    properties::{credential_key, json_value, objects, pointers},
    support::{bodies, map, seen},
};

/// Members that are internal to a customer or the provider.
const PRIVATE: [&str; 4] = ["private_metadata", "unsafe_metadata", "app_metadata", "debugContext"];

/// The free-form data of FusionAuth's users and registrations is sent on purpose.
fn is_free_form(address: &str, pointer: &str) -> bool {
    address == "fusionauth" && pointer.split('/').any(|segment| segment == "data")
}

#[test]
fn every_provider_has_samples_here() {
    let bodies = bodies();
    for provider in Providers::built_in().all() {
        assert!(bodies.iter().any(|(route, _)| *route == provider.route), "{}", provider.route);
    }
}

#[test]
fn values_that_the_samples_mark_are_never_sent() {
    for (route, body) in bodies() {
        let seen = seen(route, &body);
        assert!(!seen.contains("never-send"), "{route} {seen}");
    }
}

proptest! {
    #[test]
    fn a_planted_credential_is_nowhere(
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
        let seen = seen(address, &body);
        prop_assert!(!seen.contains("planted"), "{} {}", address, seen);
    }

    #[test]
    fn a_member_that_no_rule_reads_is_nowhere(
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
        let seen = seen(address, &body);
        prop_assert!(!seen.contains("planted"), "{} {}", address, seen);
    }

    #[test]
    fn a_member_of_any_other_type_is_at_most_refused(
        which in any::<Index>(),
        changes in prop::collection::vec((any::<Index>(), json_value()), 1..6),
    ) {
        let (route, mut body) = which.get(&bodies()).clone();
        for (at, value) in changes {
            let mut found = Vec::new();
            pointers(&body, "", &mut found);
            *body.pointer_mut(at.get::<String>(&found)).unwrap() = value;
        }
        let error = map(route, body.to_string(), &Config::new("d")).err();
        prop_assert!(matches!(error, None | Some(MapError::Json(_) | MapError::NotAJwt | MapError::Unusable(_))), "{} {:?}", route, error);
    }
}
