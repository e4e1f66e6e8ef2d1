//! Paths to values, such as `event.user.data.plan` and `profile.email`.

use serde_json::{Map, Value};

use crate::credentials;

/// The root of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    /// The event as the provider sent it.
    Event,
    /// The user in Segment's names.
    Profile,
    /// The user in the provider's form, for the file that declares a provider.
    User,
    /// The group in the provider's form, for the file that declares a provider.
    Group,
}

impl Root {
    /// The roots of a rule's paths.
    pub const OF_RULES: [Self; 2] = [Self::Event, Self::Profile];
    /// The roots in the file that declares a provider.
    pub const OF_DECLARATIONS: [Self; 3] = [Self::Event, Self::User, Self::Group];
    /// The event alone.
    pub const OF_EVENTS: [Self; 1] = [Self::Event];

    fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Profile => "profile",
            Self::User => "user",
            Self::Group => "group",
        }
    }
}

/// A path to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub root: Root,
    pub segments: Vec<String>,
}

impl Path {
    /// Reads the path of a rule: `root.segment.segment`. A segment with dots in it is in quotes, and an
    /// array's item is its number.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::parse_from(text, &Root::OF_RULES)
    }

    /// Reads a path that begins with one of `roots`.
    pub fn parse_from(text: &str, roots: &[Root]) -> Result<Self, String> {
        let mut segments = split(text)?;
        let root = segments.remove(0);
        let Some(root) = roots.iter().find(|known| known.as_str() == root) else {
            let known: Vec<String> = roots.iter().map(|root| format!("{}.", root.as_str())).collect();
            return Err(format!("a path begins with {}, not {root:?}", known.join(" or ")));
        };
        if segments.is_empty() {
            return Err(match root {
                Root::Event | Root::Profile if roots.len() == 2 => {
                    "a path names a member, such as event.user.id or profile.email".to_owned()
                }
                _ => format!("a path names a member, such as {}.id", root.as_str()),
            });
        }
        let text = Value::String(String::new());
        if let Some(name) = segments.iter().find(|name| credentials::is_credential(name, &text)) {
            return Err(format!("{name:?} names a credential, and those are never sent"));
        }
        Ok(Self { root: *root, segments })
    }

    /// Returns the member of the profile that it leads into.
    pub fn profile_member(&self) -> Option<&str> {
        self.segments.first().filter(|_| self.root == Root::Profile).map(String::as_str)
    }

    /// Returns the value, unless it is empty.
    pub fn find<'v>(
        &self,
        event: &'v Map<String, Value>,
        profile: &'v Map<String, Value>,
    ) -> Option<&'v Value> {
        let from = if self.root == Root::Event { event } else { profile };
        find(from, self.segments.iter().map(String::as_str))
    }
}

/// Returns the value that the segments lead to, unless it is absent or empty: null, a blank text, an empty
/// list or object. As a trait, an empty value would delete the known one.
pub(crate) fn find<'v, 's>(
    from: &'v Map<String, Value>,
    mut segments: impl Iterator<Item = &'s str>,
) -> Option<&'v Value> {
    let first = from.get(segments.next()?)?;
    let value = segments.try_fold(first, |value, segment| match value {
        Value::Object(object) => object.get(segment),
        Value::Array(items) => items.get(segment.parse::<usize>().ok()?),
        _ => None,
    })?;
    (!is_empty(value)).then_some(value)
}

/// Whether a value is empty.
pub(crate) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Splits at dots that are not in quotes.
pub(crate) fn split(text: &str) -> Result<Vec<String>, String> {
    let mut segments = vec![String::new()];
    let mut quote = None;
    for character in text.chars() {
        match (quote, character) {
            (None, '.') => segments.push(String::new()),
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            _ => segments.last_mut().into_iter().for_each(|segment| segment.push(character)),
        }
    }
    if quote.is_some() {
        return Err("a quote in the path is not closed".to_owned());
    }
    if segments.iter().any(String::is_empty) {
        return Err("the path has an empty part".to_owned());
    }
    Ok(segments)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_finds_members_and_items() {
        let event =
            json!({"a": {"b.c": [{"d": 1}], "n": null, "blank": " ", "list": [], "object": {}}, "t": "x"});
        let profile = json!({"email": "a@example.com"});
        let (event, profile) = (event.as_object().unwrap(), profile.as_object().unwrap());
        for (path, expected) in [
            ("event.t", Some(json!("x"))),
            ("event.a.\"b.c\".0.d", Some(json!(1))),
            ("event.a.'b.c'.1.d", None),
            ("event.a.'b.c'.x", None),
            ("event.a.n", None),
            ("event.a.blank", None),
            ("event.a.list", None),
            ("event.a.object", None),
            ("event.t.x", None),
            ("event.none.x", None),
            ("profile.email", Some(json!("a@example.com"))),
        ] {
            assert_eq!(Path::parse(path).unwrap().find(event, profile), expected.as_ref(), "{path}");
        }
    }

    #[test]
    fn an_invalid_path_is_refused_with_the_reason() {
        for (path, problem) in [
            ("user.id", "a path begins with event. or profile., not \"user\""),
            ("event", "a path names a member, such as event.user.id or profile.email"),
            ("event.", "the path has an empty part"),
            ("", "the path has an empty part"),
            ("event.'a", "a quote in the path is not closed"),
            ("event.user.password", "\"password\" names a credential, and those are never sent"),
            (
                "event.registrations.0.tokens.google",
                "\"tokens\" names a credential, and those are never sent",
            ),
        ] {
            assert_eq!(Path::parse(path).unwrap_err(), problem, "{path}");
        }
    }
}
