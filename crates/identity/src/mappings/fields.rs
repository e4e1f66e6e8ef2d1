//! Traits, properties and context: sets of fields, by name or written in place.

use std::sync::Arc;

use serde_json::Value;
use settings::nearest::suggestion;

use super::rule::{Field, Fields, Source};
use crate::{
    credentials,
    document::{Content, Node, Table},
    faults::Faults,
};

/// A provider's named sets.
#[derive(Default)]
pub(super) struct FieldSets(Vec<(String, Arc<[Field]>)>);

impl FieldSets {
    pub fn read(node: &Node<'_>, faults: &mut Faults) -> Self {
        let mut sets = Vec::new();
        for (key, node) in faults.table(node).into_iter().flatten() {
            if let Some(table) = faults.table(node) {
                sets.push((key.name.to_string(), in_place(table, faults).into()));
            }
        }
        Self(sets)
    }
}

/// Reads the fields of a rule: a set's name, a table of fields, or an array of these.
pub(super) fn read(node: &Node<'_>, sets: &FieldSets, faults: &mut Faults) -> Fields {
    let mut named = Vec::new();
    collect(node, sets, &mut named, faults);
    Fields::of(named)
}

fn collect(node: &Node<'_>, sets: &FieldSets, into: &mut Vec<Arc<[Field]>>, faults: &mut Faults) {
    match &node.content {
        Content::Table(table) => into.push(in_place(table, faults).into()),
        Content::Array(items) => items.iter().for_each(|item| collect(item, sets, into, faults)),
        Content::Text(name) => match sets.0.iter().find(|(known, _)| known == name) {
            Some((_, fields)) => into.push(fields.clone()),
            None => {
                let known: Vec<&str> = sets.0.iter().map(|(known, _)| known.as_str()).collect();
                faults.add(&node.at, format!("there is no set {name:?}; {}", suggestion(name, &known)));
            }
        },
        _ => faults.add(&node.at, "this must be the name of a set, a table of fields, or an array of these"),
    }
}

fn in_place(table: &Table<'_>, faults: &mut Faults) -> Vec<Field> {
    let mut fields = Vec::new();
    for (key, node) in table {
        let name = &key.name;
        if credentials::is_credential(name, &Value::String(String::new())) {
            faults.add(&key.at, format!("{name:?} names a credential, and those are never sent"));
            continue;
        }
        let source = match &node.content {
            Content::Text(_) => faults.path(node).map(|path| Source::Paths(vec![path])),
            Content::Array(places) => {
                Some(Source::Paths(places.iter().filter_map(|place| faults.path(place)).collect()))
            }
            Content::Table(table) => match table.as_slice() {
                [(key, node)] if key.name == "value" => faults.constant(node).map(Source::Constant),
                _ => {
                    faults.add(
                        &node.at,
                        "a field is a path, an array of paths, or a constant as { value = … }",
                    );
                    None
                }
            },
            Content::Date => {
                faults.add(&node.at, "JSON has no such value; put it in quotes");
                None
            }
            _ => {
                faults.add(&node.at, "a field is a path, an array of paths, or a constant as { value = … }");
                None
            }
        };
        fields.extend(source.map(|source| Field { name: name.to_string(), source }));
    }
    fields
}
