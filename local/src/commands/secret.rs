//! `segue secret`: the identity secret, which holds the proofs of all providers.

mod value;

use std::{
    io::{self, IsTerminal},
    path::Path,
};

use clap::{Args, Subcommand, ValueHint};
use identity::providers;
use identity_webhook::{AddError, Authentication, add_member};

use self::value::Source;
use crate::{
    console::{input::Input, output},
    error::CommandError,
    help, private_file,
};

/// The options of `segue secret`.
#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Add how one provider proves who it is, and leave those of the others alone
    #[command(after_help = help::secret_add())]
    Add(AddOptions),
}

/// The options of `segue secret add`.
#[derive(Args)]
struct AddOptions {
    #[arg(help = format!("{}, one of their routes such as auth0/logs, or hashKey", names()))]
    provider: String,
    /// The secret to add to; - is standard input. Default: standard input or, where you type that, IDENTITY_SECRET
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Option<String>,
    #[command(flatten)]
    source: Source,
    /// Put it in the place of what the secret has for this provider
    #[arg(long)]
    replace: bool,
    /// Write FILE instead of printing the secret; only you can read it then
    #[arg(long, requires = "file")]
    write: bool,
    /// The secret to add to, where no file is named
    #[arg(long, env = "IDENTITY_SECRET", value_name = "JSON", hide_env_values = true)]
    identity_secret: Option<String>,
}

/// Prints the secret with one member more, or writes it.
///
/// # Errors
/// A sentence that quotes nothing of the secret. Then nothing is printed or written.
pub async fn run(options: Options) -> Result<(), CommandError> {
    let Command::Add(options) = options.command;
    let secret = options.secret()?;
    let value = options.source.value(&options.provider, options.reads_input()).await?;
    let added =
        add_member(&secret, &options.provider, &value, options.replace).map_err(|error| match error {
            AddError::Taken(_) => format!("{error}; --replace puts the new one in its place"),
            _ => error.to_string(),
        })?;
    match options.file.as_deref().filter(|_| options.write) {
        Some(file) => {
            let unwritten =
                |error| format!("{file} cannot be written: {error}; name a file in a folder of yours");
            private_file::write(Path::new(file), format!("{added}\n").as_bytes()).map_err(unwritten)?;
        }
        None => output::print(&added)?,
    }
    output::note(summary(&options.provider, &added));
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

    /// The secret as it is.
    fn secret(&self) -> Result<String, CommandError> {
        if let (None, false) = (&self.file, self.reads_input()) {
            return Ok(self.identity_secret.clone().unwrap_or_else(|| "{}".to_owned()));
        }
        let file = self.file.clone().unwrap_or_else(|| "-".to_owned());
        if self.write && !Path::new(&file).exists() {
            return Ok("{}".to_owned());
        }
        let text = String::from_utf8(Input { file }.read()?)
            .map_err(|_| "the secret to add to is not UTF-8; give it as it is stored")?;
        if text.trim().is_empty() {
            // The command that should have printed it has failed. Going on would lose everything in the secret.
            return Err("the secret to add to is empty; give {} to begin a new one".into());
        }
        Ok(text)
    }
}

/// The providers that the secret may hold the proofs of.
fn names() -> String {
    let members = providers::secret_members().into_iter();
    members.filter(|member| !member.contains('/')).collect::<Vec<_>>().join(", ")
}

/// Names the providers whose proofs the secret holds now.
fn summary(provider: &str, secret: &str) -> String {
    let proofs = Authentication::parse(secret).map(|secret| secret.proofs()).unwrap_or_default();
    let all: Vec<&str> = proofs.iter().map(|proofs| proofs.provider.as_str()).collect();
    match all.is_empty() {
        true => format!("{provider} is added"),
        false => format!("{provider} is added; the secret holds the proofs of {}", all.join(", ")),
    }
}
