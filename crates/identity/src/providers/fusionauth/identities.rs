//! `identities`, with which users of newer versions of FusionAuth log in. Such users may have no `email`,
//! `phoneNumber` and `username` outside it.

use serde_json::{Map, Value};

use crate::{members::text, providers::shared::only_one};

/// Adds the traits that only the identities hold.
pub(super) fn insert_missing(user: &Map<String, Value>, traits: &mut Map<String, Value>) {
    for (kind, name) in [("email", "email"), ("phoneNumber", "phone"), ("username", "username")] {
        if !traits.contains_key(name)
            && let Some(value) = of_kind(user, kind)
        {
            traits.insert(name.to_owned(), value.into());
        }
    }
}

/// Returns the primary identity of this kind, or the only one.
fn of_kind<'a>(user: &'a Map<String, Value>, kind: &str) -> Option<&'a str> {
    let identities = user.get("identities")?.as_array()?.iter().filter_map(Value::as_object);
    let is_of_kind = |name: &str| name.eq_ignore_ascii_case(kind);
    let identities: Vec<_> =
        identities.filter(|identity| text(identity, "type").is_some_and(is_of_kind)).collect();
    let login = |identity: &&'a Map<String, Value>| {
        // The user's own spelling. The value is in lower case.
        let shown = text(identity, "displayValue").filter(|_| kind == "username");
        Some((shown.or_else(|| text(identity, "value"))?, flag(identity, "verified")))
    };
    let primary = identities.iter().filter(|identity| flag(identity, "primary"));
    only_one(primary.filter_map(login)).or_else(|| only_one(identities.iter().filter_map(login)))
}

fn flag(identity: &Map<String, Value>, name: &str) -> bool {
    identity.get(name) == Some(&Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn users_with_only_identities_get_their_addresses_from_there() {
        let identity = |kind: &str, value: &str, primary: bool, verified: bool| json!({"type": kind, "value": value, "primary": primary, "verified": verified});
        for (user, expected) in [
            (
                json!({"identities": [identity("email", "a@example.com", true, true), identity("phoneNumber", "+4520123456", true, false),
                    {"type": "username", "value": "ada", "displayValue": "Ada", "primary": true}]}),
                json!({"email": "a@example.com", "phone": "+4520123456", "username": "Ada"}),
            ),
            (
                json!({"identities": [identity("email", "a@example.com", false, true), identity("email", "b@example.com", true, false)]}),
                json!({"email": "b@example.com"}),
            ),
            (
                json!({"identities": [identity("email", "a@example.com", false, false)]}),
                json!({"email": "a@example.com"}),
            ),
            (
                json!({"identities": [identity("email", "a@example.com", false, false), identity("email", "b@example.com", false, false)]}),
                json!({}),
            ),
            (
                json!({"email": "u@example.com", "identities": [identity("email", "a@example.com", true, true)]}),
                json!({"email": "u@example.com"}),
            ),
            (json!({"identities": [7, {}, {"type": "email"}, {"type": 7, "value": "x"}]}), json!({})),
            (json!({"identities": {}}), json!({})),
        ] {
            let mut traits = user.as_object().unwrap().clone();
            traits.shift_remove("identities");
            insert_missing(user.as_object().unwrap(), &mut traits);
            assert_eq!(Value::Object(traits), expected, "{user}");
        }
    }
}
