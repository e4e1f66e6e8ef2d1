//! Text for a page of a terminal: labelled rows, wrapped and coloured.

use std::fmt::{Display, Write};

use anstyle::{AnsiColor, Style};

/// The columns of a usual terminal.
const COLUMNS: usize = 80;

/// Where the values of the rows begin: after two spaces, the longest label and two more.
const INDENT: usize = 2 + 18 + 2;

const TITLE: Style = AnsiColor::Green.on_default().bold();
const LABEL: Style = AnsiColor::Cyan.on_default();
const WARNING: Style = AnsiColor::Yellow.on_default();
const COMMAND: Style = Style::new().bold();

/// A page that is being written. Its colours are for `anstream` to take out again.
pub struct Screen(String);

impl Screen {
    /// A page with this title.
    pub fn new(title: &str) -> Self {
        Self(format!("{}\n\n", styled(TITLE, title)))
    }

    /// A row of what is so.
    pub fn row(&mut self, label: &str, text: impl AsRef<str>) {
        self.lines(label, text.as_ref(), Style::new());
    }

    /// A row of what is so, and what to mind about it.
    pub fn row_with_warning(&mut self, label: &str, text: impl AsRef<str>, warning: impl AsRef<str>) {
        self.row(label, text);
        self.warning("", warning);
    }

    /// A row of what to mind.
    pub fn warning(&mut self, label: &str, text: impl AsRef<str>) {
        self.lines(label, text.as_ref(), WARNING);
    }

    /// A command to copy, whose further lines are indented already.
    pub fn command(&mut self, heading: &str, command: &str) {
        // Writing into a string cannot fail, here and below.
        let _ = write!(self.0, "\n{heading}\n  {}\n\n", styled(COMMAND, command));
    }

    /// The whole page, with its last line.
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

/// Breaks a text at its spaces. A word that is too long for a line, as a URL may be, has a line of its own.
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

/// A name or a path that has room on one line: of a long one, its end.
pub fn shortened(text: &str) -> String {
    // One less, for a comma behind it.
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
    fn what_is_too_long_for_a_line_is_shortened_at_its_start() {
        assert_eq!(shortened(".segue"), ".segue");
        let short = shortened(&format!("/{}/end", "long".repeat(40)));
        assert!(short.starts_with("…l") && short.ends_with("/end"));
        assert_eq!(width(&short), 57);
    }
}
