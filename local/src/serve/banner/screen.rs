//! Lays out text for a terminal: labeled rows, wrapped and colored.

use std::fmt::{Display, Write};

use anstyle::{AnsiColor, Style};

/// The columns of a standard terminal.
const COLUMNS: usize = 80;

/// The column of the values: two spaces, the longest label and two more spaces.
const INDENT: usize = 2 + 18 + 2;

const TITLE: Style = AnsiColor::Green.on_default().bold();
const LABEL: Style = AnsiColor::Cyan.on_default();
const WARNING: Style = AnsiColor::Yellow.on_default();
const COMMAND: Style = Style::new().bold();

/// The screen text so far. `anstream` strips the colors where needed.
pub struct Screen(String);

impl Screen {
    /// Starts a screen with this title.
    pub fn new(title: &str) -> Self {
        Self(format!("{}\n\n", styled(TITLE, title)))
    }

    /// Adds a row.
    pub fn row(&mut self, label: &str, text: impl AsRef<str>) {
        self.lines(label, text.as_ref(), Style::new());
    }

    /// Adds a row with a warning below it.
    pub fn row_with_warning(&mut self, label: &str, text: impl AsRef<str>, warning: impl AsRef<str>) {
        self.row(label, text);
        self.warning("", warning);
    }

    /// Adds a warning.
    pub fn warning(&mut self, label: &str, text: impl AsRef<str>) {
        self.lines(label, text.as_ref(), WARNING);
    }

    /// Adds a command to copy. Its further lines must be indented.
    pub fn command(&mut self, heading: &str, command: &str) {
        // Writing into a string cannot fail, here and below.
        let _ = write!(self.0, "\n{heading}\n  {}\n\n", styled(COMMAND, command));
    }

    /// Returns the screen, with this last line.
    pub fn end(self, text: &str) -> String {
        format!("{}{text}\n", self.0)
    }

    fn lines(&mut self, label: &str, text: &str, style: Style) {
        let mut label = format!("{label:18}");
        for line in wrapped(text) {
            let _ = writeln!(self.0, "  {}  {}", styled(LABEL, &label), styled(style, line));
            label = " ".repeat(18);
        }
    }
}

fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Wraps a text at its spaces. A word that is too long, such as a URL, gets a separate line.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= COLUMNS - INDENT => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Shortens a name or a path to one line. A long one keeps its end.
pub fn shortened(text: &str) -> String {
    // One column is for a comma.
    let most = COLUMNS - INDENT - 1;
    if width(text) <= most {
        return text.to_owned();
    }
    let end: String = text.chars().skip(width(text) - (most - 1)).collect();
    format!("…{end}")
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_breaks_between_words_below_its_label() {
        let mut screen = Screen::new("Up.");
        screen.row("Label", "word ".repeat(20).trim_end());
        let page = anstream::adapter::strip_str(&screen.end("End.")).to_string();
        let line = "word ".repeat(11);
        assert_eq!(
            page,
            format!(
                "Up.\n\n  Label               {}\n{}{}\nEnd.\n",
                line.trim_end(),
                " ".repeat(22),
                "word ".repeat(9).trim_end()
            )
        );
    }

    #[test]
    fn a_long_text_is_shortened_at_its_start() {
        assert_eq!(shortened(".segue"), ".segue");
        let short = shortened(&format!("/{}/end", "long".repeat(40)));
        assert!(short.starts_with("…l") && short.ends_with("/end"));
        assert_eq!(width(&short), 57);
    }
}
