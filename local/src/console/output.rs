//! The output of commands: results go to standard output, everything else to standard error.

use std::{
    error::Error,
    io::{self, ErrorKind, Write},
    process::ExitCode,
    sync::OnceLock,
};

use clap::error::{ContextKind, ContextValue};
use platform::{
    clock::{Clock, SystemClock},
    telemetry::Chain,
};
use serde_json::json;

use super::{logging::LogFormat, redact, terminal};
use crate::error::{CommandError, Exit, OutputClosed};

static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// Sets the format of notes and errors to that of the log, so that programs can read all of standard error.
pub fn set_format(format: LogFormat) {
    // Set once, at the start of the program.
    let _ = FORMAT.set(format);
}

/// Returns the format of notes and errors.
pub fn format() -> LogFormat {
    FORMAT.get().copied().unwrap_or(LogFormat::Text)
}

/// Prints a result and a line end.
///
/// # Errors
/// [`OutputClosed`], or a sentence when the output cannot be written.
pub fn print(text: impl AsRef<str>) -> Result<(), CommandError> {
    write(&terminal::escape_lines(text.as_ref()))
}

/// Prints a result that is JSON.
pub fn print_json(json: impl AsRef<str>) -> Result<(), CommandError> {
    write(&terminal::escape_json(json.as_ref()))
}

/// Prints a result with colors, which only a terminal gets. Text of others in it must be escaped with
/// [`terminal::escape_inline`].
pub fn print_colored(text: impl AsRef<str>) -> Result<(), CommandError> {
    write(&terminal::escape_colored(text.as_ref()))
}

fn write(text: &str) -> Result<(), CommandError> {
    let end = if text.ends_with('\n') { "" } else { "\n" };
    let mut output = anstream::stdout().lock();
    match output.write_all(format!("{text}{end}").as_bytes()).and_then(|()| output.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(OutputClosed.into()),
        Err(error) => {
            Err(format!("standard output cannot be written: {error}; redirect it to another place").into())
        }
    }
}

/// Prints a note to standard error.
pub fn note(text: impl AsRef<str>) {
    say("INFO", text.as_ref());
}

/// Prints why the command failed. A closed output is not a failure.
pub fn report_error(error: &(dyn Error + 'static)) -> ExitCode {
    if error.is::<OutputClosed>() {
        return ExitCode::SUCCESS;
    }
    if let Some(Exit(code)) = error.downcast_ref() {
        return ExitCode::from(*code);
    }
    say("ERROR", &Chain(error).to_string());
    ExitCode::FAILURE
}

/// Prints clap's message: an error in the command line, or the text of `--help` or `--version`.
pub fn report_clap_error(mut error: clap::Error) -> ExitCode {
    for kind in [ContextKind::InvalidValue, ContextKind::InvalidArg] {
        if let Some(ContextValue::String(quoted)) = error.get(kind)
            && quoted.contains('@')
        {
            let shown = ContextValue::String(redact::url(quoted));
            error.insert(kind, shown);
        }
    }
    let text = error.render().ansi().to_string();
    let text = redact::passwords(&text);
    let text = terminal::escape_colored(&text);
    // If standard error is closed, there is nowhere to report it.
    let _ = match error.use_stderr() {
        true => anstream::stderr().lock().write_all(text.as_bytes()),
        false => anstream::stdout().lock().write_all(text.as_bytes()),
    };
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

fn say(level: &str, text: &str) {
    let text = &*redact::passwords(text);
    let line = match format() {
        LogFormat::Json => {
            let timestamp = SystemClock.now().to_string();
            let line = json!({"timestamp": timestamp, "level": level, "message": text, "target": "segue"});
            terminal::escape_json(&line.to_string()).into_owned()
        }
        LogFormat::Text => format!("segue: {}", terminal::escape_lines(text)),
    };
    // If standard error is closed, there is nowhere to report it.
    let _ = writeln!(io::stderr(), "{line}");
}
