//! Escapes text from senders, servers and files, so that it cannot control the terminal.
//!
//! Control characters, and characters that change the reading direction, are shown as `\u{1b}`. In JSON they
//! are written as `\u001b`, so that it keeps its meaning.

use std::{borrow::Cow, fmt::Write};

/// Escapes a text inside a line. It also escapes line ends and tabs, so that the text cannot begin a new
/// line.
pub fn escape_inline(text: &str) -> Cow<'_, str> {
    escaped(text, |character| is_control(character).then(|| character.escape_unicode().to_string()))
}

/// Escapes whole lines.
pub fn escape_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |character| match character {
        '\n' | '\t' => None,
        other => is_control(other).then(|| other.escape_unicode().to_string()),
    })
}

/// Escapes whole lines, except escape sequences that set a color. Text of others in them must already be
/// escaped with [`escape_inline`].
pub fn escape_colored(text: &str) -> Cow<'_, str> {
    let mut rest = text;
    let mut shown = Cow::Borrowed("");
    while let Some(at) = rest.find('\u{1b}') {
        shown += escape_lines(&rest[..at]);
        let length = color_sequence(&rest[at..]);
        if length == 0 {
            shown += "\\u{1b}";
        }
        shown += &rest[at..at + length];
        rest = &rest[at + length.max(1)..];
    }
    if shown.is_empty() { escape_lines(rest) } else { shown + escape_lines(rest) }
}

/// Escapes JSON.
pub fn escape_json(text: &str) -> Cow<'_, str> {
    escaped(text, |character| match character {
        '\n' | '\r' | '\t' => None,
        other => is_control(other).then(|| format!("\\u{:04x}", u32::from(other))),
    })
}

/// C0, DEL and C1; marks, embeddings, overrides and isolates of direction; separators of lines and
/// paragraphs.
fn is_control(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// Returns the length of the color sequence at the start of `text`, such as `ESC [ 31 m`, or 0 if there is
/// none.
fn color_sequence(text: &str) -> usize {
    let Some(parameters) = text.strip_prefix("\u{1b}[") else { return 0 };
    match parameters.find(|character: char| !character.is_ascii_digit() && character != ';') {
        Some(end) if parameters[end..].starts_with('m') => "\u{1b}[".len() + end + 1,
        _ => 0,
    }
}

fn escaped(text: &str, escape: impl Fn(char) -> Option<String>) -> Cow<'_, str> {
    if !text.chars().any(|character| escape(character).is_some()) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        // Writing into a string cannot fail.
        let _ = match escape(character) {
            Some(escape) => shown.write_str(&escape),
            None => shown.write_char(character),
        };
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One character of each kind.
    const HOSTILE: [char; 12] = [
        '\0', '\u{7}', '\u{8}', '\r', '\u{1b}', '\u{7f}', '\u{9b}', '\u{61c}', '\u{200f}', '\u{2028}',
        '\u{202e}', '\u{2066}',
    ];

    #[test]
    fn control_characters_are_escaped() {
        for character in HOSTILE {
            let text = format!("a{character}[2Jé漢😀");
            let expected = format!("a{}[2Jé漢😀", character.escape_unicode());
            assert_eq!([escape_inline(&text), escape_lines(&text), escape_colored(&text)], [&*expected; 3]);
        }
        assert_eq!(escape_inline("a\n\tb"), "a\\u{a}\\u{9}b");
        assert_eq!(escape_lines("a\n\tb"), "a\n\tb");
        assert!(matches!(escape_lines("plain\n"), Cow::Borrowed(_)));
    }

    #[test]
    fn only_color_sequences_pass() {
        for text in ["\u{1b}[31mred\u{1b}[0m", "\u{1b}[1;38;5;7mx\u{1b}[m\n", "\u{1b}[2m1\u{1b}[0m  x"] {
            assert_eq!(escape_colored(text), text);
        }
        for (text, expected) in [
            ("\u{1b}[2J\u{1b}[31mx", "\\u{1b}[2J\u{1b}[31mx"),
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("a\u{1b}", "a\\u{1b}"),
            ("\u{1b}\u{1b}[0m\u{1b}[1", "\\u{1b}\u{1b}[0m\\u{1b}[1"),
        ] {
            assert_eq!(escape_colored(text), expected, "{text:?}");
        }
    }

    #[test]
    fn escaped_json_keeps_its_meaning() {
        let value = serde_json::json!({ "a": HOSTILE.iter().collect::<String>(), "é\u{9b}": ["\u{202e}"] });
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let shown = escape_json(&text);
            assert!(!shown.chars().any(|character| is_control(character) && character != '\n'), "{shown}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        }
    }
}
