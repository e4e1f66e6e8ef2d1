//! `segue map`: a dry run of the mapping.

use clap::Args;
use identity_webhook::{Config, Mapping, map};

use crate::{CommandError, cli::Input, input};

/// What `segue map` takes.
#[derive(Args)]
pub struct Options {
    /// The identity provider, such as fusionauth
    provider: String,
    #[command(flatten)]
    input: Input,
    /// Map user.deactivate to a delete message
    #[arg(long, env = "FUSIONAUTH_DEACTIVATE_DELETES")]
    fusionauth_deactivate_deletes: bool,
}

/// Prints each message on a line of its own; for a body that makes none, the reason goes to standard error.
#[allow(clippy::print_stdout, clippy::print_stderr, reason = "printing is what the command does")]
pub fn run(options: &Options) -> Result<(), CommandError> {
    let mut config = Config::new("local");
    config.deactivate_deletes = options.fusionauth_deactivate_deletes;
    match map(&options.provider, &input::read(&options.input)?, &config)? {
        Mapping::Messages(messages) => {
            for mapped in messages {
                println!("{}", mapped.message.as_json());
            }
        }
        Mapping::Ignored(ignored) => eprintln!("segue: this makes no message: {ignored}."),
    }
    Ok(())
}
