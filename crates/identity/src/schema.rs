//! The grammar of Segue's TOML files as data, and the JSON schema of it.

use serde_json::{Map, Value, json};

use crate::{declaration, mappings, providers::Providers};

/// A key of a table: its name, its meaning for people, and the form of its value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key(pub &'static str, pub &'static str, pub Form);

/// The form of a value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// A text that is not empty, with an example for people.
    Text(&'static str),
    /// One of these texts.
    OneOf(&'static [&'static str]),
    Flag,
    Number,
    /// Any value that JSON has.
    Any,
    /// An array, or one of its items.
    List(&'static Form),
    /// A table with these keys.
    Table(&'static [Key]),
    /// An array of tables with these keys, or one table.
    Tables(&'static [Key]),
    /// A table with names of its own.
    Map(&'static Form),
    /// A form with a name, which stands once in the schema.
    Named(&'static str),
}

/// Returns the names of keys.
pub(crate) fn names(keys: &[Key]) -> Vec<&'static str> {
    keys.iter().map(|key| key.0).collect()
}

/// Returns the JSON schema, draft 7, of a file with rules, with declared providers, or with both.
pub fn schema() -> Value {
    let mut properties = table(mappings::MAPPING);
    // A provider that is code has rules alone, and may have several routes.
    for provider in Providers::built_in().all().filter(|provider| provider.is_code()) {
        match provider.route.split_once('/') {
            None => drop(properties.insert(provider.route.to_owned(), definition("rules"))),
            Some((name, route)) => {
                let routes = properties.entry(name).or_insert_with(|| object(&Map::new()));
                routes["properties"][route] = definition("rules");
            }
        }
    }
    let mut provider = table(mappings::RULES);
    provider.append(&mut table(declaration::PROVIDER));
    let path = form(&Form::Text("a path, such as event.user.id"));
    let paths = json!({"anyOf": [path, {"type": "array", "items": path}]});
    let mut expressions =
        vec![path, json!({"type": "array", "items": definition("expression"), "minItems": 1})];
    expressions.extend(declaration::EXPRESSIONS.iter().map(|keys| {
        let mut object = object(&table(keys));
        object["required"] = json!([keys[0].0]);
        object
    }));
    let constant = json!({"type": "object", "properties": {"value": {}}, "required": ["value"], "additionalProperties": false});
    let fields = json!({"type": "object", "additionalProperties": {"anyOf": [paths, constant]}});
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Segue's mappings and providers",
        "type": "object",
        "properties": properties,
        "additionalProperties": definition("provider"),
        "definitions": {
            "provider": object(&provider),
            "rules": object(&table(mappings::RULES)),
            "expression": {"anyOf": expressions},
            "set": fields,
            "fields": {"anyOf": [
                {"type": "string"},
                fields,
                {"type": "array", "items": definition("fields")},
            ]},
            "eventName": {"anyOf": [
                {"type": "string", "minLength": 1},
                {
                    "type": "object",
                    "properties": {"provider": {"type": "string"}, "segment": {"type": "string"}},
                    "additionalProperties": false,
                },
            ]},
            "condition": {"anyOf": [
                {"type": ["string", "number", "boolean", "array"]},
                {
                    "type": "object",
                    "properties": {"not": {}, "exists": {"type": "boolean"}},
                    "additionalProperties": false,
                },
            ]},
        },
    })
}

fn definition(name: &str) -> Value {
    json!({"$ref": format!("#/definitions/{name}")})
}

fn object(properties: &Map<String, Value>) -> Value {
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

fn table(keys: &[Key]) -> Map<String, Value> {
    let property = |key: &Key| {
        let mut value = form(&key.2);
        // Beside a reference, draft 7 allows nothing.
        if value.get("$ref").is_some() {
            value = json!({"allOf": [value]});
        }
        value["description"] = key.1.into();
        (key.0.to_owned(), value)
    };
    keys.iter().map(property).collect()
}

fn form(of: &Form) -> Value {
    match of {
        Form::Text(example) => json!({"type": "string", "examples": [example]}),
        Form::OneOf(texts) => json!({"type": "string", "enum": texts}),
        Form::Flag => json!({"type": "boolean"}),
        Form::Number => json!({"type": "integer"}),
        Form::Any => json!({}),
        Form::List(item) => json!({"anyOf": [form(item), {"type": "array", "items": form(item)}]}),
        Form::Table(keys) => object(&table(keys)),
        Form::Tables(keys) => {
            let one = object(&table(keys));
            json!({"anyOf": [one, {"type": "array", "items": one}]})
        }
        Form::Map(value) => json!({"type": "object", "additionalProperties": form(value)}),
        Form::Named(name) => definition(name),
    }
}
