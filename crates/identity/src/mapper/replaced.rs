//! Finds the built-in rule that a user's own rule replaces. A rule replaces all built-in rules of its event
//! type, so anything that it does not repeat is lost.

use crate::{
    mappings::{EventRules, Mappings, Rule},
    provider::Provider,
};

/// Returns the built-in rule that `rule` replaces, and the parts of it that are lost.
pub(super) fn by(provider: &Provider, event_rules: &EventRules, rule: &Rule) -> Option<String> {
    let built_in = Mappings::built_in();
    let before = &built_in.rules.get(provider.route)?.on.get(&*event_rules.event_type)?.rules;
    let first = before.first()?;
    if before.iter().any(|before| before.at == rule.at) {
        return None;
    }
    let same = before.iter().find(|before| before.call == rule.call);
    let mut lost: Vec<String> = same.map_or_else(Vec::new, |before| {
        let parts = [
            ("traits", before.traits.is_empty(), rule.traits.is_empty()),
            ("properties", before.properties.is_empty(), rule.properties.is_empty()),
            ("context", before.context.is_empty(), rule.context.is_empty()),
            ("when", before.when.is_empty(), rule.when.is_empty()),
            ("integrations", before.integrations.is_none(), rule.integrations.is_none()),
        ];
        let lost = parts.into_iter().filter(|(_, before_is_empty, is_empty)| !before_is_empty && *is_empty);
        lost.map(|(part, ..)| part.to_owned()).collect()
    });
    let remains = |call| event_rules.rules.iter().any(|rule| rule.call == call);
    for call in before.iter().map(|before| before.call).filter(|call| !remains(*call)) {
        lost.push(format!("the call {call}"));
    }
    let at = same.map_or(&first.at, |before| &before.at);
    Some(match lost.is_empty() {
        true => at.to_string(),
        false => format!("{at}, which also had {}", lost.join(", ")),
    })
}
