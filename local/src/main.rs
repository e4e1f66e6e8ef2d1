//! `segue`: all functions in one process, and the commands around them.

mod backfill;
mod bodies;
mod caller;
mod cli;
mod completions;
mod consumer;
mod dead_letters;
mod debugger;
mod doctor;
mod health;
mod input;
mod journal;
mod logging;
mod map;
mod mappings;
mod names;
mod output;
mod page_token;
mod private_file;
mod queues;
mod redact;
mod redrive;
mod rejected;
mod router;
mod secret;
mod segment_options;
mod serve;
mod server;
mod stand_in;
mod stored;
mod tail;
mod terminal;
mod throttle;
mod track_event;

use std::process::ExitCode;

use clap::Parser;
use cli::{Cli, Command};

/// A command's end that is not a success, with the sentence that says what to do.
type CommandError = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return output::told_by_clap(error),
    };
    output::in_format(cli.log_format);
    logging::start(cli.log_level, cli.log_format);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output::failed(&error),
    };
    let result = runtime.block_on(async {
        match cli.command {
            Some(Command::Backfill(options)) => backfill::run(options).await,
            Some(Command::TrackEvent(options)) => track_event::run(options).await,
            Some(Command::Map(options)) => map::run(&options),
            Some(Command::Mappings) => mappings::print(),
            Some(Command::Completions(options)) => completions::print(&options),
            Some(Command::Doctor(options)) => doctor::run(*options).await,
            Some(Command::Redrive(options)) => redrive::run(options).await,
            Some(Command::Rejected(options)) => rejected::run(options).await,
            Some(Command::Secret(options)) => secret::run(options).await,
            Some(Command::Tail(options)) => tail::run(options).await,
            Some(Command::Serve(options)) => serve::run(*options).await,
            None => serve::run(cli.serve).await,
        }
    });
    // Whatever still waits in the background is durable, or is not worth waiting for.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output::failed(&*error),
    }
}
