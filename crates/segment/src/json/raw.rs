//! Parts of a JSON text, in their original form.

use std::ops::Range;

/// Returns the members of the object `text`, each with the text of its value. The text must be JSON; the list
/// ends at the first fault.
pub fn members(text: &str) -> impl Iterator<Item = (String, &str)> {
    let mut parts = Parts::of(text, b'{');
    std::iter::from_fn(move || {
        let name = super::parse_as(text[parts.value()?].as_bytes()).ok()?;
        parts.skip(b':')?;
        Some((name, &text[parts.value()?]))
    })
}

/// Returns the texts of the items of the list `text`. The text must be JSON; the list ends at the first
/// fault.
pub fn items(text: &str) -> impl Iterator<Item = &str> {
    let mut parts = Parts::of(text, b'[');
    std::iter::from_fn(move || Some(&text[parts.value()?]))
}

/// Walks through a text from value to value.
struct Parts<'t> {
    text: &'t [u8],
    at: usize,
}

impl<'t> Parts<'t> {
    fn of(text: &'t str, begin: u8) -> Self {
        let mut parts = Self { text: text.as_bytes(), at: 0 };
        if parts.skip(begin).is_none() {
            parts.at = text.len();
        }
        parts
    }

    /// Advances to the next byte that is not a space or a comma.
    fn next(&mut self) -> Option<u8> {
        while matches!(self.text.get(self.at)?, b' ' | b'\t' | b'\n' | b'\r' | b',') {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    /// Advances past `expected`.
    fn skip(&mut self, expected: u8) -> Option<()> {
        (self.next()? == expected).then(|| self.at += 1)
    }

    /// Returns the position of the next value and advances past it.
    fn value(&mut self) -> Option<Range<usize>> {
        let begin = match self.next()? {
            b'}' | b']' => return None,
            _ => self.at,
        };
        let mut depth = 0_usize;
        loop {
            match self.text.get(self.at).copied() {
                Some(b'"') => self.string()?,
                Some(b'{' | b'[') => (depth, self.at) = (depth + 1, self.at + 1),
                Some(b'}' | b']') if depth > 0 => (depth, self.at) = (depth - 1, self.at + 1),
                None | Some(b'}' | b']' | b',' | b':' | b' ' | b'\t' | b'\n' | b'\r') if depth == 0 => break,
                None => return None,
                Some(_) => self.at += 1,
            }
            if depth == 0 && matches!(self.text[self.at - 1], b'"' | b'}' | b']') {
                break;
            }
        }
        (self.at > begin).then_some(begin..self.at)
    }

    /// Advances past a string.
    fn string(&mut self) -> Option<()> {
        loop {
            self.at += 1;
            match self.text.get(self.at)? {
                b'\\' => self.at += 1,
                b'"' => break,
                _ => {}
            }
        }
        self.at += 1;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn parts_keep_their_original_text() {
        let text = r#" { "a" : 1.50 , "b":[ {"c":"}]\\\""},7 , null,"x"] ,"\u0061":{"d": [[]]}} "#;
        let members: Vec<_> = members(text).collect();
        assert_eq!(
            members,
            [
                ("a".to_owned(), "1.50"),
                ("b".to_owned(), r#"[ {"c":"}]\\\""},7 , null,"x"]"#),
                ("a".to_owned(), r#"{"d": [[]]}"#)
            ]
        );
        assert_eq!(items(members[1].1).collect::<Vec<_>>(), [r#"{"c":"}]\\\""}"#, "7", "null", r#""x""#]);
        for none in ["", "[]", "7", " {} ", "{", r#"{"a"#, r#"{"a":"#, "null", "ü"] {
            assert_eq!(super::members(none).count(), 0, "{none}");
        }
        assert_eq!(items("[[[").count() + items(r#"["\"#).count(), 0);
    }

    proptest! {
        #[test]
        fn no_odd_text_causes_a_panic(text in r#"[\[\]{}:,"\\ a1]{0,30}"#) {
            let _ = (members(&text).count(), items(&text).count());
        }

        #[test]
        fn items_are_the_same_as_a_parsers(values in prop::collection::vec("[a-z\\\\\"\\]}, ]{0,6}", 0..5)) {
            let values: Vec<Value> = values.into_iter().map(|text| serde_json::json!({"a": [text]})).collect();
            let text = serde_json::to_string_pretty(&values).unwrap();
            let found: Vec<Value> = items(&text).map(|item| serde_json::from_str(item).unwrap()).collect();
            prop_assert_eq!(found, values);
        }
    }
}
