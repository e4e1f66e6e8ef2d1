//! `segue map`: a dry run of the mapping.

use clap::Args;
use identity_webhook::{Authentication, Config, Mapped, explain};

use crate::{CommandError, cli::Input, input, mappings::MappingOptions, output};

/// What `segue map` takes.
#[derive(Args)]
pub struct Options {
    /// The identity provider as in the URL, such as fusionauth or auth0/logs
    provider: String,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    mappings: MappingOptions,
    /// The identity secret, for the hashKey in it
    #[arg(long, env = "IDENTITY_SECRET", value_name = "JSON", hide_env_values = true)]
    identity_secret: Option<String>,
}

/// Prints each message on a line of its own; which rule made it, what it kept back, and why the other events make
/// none goes to standard error.
///
/// # Errors
/// When there is no message to print, too: then a script can tell.
pub fn run(options: &Options) -> Result<(), CommandError> {
    let mut config = Config::new("local");
    config.mappings = options.mappings.read()?;
    let secret = Authentication::parse(options.identity_secret.as_deref().unwrap_or("{}"))?;
    let body = input::read(&options.input)?;
    let mapping = explain(&options.provider, &body, &config, secret.hash_key())?;
    for mapped in &mapping.messages {
        output::print(mapped.message.as_json())?;
        output::note(explanation(mapped));
    }
    for ignored in &mapping.ignored {
        output::note(format!("an event makes no message: {ignored}."));
    }
    if mapping.messages.is_empty() { Err("nothing would be sent".into()) } else { Ok(()) }
}

fn explanation(mapped: &Mapped) -> String {
    let call = mapped.message.message_type();
    let mut text = format!("{call} of {:?}, by the rule at {}", mapped.event_type, mapped.rule);
    for (what, fields) in
        [("kept back: ", &mapped.hidden), ("left out, to stay below 32 KB: ", &mapped.left_out)]
    {
        if !fields.is_empty() {
            text = format!("{text}; {what}{}", fields.join(", "));
        }
    }
    text
}
