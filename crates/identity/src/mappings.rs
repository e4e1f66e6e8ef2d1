//! The rules of every provider: the built-in files, merged with the user's own.

mod compile;
mod event_rules;
mod event_types;
mod fields;
mod grammar;
mod message_fields;
mod protection;
mod rule;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, LazyLock},
};

use self::{compile::Compiled, event_rules::Naming, protection::Action};
pub(crate) use self::{
    event_rules::conditions,
    grammar::{MAPPING, RULES},
    protection::Protection,
    rule::{Condition, EventRules, Field, Fields, Rule, Rules, Source},
};
use crate::{built_in, document, hash_key::HashKey, provider::Provider, providers::Providers};

/// The guide to a mapping, with the settings that all providers share. [`TEXTS`](crate::TEXTS) has the rules.
pub const GUIDE: &str = include_str!("../mappings.toml");

/// The rules of one provider. Those that no file of the user changes are compiled at the provider's first
/// event: a Lambda function rarely serves more than one or two providers, and the others would delay its
/// start.
type LazyRules = LazyLock<Rules, Box<dyn FnOnce() -> Rules + Send>>;

/// The providers, and the rules for their events.
#[derive(Debug)]
pub struct Mappings {
    pub(crate) providers: Providers,
    /// The providers that the user's files declare or change.
    declared: Vec<&'static Provider>,
    /// The rules, by the provider's route.
    pub(crate) rules: HashMap<&'static str, LazyRules>,
    pub(crate) fields: Vec<Protection>,
    warnings: Vec<document::Fault>,
}

/// The faults of a mapping, one a line, each with file, line and column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingsError(Vec<document::Fault>);

impl fmt::Display for MappingsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(formatter, "{separator}{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for MappingsError {}

/// The largest file, in bytes. A secret of AWS has at most 64 KB.
const MAX_FILE_BYTES: usize = 256 * 1_024;

/// Returns the built-in rules of the provider with this route.
fn built_in_rules(route: &'static str, naming: Naming) -> LazyRules {
    LazyRules::new(Box::new(move || {
        let file = route.split('/').next().unwrap_or(route);
        compile::rules(route, &built_in::document(file), naming)
    }))
}

impl Mappings {
    /// Returns the built-in mapping.
    pub fn built_in() -> Arc<Self> {
        static BUILT_IN: LazyLock<Arc<Mappings>> = LazyLock::new(|| {
            let providers = Providers::built_in();
            let rules = providers.routes().map(|route| (route, built_in_rules(route, Naming::Provider)));
            let rules = rules.collect();
            Arc::new(Mappings {
                providers,
                declared: Vec::new(),
                rules,
                fields: Vec::new(),
                warnings: Vec::new(),
            })
        });
        BUILT_IN.clone()
    }

    /// Returns the built-in mapping merged with `text`. An event type, a set or a setting in `text` replaces
    /// the built-in one. `file` is its name in errors.
    ///
    /// # Errors
    /// Every fault of the file.
    pub fn with(file: &str, text: &str) -> Result<Arc<Self>, MappingsError> {
        Self::with_all(&[(file, text)])
    }

    /// Returns the built-in mapping merged with several files, one after the other. Each is its name in errors
    /// and its text.
    ///
    /// # Errors
    /// Every fault of the first file that is not TOML, or of all files.
    pub fn with_all(files: &[(&str, &str)]) -> Result<Arc<Self>, MappingsError> {
        let mut own = document::Table::new();
        for (file, text) in files {
            if text.len() > MAX_FILE_BYTES {
                let at = document::Position { file: (*file).into(), line: 1, column: 1 };
                let problem = format!("the file has more than {} KB", MAX_FILE_BYTES / 1_024);
                return Err(MappingsError(vec![document::Fault { at, problem }]));
            }
            let over = document::parse(file, text).map_err(|fault| MappingsError(vec![fault]))?;
            document::merge(&mut own, over);
        }
        let compiled = compile::compile(own).map_err(MappingsError)?;
        let (faults, mut warnings) = event_types::unknown(&compiled.providers, &compiled.rules);
        if !faults.is_empty() {
            return Err(MappingsError(faults));
        }
        warnings.extend(event_types::unknown_members(&compiled.providers, &compiled.rules));
        let mut rules: HashMap<&'static str, LazyRules> = compiled
            .rules
            .into_iter()
            .map(|(route, rules)| (route, LazyRules::new(Box::new(move || rules))))
            .collect();
        for route in compiled.providers.routes() {
            rules.entry(route).or_insert_with(|| built_in_rules(route, compiled.naming));
        }
        let Compiled { providers, declared, fields, .. } = compiled;
        Ok(Arc::new(Self { providers, declared, rules, fields, warnings }))
    }

    /// Returns the providers that the user's files declare or change.
    pub fn declared(&self) -> &[&'static Provider] {
        &self.declared
    }

    /// Returns the providers: the built-in ones and those of the user's files.
    pub fn providers(&self) -> &Providers {
        &self.providers
    }

    /// Returns possible mistakes with their positions: event types that their provider is not known to send.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        self.warnings.iter().map(ToString::to_string)
    }

    /// Returns a sentence for each setting that may be a mistake or lets nothing through, with this key in
    /// the identity secret.
    pub fn setting_warnings(&self, hash_key: Option<&HashKey>) -> Vec<String> {
        let mut doubts: Vec<String> = self.warnings().collect();
        match hash_key {
            _ if !self.needs_hash_key() => {}
            None => doubts.push(
                "the mapping hashes a field, but the identity secret has no hashKey; no message is sent until it has one"
                    .to_owned(),
            ),
            Some(key) => doubts.extend(key.weakness().map(|weakness| {
                format!("hashKey {weakness}, and so can every hashed value; create one with openssl rand -base64 32")
            })),
        }
        doubts
    }

    /// Whether a field is hashed, which needs a key.
    pub fn needs_hash_key(&self) -> bool {
        self.fields.iter().any(|field| field.action == Action::Hash)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::TEXTS;

    fn faults(text: &str) -> Vec<String> {
        let error = Mappings::with("mine.toml", text).unwrap_err();
        error.to_string().lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_built_in_mapping_has_rules_for_every_provider_and_no_fault() {
        let texts: String = TEXTS.iter().map(|(_, text)| format!("\n{text}")).collect();
        let text = format!("{GUIDE}{texts}");
        let own = document::parse("all.toml", &text).unwrap();
        let whole = compile::compile(own).unwrap();
        for (route, rules) in &Mappings::built_in().rules {
            assert!(rules.on.values().any(|event| !event.rules.is_empty()), "{route}");
            let sorted = |rules: &Rules| {
                let calls = |event: &EventRules| event.rules.iter().map(|rule| format!("{rule:?}")).collect();
                let on: BTreeMap<&String, Vec<String>> =
                    rules.on.iter().map(|(name, event)| (name, calls(event))).collect();
                let text = format!("{on:?} {:?}", rules.integrations);
                text.split("at: Position")
                    .map(|part| part.split_once('}').unwrap_or(("", part)).1.to_owned())
                    .collect::<String>()
            };
            assert_eq!(sorted(rules), sorted(&whole.rules[route]), "the same rules from the text, {route}");
        }
        assert!(whole.fields.is_empty());
        assert_eq!(whole.naming, Naming::Provider);
    }

    #[test]
    fn a_fault_is_named_with_its_position_and_the_expected_value() {
        for (text, expected) in [
            ("a = = 1", "mine.toml:1:5: this is not TOML: extra `=`, expected nothing"),
            (
                "namming = 'segment'",
                "mine.toml:1:1: there is no key \"namming\" here; did you mean \"naming\"?",
            ),
            (
                "naming = 'sgment'",
                "mine.toml:1:10: there is no \"sgment\"; did you mean \"segment\"? Known are: provider, segment",
            ),
            ("naming = 7", "mine.toml:1:10: this must be a string"),
            (
                "[fusionaut]\na = 1",
                "mine.toml:1:2: there is no key \"fusionaut\" here; did you mean \"fusionauth\"?",
            ),
            ("[auth0]\nlogn = {}", "mine.toml:2:1: there is no key \"logn\" here; did you mean \"login\"?"),
            (
                "\n[fusionauth.on.\"user.login.success\"]\ntrak = {}",
                "mine.toml:3:1: there is no key \"trak\" here; did you mean \"track\"?",
            ),
            (
                "[fusionauth.on.user.login.success]\ntrack = {}",
                "mine.toml:1:21: there is no key \"login\" here; known are: ignore, identify, track, group, delete. Put an event type with dots in quotes",
            ),
            (
                "[fusionauth.on.x]\ntrack = { propertys = {} }",
                "mine.toml:2:11: there is no key \"propertys\" here; did you mean \"properties\"?",
            ),
            (
                "[fusionauth.on.x]\ntrack = { properties = 'usr' }",
                "mine.toml:2:24: there is no set \"usr\"; did you mean \"user\"?",
            ),
            (
                "[fusionauth.on.x]\ntrack = { properties = { a = 'evnt.b' } }",
                "mine.toml:2:30: a path begins with event. or profile., not \"evnt\"",
            ),
            (
                "[fusionauth.on.x]\nidentify = { traits = { a = 'event.user.password' } }",
                "mine.toml:2:29: \"password\" names a credential, and those are never sent",
            ),
            (
                "[fusionauth.on.x]\nidentify = { traits = { password = 'event.user.hint' } }",
                "mine.toml:2:25: \"password\" names a credential, and those are never sent",
            ),
            ("[fusionauth.on.x]\nignore = 'yes'", "mine.toml:2:10: this must be true"),
            (
                "[fusionauth.on.x]\nignore = true\ntrack = {}",
                "mine.toml:2:10: an ignored event type cannot have calls",
            ),
            (
                "[fusionauth.on.x]",
                "mine.toml:1:1: name a call (identify, track, group or delete), or set ignore = true",
            ),
            ("[fusionauth.on.x]\ntrack = 7", "mine.toml:2:9: this must be a table, or an array of tables"),
            (
                "[fields]\n'traits.email' = 'hide'",
                "mine.toml:2:18: there is no \"hide\"; known are: drop, hash, mask",
            ),
            (
                "[fields]\n'trait.email' = 'drop'",
                "mine.toml:2:1: there is no \"trait\"; did you mean \"traits\"? Known are: userId, groupId, traits, properties, context",
            ),
            ("[fields]\ntraits.email = 'hash'", "mine.toml:2:8: put the path in quotes: \"traits.email\""),
            ("[fields]\ntraits = {}", "mine.toml:2:10: this must be a string"),
            ("[fields]\ntraits.email = {}", "mine.toml:2:8: put the path in quotes: \"traits.email\""),
            (
                "[fields]\nuserId = 'drop'",
                "mine.toml:2:10: userId and groupId can be hashed, not dropped or masked",
            ),
            (
                "[fusionauth.on.x]\ntrack = { when = { 'event.a' = { nott = 1 } } }",
                "mine.toml:2:34: there is no key \"nott\" here; did you mean \"not\"?",
            ),
            (
                "[fusionauth.on.x]\ntrack = { properties = { a = 2026-11-21 } }",
                "mine.toml:2:30: JSON has no such value; put it in quotes",
            ),
        ] {
            assert_eq!(faults(text), [expected], "{text}");
        }
    }

    #[test]
    fn every_fault_is_reported_at_once() {
        assert_eq!(faults("naming = 1\n[fields]\n'traits.a' = 2\n[fusionauth.on.x]\ntrak = {}").len(), 3);
    }

    #[test]
    fn a_mapping_that_needs_a_key_says_so() {
        assert!(!Mappings::built_in().needs_hash_key());
        assert!(Mappings::with("m", "fields.'traits.email' = 'hash'").unwrap().needs_hash_key());
    }
}
