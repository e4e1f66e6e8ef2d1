//! `segue secret`: edits the identity secret, which holds the signing keys and tokens of all providers.

mod value;

use std::{
    io::{self, IsTerminal},
    path::Path,
};

use clap::{Args, Subcommand, ValueHint};
use identity::Providers;
use identity_webhook::{AddError, Authentication, add_member};

use self::value::Source;
use crate::{
    console::{input::Input, output},
    error::CommandError,
    help,
    options::mapping::MappingOptions,
    private_file,
};

/// Options of `segue secret`.
#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Add the signing key, token or key set of one provider, and keep those of the others
    #[command(after_help = help::secret_add())]
    Add(AddOptions),
}

/// Options of `segue secret add`.
#[derive(Args)]
struct AddOptions {
    #[arg(help = format!("{}, one of their routes such as auth0/logs, or hashKey", names()))]
    provider: String,
    /// The identity secret to add to; - is standard input. Without it: the secret that is piped in, else that
    /// of IDENTITY_SECRET, else a new one
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Option<String>,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    mappings: MappingOptions,
    /// Replace the entry that the secret has for this provider
    #[arg(long)]
    replace: bool,
    /// Write the secret to FILE, which only you can read, instead of printing it
    #[arg(long, requires = "file")]
    write: bool,
    /// The identity secret to add to, if you name no FILE
    #[arg(long, env = "IDENTITY_SECRET", value_name = "JSON", hide_env_values = true)]
    identity_secret: Option<String>,
}

/// Adds a member to the secret, and prints or writes the result.
///
/// # Errors
/// A sentence that does not quote the secret. Nothing is printed or written then.
pub async fn run(options: Options) -> Result<(), CommandError> {
    let Command::Add(options) = options.command;
    let secret = options.secret()?;
    let mappings = options.mappings.read()?;
    let providers = mappings.providers();
    let value = options.source.value(&options.provider, options.reads_input(), providers).await?;
    let added =
        add_member(&secret, &options.provider, &value, options.replace, providers).map_err(|error| {
            match error {
                AddError::Taken(_) => format!("{error}; to replace it, use --replace"),
                _ => error.to_string(),
            }
        })?;
    match options.file.as_deref().filter(|_| options.write) {
        Some(file) => {
            let unwritten = |error| {
                format!("{file} cannot be written: {error}; name a file in a folder that you can write to")
            };
            private_file::write(Path::new(file), format!("{added}\n").as_bytes()).map_err(unwritten)?;
        }
        None => output::print(&added)?,
    }
    output::note(summary(&options.provider, &added, providers));
    Ok(())
}

impl AddOptions {
    /// Whether the secret comes from standard input.
    fn reads_input(&self) -> bool {
        match self.file.as_deref() {
            Some(file) => file == "-",
            None => !io::stdin().is_terminal(),
        }
    }

    /// Returns the secret to add to.
    fn secret(&self) -> Result<String, CommandError> {
        if let (None, false) = (&self.file, self.reads_input()) {
            return Ok(self.identity_secret.clone().unwrap_or_else(|| "{}".to_owned()));
        }
        let file = self.file.clone().unwrap_or_else(|| "-".to_owned());
        if self.write && !Path::new(&file).exists() {
            return Ok("{}".to_owned());
        }
        let text = String::from_utf8(Input { file }.read()?)
            .map_err(|_| "the secret to add to is not UTF-8; pass it exactly as it is stored")?;
        if text.trim().is_empty() {
            // The command that should have printed it has failed. To continue would lose the whole secret.
            return Err("the secret to add to is empty; to start a new one, pass {}".into());
        }
        Ok(text)
    }
}

/// Returns the members that the secret can have.
fn names() -> String {
    let members = Providers::built_in().secret_members().into_iter();
    members.filter(|member| !member.contains('/')).collect::<Vec<_>>().join(", ")
}

/// Returns a sentence with the providers that the secret now has.
fn summary(provider: &str, secret: &str, providers: &Providers) -> String {
    let proofs = Authentication::parse(secret, providers).map(|secret| secret.proofs()).unwrap_or_default();
    let all: Vec<&str> = proofs.iter().map(|proofs| proofs.provider.as_str()).collect();
    match all.is_empty() {
        true => format!("{provider} added"),
        false => format!("{provider} added; the secret now authenticates {}", all.join(", ")),
    }
}
