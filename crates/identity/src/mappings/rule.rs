//! The rules of a mapping, ready to be applied.

use std::{collections::HashMap, sync::Arc};

use segment::MessageType;
use serde_json::{Map, Value};

use super::document::Position;
use crate::path::{Path, Root};

/// The rules of one provider's route.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// By event type. A type without a rule makes no message.
    pub on: HashMap<String, EventRules>,
    /// The `integrations` of every message that has none of its own.
    pub integrations: Map<String, Value>,
}

/// The rules of one event type.
#[derive(Debug)]
pub(crate) struct EventRules {
    /// The event type, for counting: of the types that a sender can name, only those with a rule are counted.
    pub event_type: Arc<str>,
    /// Where the file names it.
    pub at: Position,
    /// None at all means that it is ignored.
    pub rules: Vec<Rule>,
    /// Whether any of them reads the profile, which otherwise need not be made.
    pub read_profile: bool,
}

impl EventRules {
    /// Rules of an event type.
    pub fn new(event_type: Arc<str>, at: Position, rules: Vec<Rule>) -> Self {
        let read_profile = rules.iter().flat_map(Rule::paths).any(|path| path.root == Root::Profile);
        Self { event_type, at, rules, read_profile }
    }
}

/// How one message is made.
#[derive(Debug)]
pub(crate) struct Rule {
    pub call: MessageType,
    /// Where the rule stands.
    pub at: Position,
    /// All of them must hold.
    pub when: Vec<Condition>,
    /// The message's `event`. A track without one has the provider's own name of the event.
    pub event: Option<String>,
    pub user_id: Option<Path>,
    pub group_id: Option<Path>,
    pub traits: Vec<Field>,
    pub properties: Vec<Field>,
    pub context: Vec<Field>,
    pub integrations: Option<Map<String, Value>>,
}

impl Rule {
    fn paths(&self) -> impl Iterator<Item = &Path> {
        let fields = self.traits.iter().chain(&self.properties).chain(&self.context);
        let sources = fields.flat_map(|field| match &field.source {
            Source::Paths(paths) => paths.as_slice(),
            Source::Constant(_) => &[],
        });
        let conditions = self.when.iter().map(|condition| &condition.path);
        sources.chain(conditions).chain(&self.user_id).chain(&self.group_id)
    }
}

/// A member of traits, properties or context.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub name: String,
    pub source: Source,
}

/// Where a field's value comes from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// The first of these places where there is something.
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
    /// It is one of these.
    In(Vec<Value>),
    /// It is none of these, or not there.
    NotIn(Vec<Value>),
    /// It is there, or it is not.
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

/// Numbers keep their digits, so that 1 and 1.0 are two values; a condition means the number.
fn same(wanted: &Value, value: &Value) -> bool {
    wanted == value || wanted.is_number() && wanted.as_f64().is_some() && wanted.as_f64() == value.as_f64()
}
