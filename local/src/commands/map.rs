//! `segue map`, a dry run of the mapping, and `segue mappings`, which prints the built-in mapping.

use clap::Args;
use identity::{BUILT_IN, Config, MapError, Mapped, Mapper, Provider};
use identity_webhook::Authentication;
use platform::clock::{Clock, SystemClock};

use crate::{
    console::{input::Input, output},
    error::CommandError,
    options::mapping::MappingOptions,
};

/// Options of `segue map`.
#[derive(Args)]
pub struct Options {
    /// The identity provider, as in the webhook's URL: fusionauth, auth0/logs and so on
    provider: String,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    mappings: MappingOptions,
    /// The identity secret; only its hashKey is used
    #[arg(long, env = "IDENTITY_SECRET", value_name = "JSON", hide_env_values = true)]
    identity_secret: Option<String>,
}

/// Prints the messages to standard output, one per line. The rule of each message, the fields that are not
/// sent, and the reasons why events make no message go to standard error.
///
/// # Errors
/// Also when there is no message, so that a script notices.
pub fn run(options: &Options) -> Result<(), CommandError> {
    let mut config = Config::new("local");
    config.mappings = options.mappings.read()?;
    let secret = Authentication::parse(options.identity_secret.as_deref().unwrap_or("{}"))
        .map_err(|problem| format!("IDENTITY_SECRET is not usable: {problem}"))?;
    let body = options.input.read()?;
    let mapper = Mapper::new(&config, secret.hash_key(), SystemClock.now());
    let explained = || mapper.explain(Provider::named(&options.provider)?.read(&body)?.events()?);
    let mapping = explained().map_err(|error| reason(&error, &options.input))?;
    config.mappings.setting_warnings(secret.hash_key()).into_iter().for_each(output::note);
    for mapped in &mapping.messages {
        output::print_json(mapped.message.as_json())?;
        output::note(explanation(mapped));
    }
    for ignored in &mapping.ignored {
        output::note(format!("an event makes no message: {ignored}."));
    }
    for fault in &mapping.times {
        output::note(format!("the time of an event {fault}; the message uses the time of receipt instead."));
    }
    if mapping.messages.is_empty() {
        return Err(
            "no message would be sent; segue mappings prints the built-in rules, and --mappings adds your own".into(),
        );
    }
    Ok(())
}

/// Prints the built-in mapping.
pub fn print() -> Result<(), CommandError> {
    output::print(BUILT_IN)
}

/// Returns the error with the name of the input and the fix.
fn reason(error: &MapError, input: &Input) -> String {
    let name = input.name();
    match error {
        MapError::Json(_) => format!("{name}: {error}; pass the body exactly as the provider sends it"),
        MapError::Unusable(_) => {
            format!("{name}: {error}; the webhook would get 422. Check that this provider sent the body")
        }
        MapError::UnknownProvider { .. } | MapError::NoHashKey => error.to_string(),
    }
}

fn explanation(mapped: &Mapped) -> String {
    let call = mapped.message.message_type();
    let mut text = format!("{call} of {:?}, by the rule at {}", mapped.event_type, mapped.rule);
    if let Some(replaces) = &mapped.replaces {
        text = format!("{text}; replaces the built-in rule at {replaces}");
    }
    for (what, fields) in
        [("kept back: ", &mapped.hidden), ("left out to stay below 32 KB: ", &mapped.left_out)]
    {
        if !fields.is_empty() {
            text = format!("{text}; {what}{}", fields.join(", "));
        }
    }
    text
}
