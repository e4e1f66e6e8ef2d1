//! Text of others on its way to a terminal: no sender, server or file writes on the screen of the person who reads.
//!
//! Characters that a terminal obeys, or that change the order in which text is read, are shown as `\u{1b}`. JSON keeps its
//! meaning: there they are written as `\u001b`.

use std::{borrow::Cow, fmt::Write};

/// A piece of text that goes into a line: its line ends and tabs are shown as well, so that it cannot begin a line of
/// its own.
pub fn escape_inline(text: &str) -> Cow<'_, str> {
    escaped(text, |character| obeyed(character).then(|| character.escape_unicode().to_string()))
}

/// Whole lines.
pub fn escape_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |character| match character {
        '\n' | '\t' => None,
        other => obeyed(other).then(|| other.escape_unicode().to_string()),
    })
}

/// Whole lines with colors of our own: of escape sequences, those that set a color pass. The pieces in them must be
/// [`escape_inline`]s.
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

/// JSON, whose strings alone may hold such characters.
pub fn escape_json(text: &str) -> Cow<'_, str> {
    escaped(text, |character| match character {
        '\n' | '\r' | '\t' => None,
        other => obeyed(other).then(|| format!("\\u{:04x}", u32::from(other))),
    })
}

/// C0, DEL and C1; marks, embeddings, overrides and isolates of direction; separators of lines and paragraphs.
fn obeyed(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// The length of the sequence at the start of `text` that sets a color, such as `ESC [ 31 m`; 0 when it is another one.
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

    /// One of each kind.
    const HOSTILE: [char; 12] = [
        '\0', '\u{7}', '\u{8}', '\r', '\u{1b}', '\u{7f}', '\u{9b}', '\u{61c}', '\u{200f}', '\u{2028}',
        '\u{202e}', '\u{2066}',
    ];

    #[test]
    fn what_a_terminal_obeys_is_shown() {
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
    fn of_escape_sequences_colors_alone_pass() {
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
    fn json_stays_the_same_json() {
        let value = serde_json::json!({ "a": HOSTILE.iter().collect::<String>(), "é\u{9b}": ["\u{202e}"] });
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let shown = escape_json(&text);
            assert!(!shown.chars().any(|character| obeyed(character) && character != '\n'), "{shown}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        }
    }
}
