//! The result of a check, and how it is printed.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use serde_json::json;

use crate::console::{logging, redact, terminal};

/// The status of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is right.
    Ok,
    /// It works, but may be a mistake.
    Warning,
    /// It does not work.
    Problem,
    /// It was not checked.
    Skipped,
}

/// The result of one check. No text in it holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The name of the check.
    pub check: &'static str,
    /// The status.
    pub status: Status,
    /// The finding in words.
    pub found: String,
    /// The fix.
    pub fix: Option<String>,
}

impl Finding {
    fn new(check: &'static str, status: Status, found: impl Into<String>, fix: Option<String>) -> Self {
        Self { check, status, found: redact::passwords(&found.into()).into_owned(), fix }
    }

    /// A check that found nothing wrong.
    pub fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, Status::Ok, found, None)
    }

    /// A check that was not made.
    pub fn skipped(check: &'static str, why: impl Into<String>) -> Self {
        Self::new(check, Status::Skipped, why, None)
    }

    /// A possible mistake.
    pub fn warning(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(check, Status::Warning, found, Some(fix.into()))
    }

    /// A problem.
    pub fn problem(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(check, Status::Problem, found, Some(fix.into()))
    }
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
            Self::Skipped => "skipped",
        }
    }

    fn mark(self) -> (Style, &'static str) {
        match self {
            Self::Ok => (AnsiColor::Green.on_default(), "✓"),
            Self::Warning => (AnsiColor::Yellow.on_default(), "!"),
            Self::Problem => (AnsiColor::Red.on_default().bold(), "✗"),
            Self::Skipped => (AnsiColor::BrightBlack.on_default(), "-"),
        }
    }
}

/// Writes a line for each finding, and a line for its fix. A terminal gets colored marks, everything else
/// words.
pub fn as_text(findings: &[Finding]) -> String {
    let is_colored = logging::is_colored(&std::io::stdout());
    let width = findings.iter().map(|finding| finding.check.len()).max().unwrap_or_default();
    let mut text = String::new();
    for Finding { check, status, found, fix } in findings {
        let start = if is_colored {
            let (style, mark) = status.mark();
            format!("{style}{mark}{style:#} ")
        } else {
            format!("{:8} ", status.word())
        };
        let found = terminal::escape_lines(found);
        let indent = " ".repeat(if is_colored { 2 } else { 9 } + width + 2);
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{start}{check:width$}  {found}");
        if let Some(fix) = fix {
            let _ = writeln!(text, "{indent}→ {}", terminal::escape_lines(fix));
        }
    }
    text
}

/// Writes each finding as a JSON object, one per line.
pub fn as_lines(findings: &[Finding]) -> Result<String, serde_json::Error> {
    let line = |Finding { check, status, found, fix }: &Finding| {
        serde_json::to_string(&json!({"check": check, "status": status.word(), "found": found, "fix": fix}))
    };
    let lines: Result<Vec<String>, _> = findings.iter().map(line).collect();
    Ok(lines?.join("\n"))
}
