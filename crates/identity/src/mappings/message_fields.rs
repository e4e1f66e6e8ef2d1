//! The fields that rules put into messages. A protected field that no rule sets is a typo, and the field that
//! was meant would leave unprotected.

use serde_json::Value;
use settings::nearest::nearest;

use super::rule::{Field, Rules, Source};
use crate::{
    path::{Path, Root},
    provider::Provider,
};

/// The context of every message.
const EVERY_CONTEXT: [&str; 3] = ["channel", "library.name", "library.version"];

/// The fields that the rules of all providers set.
#[derive(Default)]
pub(super) struct MessageFields<'r> {
    fields: Vec<(&'static Provider, &'static str, &'r Field)>,
    /// Paths below `context` that no rule names: those of a device.
    context: Vec<&'static str>,
}

impl<'r> MessageFields<'r> {
    /// Adds the fields of a provider's rules.
    pub fn add(&mut self, provider: &'static Provider, rules: &'r Rules) {
        for rule in rules.on.values().flat_map(|event| &event.rules) {
            let parts =
                [("traits", &rule.traits), ("properties", &rule.properties), ("context", &rule.context)];
            for (part, fields) in parts {
                self.fields.extend(fields.iter().map(|field| (provider, part, field)));
            }
        }
        self.context.extend(provider.context_paths.iter().chain(&EVERY_CONTEXT));
    }

    /// Whether a message may have a value at this path, which begins with a part of a message.
    pub fn has(&self, path: &[String]) -> bool {
        let (part, below) = (path[0].as_str(), &path[1..]);
        let Some(name) = below.first() else { return true };
        let device = part == "context"
            && self.context.iter().any(|known| {
                let mut known = known.split('.');
                below.iter().all(|name| known.next() == Some(name))
            });
        let mut fields = self.fields.iter().filter(|(_, of, field)| *of == part && field.name == *name);
        device || fields.any(|(provider, _, field)| field_has(provider, field, &below[1..]))
    }

    /// Returns the path that was probably meant: one of a similar name beside it, or one of the same name in
    /// another part.
    pub fn nearest(&self, path: &[String]) -> Option<String> {
        let known = self.paths();
        let known = || known.iter().filter_map(|known| known.rsplit_once('.'));
        let (name, parent) = path.split_last()?;
        let parent = parent.join(".");
        let beside = known().filter(|(above, _)| *above == parent).map(|(_, last)| last);
        let near = nearest(name, beside).map(|near| format!("{parent}.{near}"));
        let elsewhere = || known().find(|(_, last)| last.eq_ignore_ascii_case(name));
        near.or_else(|| elsewhere().map(|(above, last)| format!("{above}.{last}")))
    }

    /// Returns every path that is known by name.
    fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        for (provider, part, field) in &self.fields {
            let path = format!("{part}.{}", field.name);
            if let Some(member) = whole_member(field) {
                paths.extend(provider.nested(member).iter().map(|name| format!("{path}.{name}")));
            }
            paths.push(path);
        }
        paths.extend(self.context.iter().map(|path| format!("context.{path}")));
        // Ties are thus always decided in the same way.
        paths.sort();
        paths
    }
}

/// Returns the member of the profile that a field copies.
fn whole_member(field: &Field) -> Option<&str> {
    let Source::Paths(paths) = &field.source else { return None };
    paths.iter().filter(|path| path.segments.len() == 1).find_map(Path::profile_member)
}

/// Whether a field may have a value at this path within it.
fn field_has(provider: &Provider, field: &Field, within: &[String]) -> bool {
    match &field.source {
        Source::Constant(value) => value_has(value, within),
        Source::Paths(paths) => paths.iter().any(|path| match path.root {
            // Only the provider knows the content.
            Root::Event => true,
            Root::Profile | Root::User | Root::Group => {
                let item = |segment: &&String| segment.parse::<usize>().is_err();
                let segments: Vec<&str> =
                    path.segments.iter().filter(item).chain(within).map(String::as_str).collect();
                profile_has(provider, &segments)
            }
        }),
    }
}

/// Whether the profile, which has the first member of this path, may have a value at the path.
fn profile_has(provider: &Provider, path: &[&str]) -> bool {
    let is_free_form = |name: &&str| provider.free_form.contains(name);
    match path {
        [] | [_] => true,
        [member, ..] if is_free_form(member) => true,
        [member, inner, deeper @ ..] => {
            provider.nested(member).contains(inner) && (deeper.is_empty() || is_free_form(inner))
        }
    }
}

fn value_has(value: &Value, within: &[String]) -> bool {
    match (within, value) {
        ([], _) => true,
        (_, Value::Array(items)) => items.iter().any(|item| value_has(item, within)),
        ([name, rest @ ..], Value::Object(object)) => {
            object.get(name).is_some_and(|value| value_has(value, rest))
        }
        _ => false,
    }
}
