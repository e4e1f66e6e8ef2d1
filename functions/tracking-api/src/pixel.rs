//! Reads the message in the address of an image (Segment docs, "Tracking Pixel API").

use base64::Engine;
use platform::encoding::BASE64;
use serde_json::{Map, Value};

use crate::route::parameters;

/// The most names in a parameter's name. Further dots are part of the last name.
const MAX_NAMES: usize = 20;

/// A transparent image of one pixel.
pub(crate) const GIF: &[u8] = &[
    0x47, 0x49, 0x46, 0x38, 0x39, 0x61, 0x01, 0x00, 0x01, 0x00, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff,
    0xff, 0xff, 0x21, 0xf9, 0x04, 0x01, 0x00, 0x00, 0x00, 0x00, 0x2c, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00,
    0x01, 0x00, 0x00, 0x02, 0x01, 0x44, 0x00, 0x3b,
];

/// Returns the JSON text of the message in a query: its `data`, in base64 or plain. Without `data`, the
/// parameters form the message; `properties.size` is a member of `properties`.
pub(crate) fn text(query: &str) -> Vec<u8> {
    let mut parameters = parameters(query);
    match parameters.find(|(name, value)| name == "data" && !value.is_empty()) {
        Some((_, data)) => decoded(&data).unwrap_or_else(|| data.into_bytes()),
        None => Value::Object(object(query)).to_string().into_bytes(),
    }
}

/// Decodes base64 in the alphabet for URLs or in the other one, whose plus sign a query turns into a space.
fn decoded(data: &str) -> Option<Vec<u8>> {
    let data = data.trim().replace([' ', '-'], "+").replace('_', "/");
    BASE64.decode(data).ok()
}

fn object(query: &str) -> Map<String, Value> {
    let mut object = Map::new();
    for (name, value) in parameters(query) {
        let value = boolean(&name, &value).map_or(Value::String(value), Value::Bool);
        let mut names: Vec<&str> = name.splitn(MAX_NAMES, '.').collect();
        let last = names.pop().unwrap_or_default();
        let place = names.into_iter().try_fold(&mut object, |place, name| {
            let inner = place.entry(name).or_insert_with(|| Value::Object(Map::new()));
            inner.as_object_mut()
        });
        if let Some(place) = place {
            place.entry(last).or_insert(value);
        }
    }
    object
}

/// Reads a parameter as a boolean, because parameters have no type. Without this, a member that must be
/// `false` would be a text, and somebody could receive a message by mistake.
fn boolean(name: &str, value: &str) -> Option<bool> {
    let is_one = name.starts_with("integrations.") || name == "context.direct";
    value.parse().ok().filter(|_| is_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_from_data_and_from_parameters() {
        for (query, expected) in [
            ("data=eyJhIjoiw7/Dv8O_In0=", r#"{"a":"ÿÿÿ"}"#),
            ("data=eyJhIjoiw7_Dv8O_In0", r#"{"a":"ÿÿÿ"}"#),
            ("x=1&data=eyJhIjoifn5%2BIn0%3D", r#"{"a":"~~~"}"#),
            ("data=eyJhIjoifn5+In0=", r#"{"a":"~~~"}"#),
            ("data=%7B%22a%22:1%7D", r#"{"a":1}"#),
            (
                "userId=u&event=Email+Opened&writeKey=k",
                r#"{"userId":"u","event":"Email Opened","writeKey":"k"}"#,
            ),
            (
                "userId=u&properties.subject=The%20Daily&properties.a.b=%C3%BC&properties.subject=2&properties=x",
                r#"{"userId":"u","properties":{"subject":"The Daily","a":{"b":"ü"}}}"#,
            ),
            ("a=1&a.b=2&flag", r#"{"a":"1"}"#),
            (
                "integrations.All=false&integrations.Webhooks=true&properties.ok=true&context.direct=true",
                r#"{"integrations":{"All":false,"Webhooks":true},"properties":{"ok":"true"},"context":{"direct":true}}"#,
            ),
            ("", "{}"),
        ] {
            assert_eq!(String::from_utf8(text(query)).unwrap(), expected, "{query}");
        }
        let deep = format!("{}=1", vec!["a"; 1_000].join("."));
        assert!(segment::json::parse(&text(&deep)).is_ok());
    }
}
