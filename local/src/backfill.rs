//! `segue backfill`: identifies the users who were there before Segue, each once.
//!
//! A [`Source`](source::Source) reads users where the provider keeps them, [`Maker`](batch::Maker) makes of each what the
//! webhooks would, [`Sender`](send::Sender) brings that to Segment at the pace that Segment asks for, and
//! [`Job`](job::Job) keeps on disk how far that has come after every batch.

mod api;
mod auth0;
mod batch;
mod checkpoint;
mod fusionauth;
mod job;
mod options;
mod pace;
mod progress;
mod refused;
mod send;
mod source;
mod summary;
mod surroundings;

use clap::{Args, Subcommand};

use self::surroundings::{INTERRUPTED, Stopped};
use crate::{
    console::output,
    error::{CommandError, Exit},
    help,
};

/// What `segue backfill` takes.
#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    provider: Provider,
}

#[derive(Subcommand)]
enum Provider {
    /// Users of FusionAuth through its search API, or with --event-log the events that its webhooks failed to deliver
    #[command(name = "fusionauth", after_help = help::backfill_fusionauth())]
    FusionAuth(Box<fusionauth::Options>),
    /// Users of Auth0 from an export file, or with --domain from an export that Auth0 is asked for
    #[command(name = "auth0", after_help = help::backfill_auth0())]
    Auth0(Box<auth0::Options>),
}

/// Reads, sends and sums up.
///
/// # Errors
/// A sentence that says what to do; where it stopped is kept. An [`Exit`] when all was said already.
pub async fn run(options: Options) -> Result<(), CommandError> {
    let ended = match options.provider {
        Provider::FusionAuth(options) => fusionauth::run(*options).await,
        Provider::Auth0(options) => auth0::run(*options).await,
    };
    // Before anything was read: later the summary says so.
    ended.map_err(|error| match error.is::<Stopped>() {
        true => {
            output::note("Interrupted; the same command goes on from here.");
            Exit(INTERRUPTED).into()
        }
        false => error,
    })
}
