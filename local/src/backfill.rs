//! `segue backfill`: identifies the users who signed up before Segue was in place, each once.
//!
//! A [`Source`](source::Source) reads users from the provider. [`RecordMapper`](batch::RecordMapper) makes
//! the same identify of each user as a webhook would. The [`Destination`](destination::Destination) gets the messages.
//! [`Job`](job::Job) saves a checkpoint after every batch.

mod api;
mod auth0;
mod batch;
mod checkpoint;
mod context;
mod destination;
mod export_file;
mod frames;
mod fusionauth;
mod job;
mod messages;
mod options;
mod pace;
mod progress;
mod refused;
mod send;
mod source;
mod summary;
mod warehouse;

use clap::{Args, Subcommand};

use self::context::{INTERRUPTED, Stopped};
use crate::{
    console::output,
    error::{CommandError, Exit},
    help,
};

/// Options of `segue backfill`.
#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    provider: Provider,
}

#[derive(Subcommand)]
enum Provider {
    /// Send FusionAuth's users, read through its search API; with --event-log, the events its webhooks failed
    /// to deliver
    #[command(name = "fusionauth", after_help = help::backfill_fusionauth())]
    FusionAuth(Box<fusionauth::Options>),
    /// Send Auth0's users, read from an export file; with --domain, from an export that Segue requests
    #[command(name = "auth0", after_help = help::backfill_auth0())]
    Auth0(Box<auth0::Options>),
    /// Write Segment messages from a file into PostgreSQL, as Segment's own storage destinations keep them
    #[command(name = "messages", after_help = help::backfill_messages())]
    Messages(Box<messages::Options>),
}

/// Reads the users, sends them and prints a summary.
///
/// # Errors
/// A sentence that says what to do. The checkpoint is saved. An [`Exit`] when the reason is already printed.
pub async fn run(options: Options) -> Result<(), CommandError> {
    let ended = match options.provider {
        Provider::FusionAuth(options) => fusionauth::run(*options).await,
        Provider::Auth0(options) => auth0::run(*options).await,
        Provider::Messages(options) => messages::run(*options).await,
    };
    // Interrupted before anything was read. Later than that, the summary says so.
    ended.map_err(|error| match error.is::<Stopped>() {
        true => {
            output::note("Interrupted. Run the same command again to continue.");
            Exit(INTERRUPTED).into()
        }
        false => error,
    })
}
