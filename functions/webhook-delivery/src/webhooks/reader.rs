//! Reads the members of a JSON object by name. Collects every problem with its path and quotes no value,
//! because any value may be a misplaced secret.

use serde_json::{Map, Value};
use settings::nearest::unknown_member;

/// The most secrets that are valid at the same time: the current one and the previous one.
const MAX_SECRETS: usize = 2;

pub(super) struct Reader<'a> {
    object: Map<String, Value>,
    /// The given names, in order, and the requested names.
    names: Vec<String>,
    known: Vec<String>,
    prefix: String,
    problems: &'a mut Vec<String>,
}

impl<'a> Reader<'a> {
    pub fn new(object: Map<String, Value>, prefix: String, problems: &'a mut Vec<String>) -> Self {
        let names = object.keys().cloned().collect();
        Self { object, names, known: Vec::new(), prefix, problems }
    }

    pub fn problem(&mut self, name: &str, problem: &str) {
        self.problems.push(format!("{}{name}: {problem}", self.prefix));
    }

    /// Returns the value unchanged.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.known.push(name.to_owned());
        self.object.shift_remove(name)
    }

    /// Reads one secret, or a list of the current and the previous one.
    pub fn secrets(&mut self, name: &str) -> Vec<String> {
        let secrets = match self.take(name) {
            None => return Vec::new(),
            Some(Value::String(secret)) => vec![Value::String(secret)],
            Some(Value::Array(secrets)) if (1..=MAX_SECRETS).contains(&secrets.len()) => secrets,
            Some(_) => Vec::new(),
        };
        let texts: Vec<String> = secrets.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        if texts.is_empty() || texts.len() < secrets.len() || texts.iter().any(|text| text.trim().is_empty())
        {
            self.problem(name, "must be a text, or a list of the current and the previous one");
            return Vec::new();
        }
        texts
    }

    pub fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        match self.take(name)? {
            Value::Array(values) if values.iter().all(Value::is_string) => {
                Some(values.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            }
            _ => {
                self.problem(name, "must be a list of texts");
                None
            }
        }
    }

    pub fn number(&mut self, name: &str, least: f64, most: f64) -> Option<f64> {
        let value = self.take(name)?;
        let number = value.as_f64().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.problem(name, &format!("must be a number from {least} to {most}"));
        }
        number
    }

    /// Reads a whole number of at least 1.
    pub fn count(&mut self, name: &str, most: usize) -> Option<usize> {
        let value = self.take(name)?;
        let count = value.as_u64().and_then(|count| usize::try_from(count).ok());
        let count = count.filter(|count| (1..=most).contains(count));
        if count.is_none() {
            self.problem(name, &format!("must be a whole number from 1 to {most}"));
        }
        count
    }

    pub fn object(&mut self, name: &str) -> Option<Map<String, Value>> {
        match self.take(name)? {
            Value::Object(object) => Some(object),
            _ => {
                self.problem(name, "must be an object");
                None
            }
        }
    }

    /// Reads the objects of a list, with their indexes. There must be at least one, called `example` in
    /// errors.
    pub fn objects(&mut self, name: &str, example: &str) -> Vec<(usize, Map<String, Value>)> {
        let values = match self.take(name) {
            Some(Value::Array(values)) if !values.is_empty() => values,
            _ => {
                self.problem(name, &format!("must be a list of at least one {example}"));
                return Vec::new();
            }
        };
        let mut objects = Vec::new();
        for (index, value) in values.into_iter().enumerate() {
            match value {
                Value::Object(object) => objects.push((index, object)),
                _ => self.problem(&format!("{name}[{index}]"), "must be an object"),
            }
        }
        objects
    }

    /// Reports the remaining members. They are probably misspelled, and their intended effect would be
    /// missing.
    pub fn finish(self) {
        let known: Vec<&str> = self.known.iter().map(String::as_str).collect();
        let place = self.prefix.trim_end_matches('.');
        let place = if place.is_empty() { String::new() } else { format!("{place}: ") };
        for name in self.object.keys() {
            let problem = unknown_member(name, self.names.iter(), &known);
            self.problems.push(format!("{place}{problem}"));
        }
    }
}
