//! `segue doctor`: looks for what users get wrong, side by side, and says how to fix each.
//!
//! Nothing that it does has an effect elsewhere: it connects, asks Segment's host for a HEAD of `/`, fetches key
//! sets, and sends no message, no key and no secret. On AWS it only reads.

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
mod weak_secrets;
mod webhooks;
mod write_key;

use std::time::Duration;

use clap::{Args, ValueEnum};

use self::finding::{Finding, Status};
use crate::{console::output, error::CommandError, serve};

/// How long anything on a network may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// What `segue doctor` takes: what `segue serve` does, as that is what is checked.
#[derive(Args)]
// Both structs are called Options, which clap takes for one group's name.
#[group(skip)]
pub struct Options {
    #[command(flatten)]
    serve: serve::Options,
    /// Look at this stack on AWS and its account in place of the settings, through the AWS CLI, which must be installed
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,
    /// How the findings are printed: for people, or each as a JSON object on a line of its own
    #[arg(long, default_value = "text", value_name = "FORMAT")]
    format: Format,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Checks everything and prints what was found.
///
/// # Errors
/// When there is a problem. Warnings are none.
pub async fn run(options: Options, command: &clap::Command) -> Result<(), CommandError> {
    let findings = match &options.stack {
        Some(stack) => stack::check(stack).await,
        None => check_settings(&options.serve, command).await,
    };
    match options.format {
        Format::Json => output::print_json(finding::as_lines(&findings)?)?,
        Format::Text => output::print_colored(finding::as_text(&findings))?,
    }
    let count = |status| findings.iter().filter(|finding| finding.status == status).count();
    match (count(Status::Problem), count(Status::Warning)) {
        (0, 0) => output::note("nothing is wrong"),
        (0, warnings) => output::note(format!("nothing is wrong, and {} to think about", things(warnings))),
        (problems, _) => return Err(format!("{} to mend; how stands beside each", things(problems)).into()),
    }
    Ok(())
}

/// The findings about what `segue serve` would start with.
async fn check_settings(serve: &serve::Options, command: &clap::Command) -> Vec<Finding> {
    let authentication = serve.authentication().map_err(|error| error.to_string());
    let (store, address, (segment, clock), webhooks, proofs, public_api) = tokio::join!(
        data_directory::check(serve),
        address::check(serve, authentication.as_ref().ok()),
        segment_endpoint::check(serve),
        webhooks::check(serve),
        identity::check(serve, &authentication),
        public_api::check(serve, authentication.as_ref().ok()),
    );
    [
        vec![store, address, address::page(serve)],
        segment,
        write_key::check(serve),
        webhooks,
        vec![clock],
        proofs,
        identity::mapping(serve, authentication.as_ref().ok()),
        public_api,
        environment::check(command),
    ]
    .concat()
}

fn things(count: usize) -> String {
    if count == 1 { "there is one thing".to_owned() } else { format!("there are {count} things") }
}
