//! The log, on standard error.

use std::io;

use anstream::{AutoStream, ColorChoice};
use clap::ValueEnum;
use tracing_subscriber::{
    Layer, filter::LevelFilter, filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt,
};

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// A JSON object a line, for programs.
    Json,
}

/// Logs to standard error. Each message's way is counted at level `debug` only: at full load a line for each
/// would cost more than the work itself.
pub fn start(level: LevelFilter, format: LogFormat) {
    let quiet = if level > LevelFilter::INFO { level } else { level.min(LevelFilter::WARN) };
    let filter = Targets::new().with_default(level.min(LevelFilter::INFO)).with_targets([
        ("segue", level),
        ("platform", level),
        ("platform::telemetry", quiet),
        ("identity_webhook", level),
        ("regulation_delivery", level),
        ("segment_delivery", level),
        ("track_event", level),
        ("tracking_api", level),
        ("webhook_delivery", level),
    ]);
    let layer = fmt::layer().with_writer(io::stderr);
    let layer = match format {
        LogFormat::Text => layer.with_ansi(coloured(&io::stderr())).with_target(false).boxed(),
        // The form that the functions' logs have on AWS.
        LogFormat::Json => layer.json().flatten_event(true).with_span_list(false).boxed(),
    };
    tracing_subscriber::registry().with(layer).with(filter).init();
}

/// Whether to colour what goes there: a terminal that can, unless `NO_COLOR` says otherwise.
pub fn coloured(stream: &impl anstream::stream::RawStream) -> bool {
    AutoStream::choice(stream) != ColorChoice::Never
}
