//! The command line.

use std::{
    error::Error,
    io::{self, IsTerminal},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use platform::telemetry::Chain;
use tracing_subscriber::{
    filter::LevelFilter, filter::Targets, layer::SubscriberExt, util::SubscriberInitExt,
};

use crate::{backfill, map, redrive, serve, track_event};

/// Identity events into Segment and Segment messages out to webhooks, with nothing lost on the way.
///
/// Without a command, `segue` is `segue serve`: every function in one process on an embedded store.
#[derive(Parser)]
#[command(name = "segue", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub serve: serve::Options,
    /// How much is logged to standard error: error, warn, info, debug or trace
    #[arg(long, env = "LOG_LEVEL", default_value = "info", global = true)]
    pub log_level: LevelFilter,
}

#[derive(Subcommand)]
pub enum Command {
    /// Take webhooks and Segment's calls, and deliver them to Segment and to webhooks
    Serve(Box<serve::Options>),
    /// Record one event in Segment and print the answer as JSON; exit status 1 on failure
    TrackEvent(track_event::Options),
    /// Identify the users who were there before Segue, each once
    Backfill(backfill::Options),
    /// Put messages of the dead-letter queues back, to be delivered again
    Redrive(redrive::Options),
    /// Print the Segment messages that a webhook body would make, without sending them
    Map(map::Options),
    /// Print the built-in mappings.toml, whose comments say how to write your own
    Mappings,
}

/// A file given to a command.
#[derive(Args)]
pub struct Input {
    /// The file to read; - is standard input
    #[arg(default_value = "-", value_name = "FILE")]
    pub file: String,
}

/// Logs to standard error. Each message's way is counted at level `debug` only: at full load a line for each
/// would cost more than the work itself.
pub fn log(level: LevelFilter) {
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
    let colour =
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(colour).with_target(false))
        .with(filter)
        .init();
}

/// An end with an exit code of its own, of which all was said already.
#[derive(Debug, thiserror::Error)]
#[error("exit code {0}")]
pub struct Exit(pub u8);

/// Says on standard error why the program ends.
#[allow(clippy::print_stderr, reason = "the last words of a command are for the person at the terminal")]
pub fn failed(error: &(dyn Error + 'static)) -> ExitCode {
    if let Some(Exit(code)) = error.downcast_ref() {
        return ExitCode::from(*code);
    }
    eprintln!("segue: {}", Chain(error));
    ExitCode::FAILURE
}
