//! `[fields]`: the fields that are dropped, hashed or masked in every message, no matter which rule sets
//! them.

use std::{fmt, net::IpAddr};

use serde_json::{Map, Value};

use crate::hash_key::HashKey;

/// A way to protect a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Drop,
    Hash,
    Mask,
}

impl Action {
    pub const NAMES: [&'static str; 3] = ["drop", "hash", "mask"];

    pub fn named(name: &str) -> Option<Self> {
        match name {
            "drop" => Some(Self::Drop),
            "hash" => Some(Self::Hash),
            "mask" => Some(Self::Mask),
            _ => None,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Drop => "dropped",
            Self::Hash => "hashed",
            Self::Mask => "masked",
        })
    }
}

/// A field of a message, such as `traits.email`, and its protection.
#[derive(Debug)]
pub(crate) struct Protection {
    pub path: Vec<String>,
    pub action: Action,
}

impl Protection {
    /// Protects the field in a message. Returns whether the field was there, or `None` if it needs a key and
    /// there is none.
    pub fn apply(&self, message: &mut Map<String, Value>, key: Option<&HashKey>) -> Option<bool> {
        if self.action == Action::Hash && key.is_none() {
            return None;
        }
        Some(self.apply_at(message, &self.path, key))
    }

    fn apply_at(&self, object: &mut Map<String, Value>, path: &[String], key: Option<&HashKey>) -> bool {
        let Some((name, rest)) = path.split_first() else { return false };
        if rest.is_empty() && self.action == Action::Drop {
            return object.shift_remove(name).is_some();
        }
        object.get_mut(name).is_some_and(|value| self.descend(value, rest, key))
    }

    fn descend(&self, value: &mut Value, rest: &[String], key: Option<&HashKey>) -> bool {
        match value {
            // In a list, the path applies to each item: `traits.registrations.username` is the user name in
            // each registration.
            Value::Array(items) => {
                items.iter_mut().fold(false, |applied, item| self.descend(item, rest, key) | applied)
            }
            Value::Object(object) if !rest.is_empty() => self.apply_at(object, rest, key),
            Value::Object(object) => {
                object.values_mut().fold(false, |applied, inner| self.descend(inner, rest, key) | applied)
            }
            Value::String(_) | Value::Number(_) | Value::Bool(_) if rest.is_empty() => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                *value = match (self.action, key) {
                    (Action::Hash, Some(key)) => key.hash(&text).into(),
                    _ => mask(&text).into(),
                };
                true
            }
            _ => false,
        }
    }
}

/// Masks a value. Keeps an e-mail address's first character and domain, and an IP address's network (/24,
/// /48). Keeps nothing of other values.
fn mask(text: &str) -> String {
    if let Ok(address) = text.trim().parse::<IpAddr>() {
        return match address.to_canonical() {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                format!("{a}.{b}.{c}.0")
            }
            IpAddr::V6(address) => {
                let [a, b, c, ..] = address.segments();
                std::net::Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).to_string()
            }
        };
    }
    match text.trim().rsplit_once('@') {
        Some((name, domain))
            if !name.is_empty() && domain.contains('.') && !domain.contains(char::is_whitespace) =>
        {
            let first: String = name.chars().take(1).collect();
            format!("{first}***@{domain}")
        }
        _ => "***".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn protected(path: &str, action: Action, message: Value) -> Value {
        let Value::Object(mut message) = message else { panic!("an object") };
        let path = path.split('.').map(str::to_owned).collect();
        Protection { path, action }.apply(&mut message, Some(&HashKey::new("key")));
        message.into()
    }

    #[test]
    fn a_mask_leaves_nothing_that_identifies_a_person() {
        for (text, expected) in [
            ("ada@example.com", "a***@example.com"),
            ("Ödön@example.com", "Ö***@example.com"),
            ("a@b@example.com", "a***@example.com"),
            ("203.0.113.77", "203.0.113.0"),
            ("::ffff:203.0.113.77", "203.0.113.0"),
            ("2001:db8:1:2:3::4", "2001:db8:1::"),
            ("+45 20 12 34 56", "***"),
            ("@example.com", "***"),
            ("ask me @ home. Please", "***"),
            ("", "***"),
        ] {
            assert_eq!(mask(text), expected, "{text}");
        }
    }

    #[test]
    fn a_field_is_protected_wherever_its_path_leads() {
        let message = json!({"userId": "u", "traits": {"email": "ada@example.com", "n": 7, "list": [{"name": "x"}, {"name": "y"}]}});
        assert_eq!(
            protected("traits.list.name", Action::Mask, message.clone())["traits"]["list"],
            json!([{"name": "***"}, {"name": "***"}])
        );
        assert_eq!(protected("traits.n", Action::Mask, message.clone())["traits"]["n"], "***");
        let flag = json!({"traits": {"isPregnant": true}});
        assert_eq!(protected("traits.isPregnant", Action::Mask, flag.clone())["traits"]["isPregnant"], "***");
        assert_ne!(protected("traits", Action::Hash, flag.clone())["traits"], flag["traits"]);
        assert_eq!(protected("traits.none.x", Action::Drop, message.clone()), message);
        assert_eq!(protected("traits.email.x", Action::Hash, message.clone()), message);
        assert_eq!(protected("traits", Action::Mask, message.clone())["traits"]["list"][0]["name"], "***");
        assert_eq!(protected("traits.list.name", Action::Drop, message)["traits"]["list"], json!([{}, {}]));
    }
}
