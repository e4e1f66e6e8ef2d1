//! Writes JSON exactly as Node's `JSON.stringify` does.
//!
//! The documented way to check `X-Signature` is to sign `JSON.stringify(req.body)` again, after `JSON.parse`.
//! So the sent and signed text must not change in these two steps: integer-like keys come first, numbers have
//! JavaScript's form, and only necessary escapes are used.

use segment::{Message, MessageType};
use serde_json::{Map, Number, Value};

/// The largest array index of JavaScript, 2³² − 2. Object keys up to it come first, in ascending order.
const MAX_INDEX: u32 = u32::MAX - 1;

/// The version that Segment puts at the beginning of its posts.
const VERSION: &str = r#""version":1"#;

/// Returns the result of `JSON.stringify(JSON.parse(text))` for the JSON that `value` was parsed from.
pub fn stringify(value: &Value) -> String {
    let mut text = String::new();
    write_value(&mut text, value);
    text
}

/// Returns the body of a request: the message, with `"version":1` at its beginning if it has none. Segment's
/// `delete` has no version.
pub fn of_message(message: &Message) -> String {
    let object = message.as_object();
    let versioned = message.message_type() == MessageType::Delete || object.contains_key("version");
    let mut text = String::with_capacity(message.as_json().len() + VERSION.len() + 1);
    write_object(&mut text, object, if versioned { None } else { Some(VERSION) });
    text
}

fn write_value(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(true) => text.push_str("true"),
        Value::Bool(false) => text.push_str("false"),
        Value::Number(number) => write_number(text, number),
        Value::String(string) => write_string(text, string),
        Value::Array(items) => {
            text.push('[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    text.push(',');
                }
                write_value(text, item);
            }
            text.push(']');
        }
        Value::Object(object) => write_object(text, object, None),
    }
}

/// Writes an object. `first` is a member, as JSON, that comes before those of `object`, but after the array
/// indexes, because JavaScript puts them at the beginning of every object.
fn write_object(text: &mut String, object: &Map<String, Value>, first: Option<&str>) {
    let mut indexed: Vec<(u32, &str, &Value)> = Vec::new();
    for (key, value) in object {
        if let Some(index) = array_index(key) {
            indexed.push((index, key, value));
        }
    }
    indexed.sort_unstable_by_key(|(index, ..)| *index);
    let rest = object.iter().filter(|(key, _)| array_index(key).is_none());

    let mut separator = '{';
    for (_, key, value) in indexed {
        write_member(text, &mut separator, key, value);
    }
    if let Some(member) = first {
        text.push(std::mem::replace(&mut separator, ','));
        text.push_str(member);
    }
    for (key, value) in rest {
        write_member(text, &mut separator, key, value);
    }
    if separator == '{' {
        text.push('{');
    }
    text.push('}');
}

/// Writes a member. `separator` is the brace before the first member, and a comma after that.
fn write_member(text: &mut String, separator: &mut char, key: &str, value: &Value) {
    text.push(std::mem::replace(separator, ','));
    write_string(text, key);
    text.push(':');
    write_value(text, value);
}

/// Returns the array index that `key` is, in JavaScript's one spelling: no sign, no leading zero.
fn array_index(key: &str) -> Option<u32> {
    let canonical = key == "0" || matches!(key.as_bytes(), [b'1'..=b'9', rest @ ..] if rest.len() < 10);
    // A digit comes first, so `parse` cannot accept a sign.
    canonical.then(|| key.parse().ok()).flatten().filter(|index| *index <= MAX_INDEX)
}

fn write_number(text: &mut String, number: &Number) {
    // serde_json keeps the digits as they were written; JavaScript has only doubles.
    match number.as_str().parse::<f64>() {
        Ok(number) if number.is_finite() => text.push_str(ryu_js::Buffer::new().format_finite(number)),
        // `JSON.parse` turns a number that is too large into Infinity, and `JSON.stringify` turns that into
        // null.
        _ => text.push_str("null"),
    }
}

fn write_string(text: &mut String, string: &str) {
    text.push('"');
    let mut rest = string;
    while let Some(at) = rest.find(|character| matches!(character, '"' | '\\' | '\0'..='\x1f')) {
        text.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'"' => text.push_str("\\\""),
            b'\\' => text.push_str("\\\\"),
            0x08 => text.push_str("\\b"),
            b'\t' => text.push_str("\\t"),
            b'\n' => text.push_str("\\n"),
            0x0c => text.push_str("\\f"),
            b'\r' => text.push_str("\\r"),
            control => text.push_str(&format!("\\u{control:04x}")),
        }
        rest = &rest[at + 1..];
    }
    text.push_str(rest);
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        stringify(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn numbers_are_written_as_javascript_writes_them() {
        for (text, expected) in [
            ("0", "0"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("-0e5", "0"),
            ("1.0", "1"),
            ("0.10", "0.1"),
            ("39.950", "39.95"),
            ("-2.50e-7", "-2.5e-7"),
            ("1e2", "100"),
            ("1E+2", "100"),
            ("1e20", "100000000000000000000"),
            ("1e21", "1e+21"),
            ("0.000001", "0.000001"),
            ("1e-7", "1e-7"),
            ("5e-324", "5e-324"),
            ("2e-324", "0"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
            ("1e400", "null"),
            ("-1e400", "null"),
            ("9007199254740993", "9007199254740992"),
            ("12345678901234567890", "12345678901234567000"),
            ("0.1000000000000000055511151231257827", "0.1"),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
    }

    #[test]
    fn array_indexes_come_first_in_ascending_order() {
        for (text, expected) in [
            (r#"{"b":1,"2":2,"a":3,"10":4,"1":5}"#, r#"{"1":5,"2":2,"10":4,"b":1,"a":3}"#),
            (r#"{"a":0,"4294967295":1,"4294967294":2}"#, r#"{"4294967294":2,"a":0,"4294967295":1}"#),
            (
                r#"{"01":1,"-1":2,"1.0":3,"+1":4," 1":5,"1e1":6,"1":7}"#,
                r#"{"1":7,"01":1,"-1":2,"1.0":3,"+1":4," 1":5,"1e1":6}"#,
            ),
            (
                r#"{"z":1,"99999999999":2,"9999999999":3,"1":4}"#,
                r#"{"1":4,"z":1,"99999999999":2,"9999999999":3}"#,
            ),
            (r#"{"":1,"0":2}"#, r#"{"0":2,"":1}"#),
            (r#"{"a":{"1":1,"0":[{"b":1,"0":2}]}}"#, r#"{"a":{"0":[{"0":2,"b":1}],"1":1}}"#),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
    }

    #[test]
    fn a_key_that_comes_twice_keeps_its_first_place_and_its_last_value() {
        assert_eq!(of(r#"{"a":1,"b":2,"a":3,"__proto__":4}"#), r#"{"a":3,"b":2,"__proto__":4}"#);
    }

    #[test]
    fn only_necessary_escapes_are_used() {
        for (text, expected) in [
            (r#""\u0000\b\t\n\u000b\f\r\u001f""#, r#""\u0000\b\t\n\u000b\f\r\u001f""#),
            (r#""\/\"\\""#, r#""/\"\\""#),
            (r#""\u007f\u2028\u2029\ufffe""#, "\"\u{7f}\u{2028}\u{2029}\u{fffe}\""),
            (r#""\ud83d\ude00\u00E9""#, "\"😀é\""),
            (r#"{"a\nb":""}"#, r#"{"a\nb":""}"#),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
    }

    #[test]
    fn empty_values_stay_empty() {
        for text in ["{}", "[]", r#"{"a":{},"b":[],"c":[{},[]]}"#, "null", "true", "[false,null]"] {
            assert_eq!(of(text), text);
        }
    }

    #[test]
    fn a_version_is_put_first_unless_there_is_one_or_the_message_is_a_deletion() {
        for (message, expected) in [
            (
                r#"{"type":"track","userId":"u","event":"e"}"#,
                r#"{"version":1,"type":"track","userId":"u","event":"e"}"#,
            ),
            (
                r#"{"type":"track","userId":"u","event":"e","0":1}"#,
                r#"{"0":1,"version":1,"type":"track","userId":"u","event":"e"}"#,
            ),
            (
                r#"{"type":"identify","userId":"u","version":2}"#,
                r#"{"type":"identify","userId":"u","version":2}"#,
            ),
            (r#"{"type":"delete","userId":"u"}"#, r#"{"type":"delete","userId":"u"}"#),
        ] {
            let message = Message::from_json(message.as_bytes()).unwrap();
            assert_eq!(of_message(&message), expected);
        }
    }
}
