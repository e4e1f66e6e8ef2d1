//! `segue map`, a dry run of the mapping, and `segue mappings`, which prints the built-in mapping.

mod expected;

use std::path::PathBuf;

use clap::{Args, ValueHint};
use identity::{Config, GUIDE, MapError, Mapped, Mapper, Provider, TEXTS};
use platform::clock::{Clock, SystemClock};

use crate::{
    console::{input::Input, output},
    error::CommandError,
    options::mapping::{MappingOptions, hash_key},
};

/// Options of `segue map`.
#[derive(Args)]
pub struct Options {
    /// The identity provider, as in the webhook's URL: fusionauth, auth0/logs and so on. Not needed for the
    /// one provider of --provider
    #[arg(required_unless_present = "providers")]
    provider: Option<String>,
    /// The file with the body; - is standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Option<String>,
    #[command(flatten)]
    mappings: MappingOptions,
    /// Compare each body NAME.json in this folder with the messages in NAME.expected.json
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    expect: Option<PathBuf>,
    /// Write the expected messages instead of comparing them
    #[arg(long, requires = "expect")]
    write: bool,
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
    let hash_key = hash_key(options.identity_secret.as_deref(), config.providers())?;
    let hash_key = hash_key.as_ref();
    let (provider, file) = options.provider_and_file(&config)?;
    config.mappings.setting_warnings(hash_key).into_iter().for_each(output::note);
    let mapper = Mapper::new(&config, hash_key, SystemClock.now());
    if let Some(folder) = &options.expect {
        return expected::check(folder, provider, &mapper, options.write);
    }
    let input = Input { file: file.unwrap_or_else(|| "-".to_owned()) };
    let body = input.read()?;
    let explained = || mapper.explain(provider.read(&body)?.events()?);
    let mapping = explained().map_err(|error| reason(&error, input.name()))?;
    for mapped in &mapping.messages {
        output::print_json(mapped.message.as_json())?;
        output::note(explanation(mapped));
    }
    for ignored in &mapping.ignored {
        output::note(format!("an event makes no message: {ignored}{}.", advice(ignored)));
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

impl Options {
    /// Returns the provider, and the file with the body. With one provider in --provider, its name may be left
    /// out.
    fn provider_and_file(
        &self,
        config: &Config,
    ) -> Result<(&'static Provider, Option<String>), CommandError> {
        let own = config.mappings.declared();
        if self.expect.is_some() && self.file.is_some() {
            return Err("--expect reads the bodies in its folder; name no file".into());
        }
        match (&self.provider, &self.file, own) {
            (Some(first), None, [provider]) if config.providers().named(first).is_err() => {
                match self.expect {
                    Some(_) => Ok((config.providers().named(first)?, None)),
                    None => Ok((provider, Some(first.clone()))),
                }
            }
            (None, _, [provider]) => Ok((provider, None)),
            (None, _, _) => {
                let known = config.providers().routes().collect::<Vec<_>>().join(", ");
                Err(format!("name the provider of the body; known are: {known}").into())
            }
            (Some(name), file, _) => Ok((config.providers().named(name)?, file.clone())),
        }
    }
}

/// Options of `segue mappings`.
#[derive(Args)]
pub struct PrintOptions {
    /// Print only the file of this provider, such as clerk or auth0
    provider: Option<String>,
    /// Print the JSON schema of mappings and of providers' files, for an editor
    #[arg(long, conflicts_with = "provider")]
    schema: bool,
}

/// Prints the built-in mapping.
///
/// # Errors
/// An unknown provider.
pub fn print(options: &PrintOptions) -> Result<(), CommandError> {
    if options.schema {
        return output::print(format!("{:#}", identity::schema()));
    }
    let Some(wanted) = &options.provider else {
        let texts: String = TEXTS.iter().map(|(_, text)| format!("\n\n{}", text.trim_end())).collect();
        return output::print(format!("{}{texts}", GUIDE.trim_end()));
    };
    match TEXTS.iter().find(|(name, _)| name == wanted) {
        Some((_, text)) => output::print(text.trim_end()),
        None => {
            let known: Vec<&str> = TEXTS.iter().map(|(name, _)| *name).collect();
            Err(format!("there is no built-in file for {wanted:?}; known are: {}", known.join(", ")).into())
        }
    }
}

/// Returns the error with the name of the input and the fix.
fn reason(error: &MapError, name: &str) -> String {
    match error {
        MapError::Json(_) | MapError::NotAJwt => {
            format!("{name}: {error}; pass the body exactly as the provider sends it")
        }
        MapError::Unusable(_) => {
            format!(
                "{name}: {error}; the webhook would get 422. Check that this provider sent the body{}",
                advice(&error.to_string())
            )
        }
        MapError::UnknownProvider { .. } | MapError::NoHashKey => error.to_string(),
    }
}

/// Returns what the writer of a provider's file can do about a reason.
fn advice(reason: &impl ToString) -> &'static str {
    match reason.to_string().ends_with("must be a string") {
        true => {
            ". To take a number as an id, put its path in the provider's file in braces: \"{event.user.id}\""
        }
        false => "",
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
