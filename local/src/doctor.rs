//! `segue doctor`: checks the settings for common mistakes, and prints a fix for each.
//!
//! It changes nothing. It connects to servers, sends a HEAD of `/` to Segment's host and fetches key sets. It
//! sends no message, no key and no secret. On AWS it only reads.

mod address;
mod data_directory;
mod environment;
mod finding;
mod identity;
mod public_api;
mod reach;
mod region;
mod segment_endpoint;
mod stack;
mod warehouse;
mod weak_secrets;
mod webhooks;
mod write_key;

use std::time::Duration;

use ::identity::Mappings;
use clap::{Args, ValueEnum};

use self::finding::{Finding, Status};
use crate::{console::output, error::CommandError, serve};

/// The time limit of each network operation.
const DEADLINE: Duration = Duration::from_secs(5);

/// Options of `segue doctor`: those of `segue serve`, which it checks, and its own.
#[derive(Args)]
// Both structs are called Options, and clap would use that name for two groups.
#[group(skip)]
pub struct Options {
    #[command(flatten)]
    serve: serve::Options,
    /// Check this stack on AWS and its account, instead of the settings. Needs the AWS CLI
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,
    /// How to print the findings: text for people, or json with one object per line
    #[arg(long, default_value = "text", value_name = "FORMAT")]
    format: Format,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Checks everything and prints the findings.
///
/// # Errors
/// When there is a problem. A warning is no error.
pub async fn run(options: Options, command: &clap::Command) -> Result<(), CommandError> {
    let findings = match &options.stack {
        Some(stack) => stack::check(stack).await,
        None => check_settings(&options.serve, command).await,
    };
    match options.format {
        Format::Json => output::print_json(finding::as_lines(&findings)?)?,
        Format::Text => output::print_colored(finding::as_text(&findings))?,
    }
    let count = |status| findings.iter().filter(|finding| finding.status == status).count() as u64;
    match (count(Status::Problem), count(Status::Warning)) {
        (0, 0) => output::note("no problems found"),
        (0, warnings) => output::note(format!("no problems found, but {}", plural(warnings, "warning"))),
        (1, _) => return Err("1 problem found; the fix is under it".into()),
        (problems, _) => return Err(format!("{problems} problems found; the fix is under each one").into()),
    }
    Ok(())
}

/// Returns the findings about the settings with which `segue serve` would start.
async fn check_settings(serve: &serve::Options, command: &clap::Command) -> Vec<Finding> {
    // Another check reports a mapping that cannot be read.
    let mappings = serve.mappings.read().unwrap_or_else(|_| Mappings::built_in());
    let authentication = serve.authentication(mappings.providers()).map_err(|error| error.to_string());
    let (store, address, (segment, clock), webhooks, warehouse, proofs, public_api) = tokio::join!(
        data_directory::check(serve),
        address::check(serve, authentication.as_ref().ok()),
        segment_endpoint::check(serve),
        webhooks::check(serve),
        warehouse::check(serve),
        identity::check(serve, &authentication),
        public_api::check(serve, authentication.as_ref().ok()),
    );
    [
        vec![store, address, address::page(serve)],
        segment,
        write_key::check(serve),
        webhooks,
        warehouse,
        vec![clock],
        proofs,
        identity::mapping(serve, authentication.as_ref().ok()),
        public_api,
        environment::check(command),
    ]
    .concat()
}

/// Writes a count and its noun, which gets an s unless the count is 1.
fn plural(count: u64, noun: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{end}")
}
