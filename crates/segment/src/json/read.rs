//! Reads JSON text into values, within limits. All text from outside is read here. serde_json's own reader
//! for its `Value` gives some member names a special meaning and does not limit memory.

use std::{fmt, mem::size_of};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The most levels of nested objects and arrays. serde_json reads 127, and a message puts a few around its
/// content, so every accepted text can be read again later.
pub const MAX_LEVELS: usize = 100;

/// The most memory that the values of a text may take, in bytes, by an estimate that errs upward. The values
/// of a genuine log stream of 6 MB take about two thirds of this. A function with 128 MB has room for them
/// and for the text.
pub const MAX_MEMORY_BYTES: usize = 64 * 1024 * 1024;

/// The name under which serde_json, with `arbitrary_precision`, passes the digits of a number. A member of
/// this name would later turn into a number.
const NUMBER: &str = "$serde_json::private::Number";

/// The cost of a value: its own size, in a list that has grown to twice its content.
const VALUE_BYTES: usize = 2 * size_of::<Value>();

/// The cost of a member, without its name and the bytes of its value: its slot in the table, doubled for the
/// same reason.
const MEMBER_BYTES: usize = 2 * (size_of::<Value>() + size_of::<String>() + 3 * size_of::<usize>());

/// The extra cost of the first member: a table starts with room for several.
const TABLE_BYTES: usize = MEMBER_BYTES;

/// The cost of a text, without its bytes.
const TEXT_BYTES: usize = 2 * size_of::<usize>();

/// A value that is JSON, but is not supported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} {problem}", if path.is_empty() { "it" } else { path })]
pub struct Fault {
    /// The path to the value, such as `properties.items[3]`. Names that are not plain words are shown as `*`,
    /// because they may be personal data.
    pub path: String,
    /// The problem with it.
    pub problem: FaultProblem,
}

impl Fault {
    /// Returns the index of the affected item of [`parse_items`](super::parse_items).
    pub fn item(&self) -> Option<usize> {
        let (_, rest) = self.path.split_once('[')?;
        rest.split_once(']')?.0.parse().ok()
    }
}

/// A problem of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultProblem {
    /// Too many levels.
    #[error("is nested deeper than {MAX_LEVELS} levels")]
    TooDeep,
    /// A member with the reserved name.
    #[error("has a member named {NUMBER}, which is not taken")]
    ReservedName,
}

/// The limit at which reading stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// [`MAX_MEMORY_BYTES`].
    Memory,
    /// The most items.
    Items,
}

/// The list of independent items, given by the names of the members that lead to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Items {
    pub at: &'static [&'static str],
    pub most: usize,
}

/// The state while reading a text.
pub(super) struct ReadState {
    items: Option<Items>,
    memory: usize,
    pub faults: Vec<Fault>,
    pub limit: Option<Limit>,
}

impl ReadState {
    pub fn new(items: Option<Items>) -> Self {
        Self { items, memory: 0, faults: Vec::new(), limit: None }
    }

    /// Reads the one value of the text.
    pub fn read(&mut self, text: &str) -> Result<Value, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let location = self.items.map_or(Location::Elsewhere, |items| Location::AboveList(items.at));
        let value = ValueSeed { state: self, levels: 0, location }.deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(value)
    }

    fn charge<E: Error>(&mut self, bytes: usize) -> Result<(), E> {
        self.memory += bytes;
        match self.memory > MAX_MEMORY_BYTES {
            true => self.stop(Limit::Memory),
            false => Ok(()),
        }
    }

    fn stop<E: Error>(&mut self, limit: Limit) -> Result<(), E> {
        self.limit = Some(limit);
        Err(E::custom("a bound is reached"))
    }

    /// Puts a step in front of the paths of the faults since `before`.
    fn prepend_path(&mut self, before: usize, step: impl Fn() -> String) {
        for fault in &mut self.faults[before..] {
            let link = if fault.path.is_empty() || fault.path.starts_with('[') { "" } else { "." };
            // A path shows where to look. Nobody needs a hundred levels of it.
            let rest: String = fault.path.chars().take(MAX_PATH_CHARACTERS).collect();
            fault.path = format!("{}{link}{rest}", step());
        }
    }
}

/// The longest path in an error, in characters, without its first step.
const MAX_PATH_CHARACTERS: usize = 100;

/// The most faults that are collected, one for each item. With more, reading stops.
const MAX_FAULTS: usize = 10_000;

/// The location of a value relative to the list.
#[derive(Clone, Copy)]
enum Location {
    /// Above the list, with the remaining names. Without remaining names, this is the list itself.
    AboveList(&'static [&'static str]),
    /// An item of the list.
    Item,
    Elsewhere,
}

/// Reads one value.
struct ValueSeed<'r> {
    state: &'r mut ReadState,
    /// The number of levels around it.
    levels: usize,
    location: Location,
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl ValueSeed<'_> {
    /// Records a fault. The value is read as null.
    fn fault<E: Error>(&mut self, problem: FaultProblem) -> Result<Value, E> {
        if self.state.faults.len() >= MAX_FAULTS {
            self.state.stop(Limit::Items)?;
        }
        self.state.faults.push(Fault { path: String::new(), problem });
        Ok(Value::Null)
    }

    fn text<E: Error>(self, text: String) -> Result<Value, E> {
        self.state.charge(TEXT_BYTES + text.len())?;
        Ok(Value::String(text))
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.state.charge(TEXT_BYTES)?;
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.state.charge(TEXT_BYTES)?;
        Ok(Value::Number(value.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.text(text.to_owned())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        self.text(text)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut access: A) -> Result<Value, A::Error> {
        if self.levels == MAX_LEVELS {
            while access.next_element::<serde::de::IgnoredAny>()?.is_some() {}
            return self.fault(FaultProblem::TooDeep);
        }
        let is_list = matches!(self.location, Location::AboveList([]));
        // Each item may use all levels.
        let (levels, location) =
            if is_list { (0, Location::Item) } else { (self.levels + 1, Location::Elsewhere) };
        let most = self.state.items.filter(|_| is_list).map_or(usize::MAX, |items| items.most);
        let mut values = Vec::new();
        loop {
            let before = self.state.faults.len();
            let seed = ValueSeed { state: &mut *self.state, levels, location };
            let Some(value) = access.next_element_seed(seed)? else { break };
            self.state.prepend_path(before, || format!("[{}]", values.len()));
            self.state.charge(VALUE_BYTES)?;
            if values.len() == most {
                self.state.stop(Limit::Items)?;
            }
            let spoiled = is_list && self.state.faults.len() > before;
            values.push(if spoiled { Value::Null } else { value });
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        let mut reserved = false;
        let deep = self.levels == MAX_LEVELS;
        while let Some(name) = access.next_key_seed(NameSeed)? {
            let name = match name {
                Name::Digits => {
                    let digits: String = access.next_value()?;
                    self.state.charge(TEXT_BYTES + digits.len())?;
                    return digits.parse::<Number>().map(Value::Number).map_err(A::Error::custom);
                }
                Name::Member(name) => name,
            };
            reserved |= name == NUMBER;
            if deep || reserved {
                access.next_value::<serde::de::IgnoredAny>()?;
                continue;
            }
            let location = match self.location {
                Location::AboveList([next, rest @ ..]) if *next == name => Location::AboveList(rest),
                _ => Location::Elsewhere,
            };
            let first = if map.is_empty() { TABLE_BYTES } else { 0 };
            self.state.charge(MEMBER_BYTES + TEXT_BYTES + name.len() + first)?;
            let before = self.state.faults.len();
            let seed = ValueSeed { state: &mut *self.state, levels: self.levels + 1, location };
            let value = access.next_value_seed(seed)?;
            self.state.prepend_path(before, || plain(&name));
            map.insert(name, value);
        }
        match (deep, reserved) {
            (true, _) => self.fault(FaultProblem::TooDeep),
            (_, true) => self.fault(FaultProblem::ReservedName),
            _ => Ok(Value::Object(map)),
        }
    }
}

/// Returns a name that may be shown in an error.
fn plain(name: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_-$:. ".contains(letter);
    let plain = name.len() <= 40 && !name.is_empty() && name.chars().all(is_plain);
    if plain { name.to_owned() } else { "*".to_owned() }
}

/// A member's name, or the marker before a number's digits.
enum Name {
    Member(String),
    Digits,
}

/// serde_json passes a number as a map whose only key is the marker, and it returns that key for any
/// requested type. It passes a member's name as an option. So no member can be mistaken for a number.
struct NameSeed;

impl<'de> DeserializeSeed<'de> for NameSeed {
    type Value = Name;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Name, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for NameSeed {
    type Value = Name;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Name, D::Error> {
        serde::Deserialize::deserialize(deserializer).map(Name::Member)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Name, E> {
        Ok(Name::Digits)
    }
}
