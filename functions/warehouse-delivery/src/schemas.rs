//! The schema of each write key. Two sources never share one (Segment docs, "Warehouse FAQ").

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
};

use settings::DEFAULT_WRITE_KEY;

use crate::name;

/// The schema of the write key `default`, unless a setting names another.
const DEFAULT_SCHEMA: &str = "segue";

/// The schemas of the write keys, by the names of the write keys. A write key that is not named has a schema with its own
/// name in snake case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schemas(BTreeMap<String, String>);

/// Why a text does not name schemas.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemasError {
    /// The name has no characters, or too many bytes.
    #[error("the schema of the write key {0:?} has 1 to 63 bytes")]
    Length(String),
    /// PostgreSQL has schemas of this name.
    #[error("PostgreSQL keeps the schema {0:?} for itself")]
    Reserved(String),
    /// Two write keys share a schema.
    #[error("two write keys have the same schema; their messages would be mixed up")]
    Shared,
}

impl Default for Schemas {
    fn default() -> Self {
        Self(BTreeMap::from([(DEFAULT_WRITE_KEY.to_owned(), DEFAULT_SCHEMA.to_owned())]))
    }
}

impl FromStr for Schemas {
    type Err = SchemasError;

    /// Reads the schema of the write key `default`, or several such as `default=segue,shop=shop_eu`.
    fn from_str(text: &str) -> Result<Self, SchemasError> {
        let mut schemas = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (write_key, schema) = part.split_once('=').unwrap_or((DEFAULT_WRITE_KEY, part));
            let (write_key, schema) = (write_key.trim(), schema.trim());
            if schema.is_empty() || schema.len() > name::MAX_BYTES || schema.contains('\0') {
                return Err(SchemasError::Length(write_key.to_owned()));
            }
            if schema.starts_with("pg_") || schema == "information_schema" {
                return Err(SchemasError::Reserved(schema.to_owned()));
            }
            schemas.0.insert(write_key.to_owned(), schema.to_owned());
        }
        let distinct: BTreeSet<&String> = schemas.0.values().collect();
        if distinct.len() < schemas.0.len() {
            return Err(SchemasError::Shared);
        }
        Ok(schemas)
    }
}

impl Schemas {
    /// Returns the schema of the write key with this name.
    pub fn of(&self, write_key: &str) -> String {
        if let Some(schema) = self.0.get(write_key) {
            return schema.clone();
        }
        let schema = name::schema(write_key);
        if self.0.values().any(|named| *named == schema) { format!("_{schema}") } else { schema }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_write_key_has_a_schema_of_its_own() {
        for (text, write_key, expected) in [
            ("", "default", "segue"),
            ("", "Shop EU", "shop_eu"),
            ("", "segue", "_segue"),
            ("analytics", "default", "analytics"),
            ("shop=My Shop", "shop", "My Shop"),
            ("shop=My Shop", "default", "segue"),
            (" default = a , shop = b ", "shop", "b"),
        ] {
            assert_eq!(text.parse::<Schemas>().unwrap().of(write_key), expected, "{text}");
        }
        for text in ["shop=segue", "default=a,shop=a", "pg_a", "information_schema", "shop=", &"x".repeat(64)]
        {
            assert!(text.parse::<Schemas>().is_err(), "{text}");
        }
    }
}
