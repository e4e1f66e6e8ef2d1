//! Finds event types in the user's mapping that the provider is not known to send. This is not a fault,
//! because a provider may add types. But ignoring a misspelled type is a fault: the event that was meant
//! would still be sent. Also finds members of the profile that do not exist.

use std::collections::HashMap;

use settings::nearest::{misspelled, nearest, suggestion};

use super::{Mappings, rule::Rules};
use crate::{document::Fault, path::Path, provider::Provider, providers::Providers};

/// Returns the unknown types in `mappings`: faults, and those that are only worth a warning.
pub(super) fn unknown(
    providers: &Providers,
    mappings: &HashMap<&'static str, Rules>,
) -> (Vec<Fault>, Vec<Fault>) {
    let (mut faults, mut warnings) = (Vec::new(), Vec::new());
    let built_in = Mappings::built_in();
    for (route, rules) in mappings {
        let Ok(provider) = providers.named(route) else { continue };
        let mut known: Vec<&str> = built_in
            .rules
            .get(route)
            .map_or_else(Vec::new, |known| known.on.keys().map(String::as_str).collect());
        known.extend(listed(provider));
        // Ties are thus always decided in the same way.
        known.sort_unstable();
        for (name, event) in &rules.on {
            if known.contains(&name.as_str()) {
                continue;
            }
            let may_be_new = provider.may_be_new(name);
            let near = match may_be_new {
                true => misspelled(name, known.iter().copied()),
                false => nearest(name, known.iter().copied()),
            };
            let advice = match near {
                Some(near) => format!("did you mean {near:?}?"),
                None if may_be_new => continue,
                None => "check its spelling".to_owned(),
            };
            let problem = format!("{} is not known to send {name:?}; {advice}", provider.route);
            let is_ignored = event.rules.is_empty();
            let found = if is_ignored && near.is_some() { &mut faults } else { &mut warnings };
            found.push(Fault { at: event.at.clone(), problem });
        }
    }
    for found in [&mut faults, &mut warnings] {
        found.sort_by_key(|fault| (fault.at.line, fault.at.column));
    }
    (faults, warnings)
}

/// Returns a warning for each member of the profile that a rule reads and the provider's file does not have.
/// This is no fault, because rules of an earlier version may name one.
pub(super) fn unknown_members(providers: &Providers, mappings: &HashMap<&'static str, Rules>) -> Vec<Fault> {
    let mut warnings = Vec::new();
    for (route, rules) in mappings {
        let Some(known) = providers.named(route).ok().and_then(Provider::profile_members) else { continue };
        for rule in rules.on.values().flat_map(|event| &event.rules) {
            let members = rule.paths().filter_map(Path::profile_member);
            for member in members.filter(|member| !known.contains(member)) {
                let problem = format!(
                    "the profile of {route} has no member {member:?}; {}",
                    suggestion(member, &known)
                );
                warnings.push(Fault { at: rule.at.clone(), problem });
            }
        }
    }
    warnings.sort_by_key(|fault| (fault.at.line, fault.at.column));
    warnings.dedup();
    warnings
}

/// Returns the types in a provider's list, each at the beginning of a line.
fn listed(provider: &Provider) -> impl Iterator<Item = &str> {
    let lines = provider.event_types.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split('\t').next())
}
