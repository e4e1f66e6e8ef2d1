//! The compiled rules of a mapping.

use std::{collections::HashMap, sync::Arc};

use segment::MessageType;
use serde_json::{Map, Value};

use crate::{
    document::Position,
    path::{Path, Root},
};

/// The rules for one provider's route.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// The rules, by event type. A type without a rule makes no message.
    pub on: HashMap<String, EventRules>,
    /// The `integrations` of every message that has none.
    pub integrations: Map<String, Value>,
}

/// The rules for one event type.
#[derive(Debug)]
pub(crate) struct EventRules {
    /// The event type, for counting. Senders can invent types, so only types with a rule are counted.
    pub event_type: Arc<str>,
    /// Its position in the file.
    pub at: Position,
    /// Its rules. Without rules, the event is ignored.
    pub rules: Vec<Rule>,
    /// Whether any rule reads the profile. If not, the profile is not built.
    pub read_profile: bool,
}

impl EventRules {
    /// Returns the rules for an event type.
    pub fn new(event_type: Arc<str>, at: Position, rules: Vec<Rule>) -> Self {
        let read_profile = rules.iter().flat_map(Rule::paths).any(|path| path.root == Root::Profile);
        Self { event_type, at, rules, read_profile }
    }
}

/// The rule for one message.
#[derive(Debug)]
pub(crate) struct Rule {
    pub call: MessageType,
    /// Its position in the file.
    pub at: Position,
    /// The conditions. All of them must hold.
    pub when: Vec<Condition>,
    /// The message's `event`. A track without one has the provider's name for the event.
    pub event: Option<String>,
    pub user_id: Option<Path>,
    pub group_id: Option<Path>,
    pub traits: Fields,
    pub properties: Fields,
    pub context: Fields,
    pub integrations: Option<Map<String, Value>>,
}

impl Rule {
    /// Returns every path that it reads.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        let fields = self.traits.iter().chain(self.properties.iter()).chain(self.context.iter());
        let sources = fields.flat_map(|field| match &field.source {
            Source::Paths(paths) => paths.as_slice(),
            Source::Constant(_) => &[],
        });
        let conditions = self.when.iter().map(|condition| &condition.path);
        sources.chain(conditions).chain(&self.user_id).chain(&self.group_id)
    }
}

/// The fields of traits, properties or context. All rules that name a set share it: most of the built-in rules
/// send one of a few sets, and copies of them would take most of the time at the start.
#[derive(Debug, Default)]
pub(crate) struct Fields(Vec<Arc<[Field]>>);

impl Fields {
    /// Returns the fields of these sets, one set after the other.
    pub fn of(sets: Vec<Arc<[Field]>>) -> Self {
        Self(sets)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Field> {
        self.0.iter().flat_map(|set| set.iter())
    }

    pub fn len(&self) -> usize {
        self.0.iter().map(|set| set.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A member of traits, properties or context.
#[derive(Debug)]
pub(crate) struct Field {
    pub name: String,
    pub source: Source,
}

/// The source of a field's value.
#[derive(Debug)]
pub(crate) enum Source {
    /// The first of these paths that has a value.
    Paths(Vec<Path>),
    Constant(Value),
}

/// A test of one value of the event.
#[derive(Debug)]
pub(crate) struct Condition {
    pub path: Path,
    pub test: Test,
}

#[derive(Debug)]
pub(crate) enum Test {
    /// The value is one of these.
    In(Vec<Value>),
    /// The value is none of these, or is absent.
    NotIn(Vec<Value>),
    /// The value exists, or it does not.
    Exists(bool),
}

impl Condition {
    pub fn holds(&self, event: &Map<String, Value>, profile: &Map<String, Value>) -> bool {
        let value = self.path.find(event, profile);
        match &self.test {
            Test::In(wanted) => value.is_some_and(|value| wanted.iter().any(|one| same(one, value))),
            Test::NotIn(unwanted) => !value.is_some_and(|value| unwanted.iter().any(|one| same(one, value))),
            Test::Exists(wanted) => value.is_some() == *wanted,
        }
    }
}

/// Compares two values. Numbers keep their digits, so 1 and 1.0 differ as values; a condition means the
/// number.
fn same(wanted: &Value, value: &Value) -> bool {
    wanted == value || wanted.is_number() && wanted.as_f64().is_some() && wanted.as_f64() == value.as_f64()
}
