//! The command line.

use clap::{Parser, Subcommand};
use tracing_subscriber::filter::LevelFilter;

use crate::{
    backfill,
    commands::{completions, map, redrive, rejected, secret, tail, track_event},
    console::logging::LogFormat,
    doctor, help, serve,
};

/// Identity events into Segment and Segment messages out to webhooks, with nothing lost on the way.
///
/// Without a command, `segue` is `segue serve`: every function in one process on an embedded store.
#[derive(Parser)]
#[command(name = "segue", version, args_conflicts_with_subcommands = true, after_help = help::serve())]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub serve: serve::Options,
    /// How much is logged to standard error: error, warn, info, debug or trace
    #[arg(long, env = "LOG_LEVEL", default_value = "info", global = true)]
    pub log_level: LevelFilter,
    /// How the log is written to standard error. With json, a line is an object, and there is no start screen
    #[arg(long, env = "LOG_FORMAT", default_value = "text", global = true)]
    pub log_format: LogFormat,
}

#[derive(Subcommand)]
pub enum Command {
    /// Take webhooks and Segment's calls, and deliver them to Segment and to webhooks
    #[command(after_help = help::serve())]
    Serve(Box<serve::Options>),
    /// Show the messages of a running server as they come in, and where each of them is
    #[command(after_help = help::tail())]
    Tail(tail::Options),
    /// Record one event in Segment and print the answer as JSON
    #[command(after_help = help::track_event())]
    TrackEvent(track_event::Options),
    /// Identify the users who were there before Segue, each once
    #[command(after_help = help::backfill())]
    Backfill(backfill::Options),
    /// Put messages of the dead-letter queues back, to be delivered again
    #[command(after_help = help::redrive())]
    Redrive(redrive::Options),
    /// Show the messages of libraries that came with good ones and were not taken, each with the reason
    #[command(after_help = help::rejected())]
    Rejected(rejected::Options),
    /// Print the Segment messages that a webhook body would make, without sending them
    #[command(after_help = help::map())]
    Map(map::Options),
    /// Print the built-in mappings.toml, whose comments say how to write your own
    #[command(after_help = help::mappings())]
    Mappings,
    /// Add a provider's proof to the identity secret, which holds those of all providers
    #[command(after_help = help::secret())]
    Secret(secret::Options),
    /// Look for what is wrong with the settings of segue serve, or with a stack on AWS, and say how to fix it
    #[command(after_help = help::doctor())]
    Doctor(Box<doctor::Options>),
    /// Print what makes a shell complete commands and options
    #[command(after_help = help::completions())]
    Completions(completions::Options),
}
