//! `segue`: all functions in one process, and the commands around them.

mod backfill;
mod cli;
mod commands;
mod console;
mod debugger;
mod doctor;
mod error;
mod help;
mod http;
mod journal;
mod options;
mod private_file;
mod queues;
mod refusal;
mod serve;
mod stand_in;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use cli::{Cli, Command};
use commands::{completions, map, provider, redrive, rejected, secret, tail, track_event, warehouse};
use console::{logging, output};

/// The allocator. A third of the time of a webhook went into the system's one, for the many small values of JSON.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return output::report_clap_error(error),
    };
    output::set_format(cli.log_format);
    logging::start(cli.log_level, cli.log_format);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output::report_error(&error),
    };
    let result = runtime.block_on(async {
        match cli.command {
            Some(Command::Backfill(options)) => backfill::run(options).await,
            Some(Command::TrackEvent(options)) => track_event::run(options).await,
            Some(Command::Map(options)) => map::run(&options),
            Some(Command::Provider(options)) => provider::run(&options),
            Some(Command::Mappings(options)) => map::print(&options),
            Some(Command::Completions(options)) => completions::print(&options, Cli::command()),
            Some(Command::Doctor(options)) => doctor::run(*options, &Cli::command()).await,
            Some(Command::Redrive(options)) => redrive::run(options).await,
            Some(Command::Rejected(options)) => rejected::run(options).await,
            Some(Command::Secret(options)) => secret::run(options).await,
            Some(Command::Warehouse(options)) => warehouse::run(options).await,
            Some(Command::Tail(options)) => tail::run(options).await,
            Some(Command::Serve(options)) => serve::run(*options).await,
            None => serve::run(cli.serve).await,
        }
    });
    // Background work is either durable or not worth waiting for.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output::report_error(&*error),
    }
}
