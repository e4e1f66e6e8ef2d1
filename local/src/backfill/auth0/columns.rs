//! Turns a row of a CSV export into the same user as in the NDJSON export.
//!
//! Auth0 puts a single quote before each string of a CSV export, so that no spreadsheet takes it for a
//! formula (Auth0 docs, "Bulk user exports"). Values without a quote are then not strings. A quote before
//! `user_id` shows that an export has them, because no user id begins with one.

use serde_json::{Map, Value};

/// Members that are never strings.
const FLAGS: [&str; 3] = ["email_verified", "phone_verified", "blocked"];
const NUMBERS: [&str; 1] = ["logins_count"];

/// The columns of an export.
#[derive(Debug)]
pub struct Columns(Vec<Vec<PathPart>>);

#[derive(Debug, PartialEq)]
enum PathPart {
    Member(String),
    Item(usize),
}

/// The most items of a list, so that a header cannot fill the memory.
const MOST_ITEMS: usize = 100;

impl Columns {
    /// Reads the header.
    ///
    /// # Errors
    /// When it has no `user_id`.
    pub fn read(header: &[String]) -> Result<Self, String> {
        let columns: Vec<Vec<PathPart>> = header.iter().map(|name| parse_path(name)).collect();
        let user_id = [PathPart::Member("user_id".to_owned())];
        if !columns.iter().any(|column| column[..] == user_id) {
            return Err("it has no column user_id; export it with that field".to_owned());
        }
        Ok(Self(columns))
    }

    /// Returns the user of a row.
    ///
    /// # Errors
    /// When the row and the header have different numbers of fields.
    pub fn user(&self, row: &[String]) -> Result<Map<String, Value>, String> {
        if row.len() != self.0.len() {
            return Err(format!("it has {} fields, but the header has {}", row.len(), self.0.len()));
        }
        let columns = || self.0.iter().zip(row);
        let is_id = |path: &[PathPart]| matches!(path, [PathPart::Member(name)] if name == "user_id");
        let quoted = columns().any(|(path, value)| is_id(path) && value.starts_with('\''));
        let mut user = Value::Object(Map::new());
        for (path, text) in columns().filter(|(_, text)| !text.is_empty()) {
            let name = match path.last() {
                Some(PathPart::Member(name)) => name,
                _ => "",
            };
            put(&mut user, path, value(name, text, quoted));
        }
        match user {
            Value::Object(user) => Ok(user),
            _ => Ok(Map::new()),
        }
    }
}

/// Renames the members of an export by Auth0's User Import/Export extension, such as "Given Name" and "Id".
pub fn normalized(user: Map<String, Value>) -> Map<String, Value> {
    if user.contains_key("user_id") {
        return user;
    }
    user.into_iter().map(|(name, value)| (plain(&name), value)).collect()
}

fn plain(name: &str) -> String {
    match name.trim().to_ascii_lowercase().replace(' ', "_") {
        id if id == "id" => "user_id".to_owned(),
        name => name,
    }
}

/// Parses the name of a column, such as `identities[0].connection` and `user_metadata.country`.
fn parse_path(name: &str) -> Vec<PathPart> {
    let name = name.strip_prefix('\'').unwrap_or(name).trim();
    let name = if name.contains(['.', '[']) { name.to_owned() } else { plain(name) };
    let mut path = Vec::new();
    for part in name.split('.') {
        let (member, items) = part.split_once('[').unwrap_or((part, ""));
        path.push(PathPart::Member(member.to_owned()));
        let indexes = items.split('[').filter_map(|item| item.strip_suffix(']')?.parse().ok());
        path.extend(indexes.filter(|index| *index < MOST_ITEMS).map(PathPart::Item));
    }
    path
}

fn value(name: &str, text: &str, quoted: bool) -> Value {
    let content = if quoted { text.strip_prefix('\'').unwrap_or(text) } else { text };
    let is_text = quoted && text.starts_with('\'');
    match content {
        "true" | "false" if FLAGS.contains(&name) || quoted && !is_text => Value::Bool(content == "true"),
        number if NUMBERS.contains(&name) || quoted && !is_text => {
            serde_json::from_str::<serde_json::Number>(number).map_or_else(|_| content.into(), Value::Number)
        }
        text => text.into(),
    }
}

fn put(target: &mut Value, path: &[PathPart], value: Value) {
    let Some((first, rest)) = path.split_first() else {
        *target = value;
        return;
    };
    let slot = match first {
        PathPart::Member(name) => {
            if !target.is_object() {
                *target = Value::Object(Map::new());
            }
            target.as_object_mut().map(|object| object.entry(name.clone()).or_insert(Value::Null))
        }
        PathPart::Item(index) => {
            if !target.is_array() {
                *target = Value::Array(Vec::new());
            }
            target.as_array_mut().and_then(|items| {
                items.resize(items.len().max(index + 1), Value::Null);
                items.get_mut(*index)
            })
        }
    };
    if let Some(slot) = slot {
        put(slot, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn user(header: &[&str], row: &[&str]) -> Result<Value, String> {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Columns::read(&texts(header))?.user(&texts(row)).map(Value::Object)
    }

    #[test]
    fn a_row_is_the_user_of_the_ndjson_export() {
        let header = [
            "user_id",
            "email",
            "email_verified",
            "logins_count",
            "identities[0].connection",
            "user_metadata.a.b",
        ];
        assert_eq!(
            user(&header, &["'auth0|1", "'a@example.com", "true", "7", "'db", "'true"]),
            Ok(json!({
                "user_id": "auth0|1", "email": "a@example.com", "email_verified": true, "logins_count": 7,
                "identities": [{"connection": "db"}], "user_metadata": {"a": {"b": "true"}},
            }))
        );
        assert_eq!(
            user(&header, &["auth0|1", "", "false", "7", "", "true"]),
            Ok(
                json!({"user_id": "auth0|1", "email_verified": false, "logins_count": 7, "user_metadata": {"a": {"b": "true"}}})
            )
        );
    }

    #[test]
    fn a_single_quote_is_removed_only_where_auth0_put_it() {
        let header = ["user_id", "family_name", "user_metadata.age", "user_metadata.zip"];
        assert_eq!(
            user(&header, &["'auth0|1", "''t Hooft", "41", "'0123"]),
            Ok(
                json!({"user_id": "auth0|1", "family_name": "'t Hooft", "user_metadata": {"age": 41, "zip": "0123"}})
            )
        );
        assert_eq!(
            user(&header, &["auth0|1", "'t Hooft", "41", "0123"]),
            Ok(
                json!({"user_id": "auth0|1", "family_name": "'t Hooft", "user_metadata": {"age": "41", "zip": "0123"}})
            )
        );
    }

    #[test]
    fn the_names_of_the_extension_are_known() {
        assert_eq!(
            user(&["Id", "Given Name", "Email Verified"], &["auth0|1", "Ada", "true"]),
            Ok(json!({"user_id": "auth0|1", "given_name": "Ada", "email_verified": true}))
        );
        let Value::Object(object) = json!({"Id": "auth0|1", "Created At": "x"}) else { panic!("an object") };
        assert_eq!(Value::Object(normalized(object)), json!({"user_id": "auth0|1", "created_at": "x"}));
    }

    #[test]
    fn a_row_that_does_not_fit_the_header_is_refused() {
        assert_eq!(
            user(&["email"], &["a"]).unwrap_err(),
            "it has no column user_id; export it with that field"
        );
        assert_eq!(user(&["user_id", "email"], &["1"]).unwrap_err(), "it has 1 fields, but the header has 2");
        let odd = user(&["user_id", "a[999999999]", "a[x]", "b..c"], &["1", "2", "3", "4"]).unwrap();
        assert_eq!(odd, json!({"user_id": "1", "a": "3", "b": {"": {"c": "4"}}}));
    }
}
