//! The log, on standard error.

use std::io::{self, Write};

use anstream::{AutoStream, ColorChoice};
use clap::ValueEnum;
use tracing_subscriber::{
    Layer, filter::LevelFilter, filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt,
};

use crate::console::terminal;

/// The format of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines of text
    Text,
    /// One JSON object per line
    Json,
}

/// Logs to standard error. The metrics of each message are logged only at level `debug`: at full load, these
/// lines would cost more than the work itself.
pub fn start(level: LevelFilter, format: LogFormat) {
    let quiet = if level > LevelFilter::INFO { level } else { level.min(LevelFilter::WARN) };
    let filter = Targets::new().with_default(level.min(LevelFilter::INFO)).with_targets([
        ("segue", level),
        ("platform", level),
        ("platform::telemetry", quiet),
        ("delivery", level),
        ("identity_webhook", level),
        ("regulation_delivery", level),
        ("warehouse_delivery", level),
        ("segment_delivery", level),
        ("track_event", level),
        ("tracking_api", level),
        ("webhook_delivery", level),
    ]);
    let layer = fmt::layer().with_writer(move || Escaped(format));
    let layer = match format {
        LogFormat::Text => layer.with_ansi(is_colored(&io::stderr())).with_target(false).boxed(),
        // The same format as the functions' logs on AWS.
        LogFormat::Json => layer.json().flatten_event(true).with_span_list(false).boxed(),
    };
    tracing_subscriber::registry().with(layer).with(filter).init();
}

/// Standard error without control characters.
struct Escaped(LogFormat);

impl Write for Escaped {
    /// Writes a whole line of the log.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let text = match self.0 {
            LogFormat::Text => terminal::escape_colored(&text),
            LogFormat::Json => terminal::escape_json(&text),
        };
        io::stderr().write_all(text.as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Whether to color text on this stream: it is a terminal with colors, and `NO_COLOR` is not set.
pub fn is_colored(stream: &impl anstream::stream::RawStream) -> bool {
    AutoStream::choice(stream) != ColorChoice::Never
}
