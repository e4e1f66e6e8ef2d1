//! Finds names that occur more than once in an object. In JSON the last one wins, which is a risk in
//! settings.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};

/// Returns the names that more than one member of this object has. Returns none if the text is not an object.
pub fn repeated_names(text: &str) -> Vec<String> {
    let names = super::parse_as::<Names>(text.as_bytes()).map_or_else(|_| Vec::new(), |names| names.0);
    let again = |(index, name): &(usize, &String)| names[..*index].contains(name);
    names.iter().enumerate().filter(again).map(|(_, name)| name.clone()).collect()
}

/// The names of an object's members, each as often as it occurs.
struct Names(Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Names;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
        let mut names = Vec::new();
        while let Some((name, IgnoredAny)) = map.next_entry()? {
            names.push(name);
        }
        Ok(Names(names))
    }
}
