//! `segue map`: a dry run of the mapping; and `segue mappings`, which prints the built-in one.

use clap::Args;
use identity::{BUILT_IN, Config, MapError, Mapped, Mapper, Provider};
use identity_webhook::Authentication;
use platform::clock::{Clock, SystemClock};

use crate::{
    console::{input::Input, output},
    error::CommandError,
    options::mapping::MappingOptions,
};

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
        output::note(format!("an event's time {fault}: the time of receipt stands in for it."));
    }
    if mapping.messages.is_empty() {
        return Err(
            "nothing would be sent; segue mappings prints the rules, --mappings lays yours over them".into(),
        );
    }
    Ok(())
}

/// Prints the built-in mapping.
pub fn print() -> Result<(), CommandError> {
    output::print(BUILT_IN)
}

/// What to do about it: the input is what the caller can change.
fn reason(error: &MapError, input: &Input) -> String {
    let name = input.name();
    match error {
        MapError::Json(_) => format!("{name}: {error}; give the body as the provider posts it"),
        MapError::Unusable(_) => {
            format!("{name}: {error}; the webhook would be answered 422. Is it a body of this provider?")
        }
        MapError::UnknownProvider { .. } | MapError::NoHashKey => error.to_string(),
    }
}

fn explanation(mapped: &Mapped) -> String {
    let call = mapped.message.message_type();
    let mut text = format!("{call} of {:?}, by the rule at {}", mapped.event_type, mapped.rule);
    if let Some(replaces) = &mapped.replaces {
        text = format!("{text}; replaces {replaces}");
    }
    for (what, fields) in
        [("kept back: ", &mapped.hidden), ("left out, to stay below 32 KB: ", &mapped.left_out)]
    {
        if !fields.is_empty() {
            text = format!("{text}; {what}{}", fields.join(", "));
        }
    }
    text
}
