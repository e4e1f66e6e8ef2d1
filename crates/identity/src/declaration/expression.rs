//! Where a value comes from, in the file that declares a provider.

pub(super) mod read;

use std::borrow::Cow;

use jiff::{Timestamp, civil, fmt::strtime, tz::TimeZone};
use segment::timestamp;
use serde_json::{Map, Value};

use crate::{
    error::Unusable,
    path::{self, Path, Root},
    time::Time,
};

/// The source of a value.
#[derive(Debug)]
pub(crate) enum Expression {
    /// The text at a path. A value of another type may be something else than what the path meant.
    Path(Path),
    /// The first value of this type at one of these paths.
    Typed(Type, Vec<Path>),
    /// Texts and paths, joined. Each path must have a value.
    Template(Vec<Piece>),
    /// The same value always.
    Constant(Value),
    /// The first one with a value.
    First(Vec<Expression>),
    /// Those with a value, joined.
    Join { parts: Vec<Expression>, with: String },
    /// The part of a text between two others. An empty one means the beginning or the end. The part does not
    /// contain `without`, unless that is empty.
    Part { of: Box<Expression>, after: String, before: String, without: String },
    /// A date without a time, of any year.
    Date { of: Vec<Path>, format: TimeFormat },
    /// A time. An implausible one has no value.
    Time { of: Vec<Path>, format: TimeFormat },
    /// A whole object, without its credentials.
    FreeForm(Path),
    /// An object of these members.
    Fields(Vec<(String, Expression)>),
    /// A member of one item of a list.
    Item(Item),
}

/// A type of values beside texts and times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Number,
    Boolean,
    /// A list of texts.
    Texts,
}

/// A piece of a template.
#[derive(Debug)]
pub(crate) enum Piece {
    Text(String),
    Path(Path),
}

/// A member of one item of a list: of the first one that fits, or without a condition for it, of the only one.
#[derive(Debug)]
pub(crate) struct Item {
    pub list: Path,
    /// The member that is taken.
    pub take: Vec<String>,
    /// The members that must have the values of these.
    pub fits: Vec<(Vec<String>, Expression)>,
    /// The members that must have these values. Without `fits`, no other item may have them.
    pub is: Vec<(Vec<String>, Value)>,
}

/// How a time is written.
#[derive(Debug)]
pub(crate) enum TimeFormat {
    /// Any of the forms that [`timestamp::parse`] reads.
    Any,
    /// A number of this unit since 1970.
    Unit(Unit),
    /// A format of `strftime`.
    Pattern(String),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    Seconds,
    Milliseconds,
    Microseconds,
}

/// The most items of a list that are looked at. Lists of addresses have a few.
const MAX_ITEMS: usize = 1_000;

/// The values that expressions read.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'v> {
    pub event: &'v Map<String, Value>,
    pub user: Object<'v>,
    pub group: Object<'v>,
    /// The time of receipt, where an implausible time has no value.
    pub now: Option<Timestamp>,
}

/// The user or the group of an event, and where it is.
#[derive(Clone, Copy, Default)]
pub(crate) struct Object<'v> {
    pub value: Option<&'v Map<String, Value>>,
    pub at: Option<&'v Path>,
}

impl<'v> Object<'v> {
    /// Returns the object at a path in the event.
    pub fn at(path: Option<&'v Path>, event: &'v Map<String, Value>) -> Self {
        let find = |path: &'v Path| path::find(event, path.segments.iter().map(String::as_str))?.as_object();
        Self { value: path.and_then(find), at: path }
    }
}

impl<'v> Scope<'v> {
    /// Returns the values of an event alone.
    pub fn of(event: &'v Map<String, Value>) -> Self {
        Self { event, user: Object::default(), group: Object::default(), now: None }
    }

    fn find(&self, path: &Path) -> Option<&'v Value> {
        let from = match path.root {
            Root::Event => Some(self.event),
            Root::User => self.user.value,
            Root::Group => self.group.value,
            Root::Profile => None,
        };
        path::find(from?, path.segments.iter().map(String::as_str))
    }
}

impl Expression {
    /// Returns the value, unless it is empty.
    pub fn value<'v>(&'v self, scope: &Scope<'v>) -> Option<Cow<'v, Value>> {
        match self {
            Self::Path(path) => scope.find(path).filter(|value| value.is_string()).map(Cow::Borrowed),
            Self::Typed(of_type, paths) => {
                let values = paths.iter().filter_map(|path| scope.find(path));
                values.into_iter().find(|value| of_type.has(value)).map(Cow::Borrowed)
            }
            Self::Constant(value) => Some(Cow::Borrowed(value)),
            Self::First(all) => all.iter().find_map(|one| one.value(scope)),
            Self::FreeForm(path) => scope.find(path).filter(|value| value.is_object()).map(Cow::Borrowed),
            Self::Fields(members) => {
                let object = fields(members, scope);
                (!object.is_empty()).then(|| Cow::Owned(object.into()))
            }
            Self::Time { .. } => {
                let Time::At(time) = self.time(scope) else { return None };
                let plausible = scope.now.is_none_or(|now| timestamp::plausible(time, now));
                plausible.then(|| Cow::Owned(timestamp::format(time).into()))
            }
            Self::Date { of, format } => {
                let date = format.date(of.iter().find_map(|path| scope.find(path))?)?;
                Some(Cow::Owned(date.to_string().into()))
            }
            Self::Item(item) => item.find(scope).map(Cow::Borrowed),
            Self::Template(_) | Self::Join { .. } | Self::Part { .. } => {
                self.text(scope).map(|text| Cow::Owned(text.into_owned().into()))
            }
        }
    }

    /// Returns the value as a text. A number is one only in a template: a path to an id that leads to a number
    /// may lead to something else than the id.
    pub fn text<'v>(&'v self, scope: &Scope<'v>) -> Option<Cow<'v, str>> {
        let text = match self {
            Self::Template(pieces) => {
                let mut text = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Text(piece) => text.push_str(piece),
                        Piece::Path(path) => text.push_str(&digits_or_text(scope.find(path)?)?),
                    }
                }
                Cow::Owned(text)
            }
            Self::Join { parts, with } => {
                let parts: Vec<Cow<'v, str>> = parts.iter().filter_map(|part| part.text(scope)).collect();
                Cow::Owned(parts.join(with.as_str()))
            }
            Self::Part { of, after, before, without } => {
                let text = of.text(scope)?;
                let from = if after.is_empty() { 0 } else { text.find(after.as_str())? + after.len() };
                let rest = &text[from..];
                let end = if before.is_empty() { rest.len() } else { rest.find(before.as_str())? };
                let part = &rest[..end];
                if !without.is_empty() && part.contains(without.as_str()) {
                    return None;
                }
                Cow::Owned(part.to_owned())
            }
            Self::First(all) => return all.iter().find_map(|one| one.text(scope)),
            _ => match self.value(scope)? {
                Cow::Borrowed(Value::String(text)) => Cow::Borrowed(text.as_str()),
                Cow::Owned(Value::String(text)) => Cow::Owned(text),
                _ => return None,
            },
        };
        (!text.trim().is_empty()).then_some(text)
    }

    /// Returns a text, or the digits of a number. For an id that nobody sees.
    pub fn text_or_number<'v>(&'v self, scope: &Scope<'v>) -> Option<Cow<'v, str>> {
        let number = |path: &Path| scope.find(path).filter(|value| value.is_number());
        match self {
            Self::Path(path) => match number(path) {
                Some(number) => Some(Cow::Owned(number.to_string())),
                None => self.text(scope),
            },
            Self::First(all) => all.iter().find_map(|one| one.text_or_number(scope)),
            _ => self.text(scope),
        }
    }

    /// Returns the value as a time.
    pub fn time(&self, scope: &Scope<'_>) -> Time {
        match self {
            Self::Time { of, format } => {
                let found = of.iter().find_map(|path| scope.find(path));
                found.map_or(Time::Missing, |value| format.read(value))
            }
            Self::Path(path) => Time::read(scope.find(path)),
            Self::First(all) => {
                let times: Vec<Time> = all.iter().map(|one| one.time(scope)).collect();
                let readable = times.iter().find(|time| matches!(time, Time::At(_)));
                let other = || times.iter().find(|time| **time == Time::Unreadable);
                readable.or_else(other).copied().unwrap_or(Time::Missing)
            }
            _ => self.value(scope).map_or(Time::Missing, |value| Time::read(Some(&value))),
        }
    }

    /// Returns the text, or why there is none. `at` is the place of the event in the body.
    pub fn required<'v>(&'v self, scope: &Scope<'v>, at: &str) -> Result<Cow<'v, str>, Unusable> {
        self.text(scope).ok_or_else(|| {
            let Some(path) = self.first_path() else {
                return Unusable::new("the event", "has no such value");
            };
            let (place, problem) = scope.fault(path);
            Unusable::new(format!("{at}{place}"), problem)
        })
    }

    fn first_path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) | Self::FreeForm(path) => Some(path),
            Self::Template(pieces) => pieces.iter().find_map(|piece| match piece {
                Piece::Path(path) => Some(path),
                Piece::Text(_) => None,
            }),
            Self::First(all) | Self::Join { parts: all, .. } => all.iter().find_map(Self::first_path),
            Self::Part { of, .. } => of.first_path(),
            Self::Typed(_, of) | Self::Time { of, .. } | Self::Date { of, .. } => of.first(),
            Self::Item(item) => Some(&item.list),
            Self::Fields(_) | Self::Constant(_) => None,
        }
    }

    /// Calls `each` with every path that it reads.
    pub fn paths(&self, each: &mut impl FnMut(&Path)) {
        match self {
            Self::Path(path) | Self::FreeForm(path) => each(path),
            Self::Typed(_, paths) | Self::Time { of: paths, .. } | Self::Date { of: paths, .. } => {
                paths.iter().for_each(each);
            }
            Self::Template(pieces) => pieces.iter().for_each(|piece| match piece {
                Piece::Path(path) => each(path),
                Piece::Text(_) => {}
            }),
            Self::Constant(_) => {}
            Self::First(all) | Self::Join { parts: all, .. } => all.iter().for_each(|one| one.paths(each)),
            Self::Part { of, .. } => of.paths(each),
            Self::Fields(members) => members.iter().for_each(|(_, one)| one.paths(each)),
            Self::Item(item) => {
                each(&item.list);
                item.fits.iter().for_each(|(_, one)| one.paths(each));
            }
        }
    }

    /// Whether it can be a text.
    pub fn is_text(&self) -> bool {
        match self {
            Self::Typed(..) | Self::FreeForm(_) | Self::Fields(_) => false,
            Self::Constant(value) => value.is_string(),
            Self::First(all) => all.iter().all(Self::is_text),
            _ => true,
        }
    }

    /// Returns the names of the members of an object.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::Fields(members) => members.iter().map(|(name, _)| name.as_str()).collect(),
            Self::First(all) => all.iter().flat_map(Self::names).collect(),
            _ => Vec::new(),
        }
    }

    /// Adds the names of the members that are free-form to `names`. This one is the member `name`.
    pub fn free_form(&self, name: &str, names: &mut Vec<String>) {
        match self {
            Self::FreeForm(_) => names.push(name.to_owned()),
            Self::First(all) => all.iter().for_each(|one| one.free_form(name, names)),
            Self::Fields(members) => members.iter().for_each(|(name, one)| one.free_form(name, names)),
            _ => {}
        }
    }
}

impl Scope<'_> {
    /// Returns the path of a text that is missing, as it leads into the event, and what is wrong with it.
    fn fault(&self, path: &Path) -> (String, &'static str) {
        let above = match path.root {
            Root::Event | Root::Profile => None,
            Root::User => self.user.at,
            Root::Group => self.group.at,
        };
        let segments = above.into_iter().flat_map(|above| &above.segments).chain(&path.segments);
        let segments: Vec<&str> = segments.map(String::as_str).collect();
        let Some((last, parents)) = segments.split_last() else { return (String::new(), "is missing") };
        let mut parent = self.event;
        for (index, name) in parents.iter().enumerate() {
            match parent.get(*name) {
                Some(Value::Object(object)) => parent = object,
                Some(Value::Array(_)) => return (segments.join("."), "is missing"),
                _ => return (segments[..=index].join("."), "must be an object"),
            }
        }
        let problem = match parent.get(*last) {
            None | Some(Value::Null) => "is missing",
            Some(Value::String(text)) if text.trim().is_empty() => "must not be empty",
            Some(Value::String(_)) => "does not have the expected form",
            Some(_) => "must be a string",
        };
        (segments.join("."), problem)
    }
}

/// Returns the members that have a value.
pub(crate) fn fields<'v>(members: &'v [(String, Expression)], scope: &Scope<'v>) -> Map<String, Value> {
    let value = |(name, expression): &'v (String, Expression)| {
        Some((name.clone(), expression.value(scope)?.into_owned()))
    };
    members.iter().filter_map(value).collect()
}

impl Item {
    fn find<'v>(&'v self, scope: &Scope<'v>) -> Option<&'v Value> {
        let items = scope.find(&self.list)?.as_array()?.iter().take(MAX_ITEMS);
        let member = |item: &'v Map<String, Value>, segments: &[String]| {
            path::find(item, segments.iter().map(String::as_str))
        };
        let wanted: Vec<_> = self.fits.iter().map(|(at, wanted)| (at, wanted.value(scope))).collect();
        let fits = |item: &&'v Map<String, Value>| {
            let same = |(at, wanted): &(&Vec<String>, Option<Cow<'v, Value>>)| {
                wanted.as_deref().is_some_and(|wanted| member(item, at) == Some(wanted))
            };
            wanted.iter().all(same) && self.is.iter().all(|(at, wanted)| member(item, at) == Some(wanted))
        };
        let taken = |item| member(item, &self.take).filter(|value| value.is_string());
        let mut values = items.filter_map(Value::as_object).filter(fits).filter_map(taken);
        let first = values.next()?;
        // Among several that fit by chance, it is unclear which one is meant.
        (!self.fits.is_empty() || values.next().is_none()).then_some(first)
    }
}

impl TimeFormat {
    fn read(&self, value: &Value) -> Time {
        let read = match self {
            Self::Any => return Time::read(Some(value)),
            Self::Unit(unit) => number(value).and_then(|number| unit.read(number)),
            Self::Pattern(pattern) => value.as_str().and_then(|text| patterned(pattern, text.trim())),
        };
        read.map_or(Time::Unreadable, Time::At)
    }
}

impl TimeFormat {
    /// Returns the date as it is written, in whatever zone.
    fn date(&self, value: &Value) -> Option<civil::Date> {
        let text = value.as_str().map(str::trim);
        match self {
            // Ten digits at the beginning of ISO 8601. A number does not say its unit.
            Self::Any => text?.get(..10)?.parse().ok(),
            Self::Unit(_) => match self.read(value) {
                Time::At(time) => Some(TimeZone::UTC.to_datetime(time).date()),
                _ => None,
            },
            Self::Pattern(pattern) => strtime::parse(pattern, text?).ok()?.to_date().ok(),
        }
    }
}

impl Unit {
    fn read(self, number: f64) -> Option<Timestamp> {
        let milliseconds = match self {
            Self::Seconds => number * 1_000.0,
            Self::Milliseconds => number,
            Self::Microseconds => number / 1_000.0,
        };
        // The years 0 to 9999 fit exactly.
        timestamp::from_epoch_milliseconds(milliseconds.round() as i64)
    }
}

fn number(value: &Value) -> Option<f64> {
    let number: f64 = match value {
        Value::String(text) => text.trim().parse().ok(),
        value => value.as_f64(),
    }?;
    number.is_finite().then_some(number)
}

/// Reads a time in a format of `strftime`. Without an offset it is UTC, and without a time it is midnight.
fn patterned(pattern: &str, text: &str) -> Option<Timestamp> {
    let parts = strtime::parse(pattern, text).ok()?;
    let time = match parts.to_timestamp() {
        Ok(time) => time,
        Err(_) => {
            let time = parts.to_datetime().or_else(|_| parts.to_date().map(|date| date.at(0, 0, 0, 0)));
            let time: civil::DateTime = time.ok()?;
            time.to_zoned(TimeZone::UTC).ok()?.timestamp()
        }
    };
    timestamp::from_epoch_milliseconds(time.as_millisecond())
}

impl Type {
    fn has(self, value: &Value) -> bool {
        match self {
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Texts => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
        }
    }
}

fn digits_or_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        value => value.is_number().then(|| Cow::Owned(value.to_string())),
    }
}
