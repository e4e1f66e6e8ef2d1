//! Finds updates that change nothing that is sent.

use jiff::Timestamp;
use segment::MessageType;
use serde_json::{Map, Value};

use crate::{
    event::Event,
    mappings::{EventRules, Field, Source},
    path::{self, Path, Root},
    provider::Provider,
};

/// Whether the user was the same before, in the fields that the identify rules send. Providers also report an
/// update for a login; the members that change with a login do not count.
pub(super) fn unchanged(
    provider: &Provider,
    event: &Event<'_>,
    event_rules: &EventRules,
    profile: &Map<String, Value>,
    now: Timestamp,
) -> bool {
    let (Some(user), Some(previous)) = (event.user, event.previous) else { return false };
    let traits = || {
        let rules = event_rules.rules.iter().filter(|rule| rule.call == MessageType::Identify);
        rules.flat_map(|rule| rule.traits.iter())
    };
    if traits().next().is_none() {
        return false;
    }
    let mut previous_profile = provider.profile(event, previous, now);
    provider.strip(&mut previous_profile);
    let user_at = provider.user_at(event);
    let same = |path: &Path| {
        if path.segments.last().is_some_and(|last| provider.bookkeeping.contains(&last.as_str())) {
            return true;
        }
        let segments = path.segments.iter().map(String::as_str);
        let (then, now) = match path.root {
            Root::Profile | Root::User | Root::Group => {
                (path::find(&previous_profile, segments.clone()), path::find(profile, segments))
            }
            Root::Event => {
                let depth = user_at.len();
                if !user_at.iter().zip(&path.segments).all(|(at, segment)| at == segment) {
                    // The value is not from the user, so there is nothing to compare it with.
                    return true;
                }
                let segments = segments.skip(depth);
                (path::find(previous, segments.clone()), path::find(user, segments))
            }
        };
        same(then, now, provider)
    };
    traits().all(|field: &Field| match &field.source {
        Source::Paths(paths) => paths.iter().all(same),
        Source::Constant(_) => true,
    })
}

fn same(then: Option<&Value>, now: Option<&Value>, provider: &Provider) -> bool {
    match (then, now) {
        (Some(Value::Object(then)), Some(Value::Object(now))) => {
            let counts = |name: &&String| !provider.bookkeeping.contains(&name.as_str());
            then.keys().filter(counts).count() == now.keys().filter(counts).count()
                && then.iter().filter(|(name, _)| counts(name)).all(|(name, value)| {
                    // Names in free-form data have no special meaning.
                    match provider.free_form.contains(&name.as_str()) {
                        true => now.get(name) == Some(value),
                        false => same(Some(value), now.get(name), provider),
                    }
                })
        }
        (Some(Value::Array(then)), Some(Value::Array(now))) => {
            then.len() == now.len()
                && then.iter().zip(now).all(|(then, now)| same(Some(then), Some(now), provider))
        }
        (then, now) => then == now,
    }
}
