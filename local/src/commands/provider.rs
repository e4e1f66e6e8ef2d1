//! `segue provider`: writes the file that declares a provider.

mod draft;

use std::{
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand, ValueHint};
use identity::{Mappings, Providers, providers::name_fault};
use segment::json;

use crate::{
    console::{input::Input, output},
    error::CommandError,
    help,
};

/// Options of `segue provider`.
#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write a commented file that declares a provider of your own, from one of its webhooks' bodies
    #[command(after_help = help::provider_new())]
    New(NewOptions),
}

/// Options of `segue provider new`.
#[derive(Args)]
struct NewOptions {
    /// The name: the end of the webhook's URL, in lower-case letters, digits and hyphens
    name: String,
    #[command(flatten)]
    body: Input,
    /// The file to write; - is standard output. Default: the name with .toml, in this folder
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,
}

/// Writes the file.
///
/// # Errors
/// A body that is not JSON, a name that cannot be one, or a file that exists.
pub fn run(options: &Options) -> Result<(), CommandError> {
    let Command::New(options) = &options.command;
    let name = &options.name;
    let body = options.body.read()?;
    let document = json::parse(&body).map_err(|error| {
        format!("{}: {error}; pass the body exactly as the provider sends it", options.body.name())
    })?;
    if Providers::built_in().routes().any(|route| route.split('/').next() == Some(name)) {
        return Err(format!(
            "{name} is built in; segue mappings {name} prints its file, and a file of yours with [{name}] changes it"
        )
        .into());
    }
    if let Some(fault) = name_fault(name) {
        return Err(fault.into());
    }
    let draft = draft::of(name, &document)?;
    let path = options.output.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.toml")));
    // A draft with a fault would only be found later.
    Mappings::with("the draft", &draft)?;
    if path == Path::new("-") {
        return output::print(draft.trim_end());
    }
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .and_then(|mut file| file.write_all(draft.as_bytes()));
    let file = path.display();
    written.map_err(|error| format!("{file} cannot be written: {error}; choose another with --output"))?;
    output::note(format!(
        "wrote {file}. Read it, complete it, and try it: segue map --provider {file} {}",
        options.body.file
    ));
    Ok(())
}
