//! The command line.

use clap::{Parser, Subcommand};
use tracing_subscriber::filter::LevelFilter;

use crate::{
    backfill,
    commands::{completions, map, provider, redrive, rejected, secret, tail, track_event, warehouse},
    console::logging::LogFormat,
    doctor, help, serve,
};

/// Sends identity events to Segment, and Segment messages to webhooks and PostgreSQL, without losing any.
///
/// Without a command, `segue` runs `segue serve`: all functions in one process, with a SQLite store.
#[derive(Parser)]
#[command(name = "segue", version, args_conflicts_with_subcommands = true, after_help = help::serve())]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub serve: serve::Options,
    /// How much to log to standard error: error, warn, info, debug or trace
    #[arg(long, env = "LOG_LEVEL", default_value = "info", global = true)]
    pub log_level: LevelFilter,
    /// The format of the log on standard error. With json, serve prints no start screen
    #[arg(long, env = "LOG_FORMAT", default_value = "text", global = true)]
    pub log_format: LogFormat,
}

#[derive(Subcommand)]
pub enum Command {
    /// Receive provider webhooks and calls of Segment libraries, and deliver them to Segment, to your webhooks
    /// and to your PostgreSQL
    #[command(after_help = help::serve())]
    Serve(Box<serve::Options>),
    /// Show the messages of a running server as they arrive, and the state of each
    #[command(after_help = help::tail())]
    Tail(tail::Options),
    /// Send one event to Segment and print the answer as JSON
    #[command(after_help = help::track_event())]
    TrackEvent(track_event::Options),
    /// Identify the users who signed up before Segue was in place, each once
    #[command(after_help = help::backfill())]
    Backfill(backfill::Options),
    /// Deliver dead letters again
    #[command(after_help = help::redrive())]
    Redrive(redrive::Options),
    /// Show the messages that Segue rejected from batches of Segment libraries, each with the reason
    #[command(after_help = help::rejected())]
    Rejected(rejected::Options),
    /// Print the Segment messages that a provider's webhook becomes, and send nothing
    #[command(after_help = help::map())]
    Map(map::Options),
    /// Print the built-in mapping, whose comments explain how to write your own
    #[command(after_help = help::mappings())]
    Mappings(map::PrintOptions),
    /// Write the file that declares an identity provider of your own
    #[command(after_help = help::provider())]
    Provider(provider::Options),
    /// Edit the identity secret, which holds the signing keys and tokens of all providers
    #[command(after_help = help::secret())]
    Secret(secret::Options),
    /// Put values that were discarded back into their rows in PostgreSQL
    #[command(after_help = help::warehouse())]
    Warehouse(warehouse::Options),
    /// Check the settings of segue serve, or a stack on AWS, and print a fix for each problem
    #[command(after_help = help::doctor())]
    Doctor(Box<doctor::Options>),
    /// Print a script that completes commands and options in your shell
    #[command(after_help = help::completions())]
    Completions(completions::Options),
}
