//! The source of a new secret. It is never the command line, which other users can see and the shell saves.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use clap::{Args, ValueHint};
use identity::Providers;
use reqwest::Url;
use ring::rand::{SecureRandom, SystemRandom};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    console::input::Input,
    error::{CommandError, Exit},
};

/// The exit code after Ctrl-C, as shells report it.
const INTERRUPTED: u8 = 130;

/// Where the new secret comes from. Without any of these, the user types it.
#[derive(Args)]
#[group(multiple = false)]
pub struct Source {
    /// Read it from a file: the secret or token alone, or the whole entry as a JSON object
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    from: Option<String>,
    /// Generate a random one, which you then copy to the provider
    #[arg(long)]
    generate: bool,
    /// Use the provider's public keys at this address instead of a secret
    #[arg(long, value_name = "URL")]
    jwks_url: Option<Url>,
}

impl Source {
    /// Returns the new secret. `input_is_taken` tells that standard input holds something else.
    ///
    /// # Errors
    /// A sentence that names another source.
    pub async fn value(
        &self,
        provider: &str,
        input_is_taken: bool,
        providers: &Providers,
    ) -> Result<String, CommandError> {
        if let Some(url) = &self.jwks_url {
            return Ok(json!({"jwksUrl": url.as_str()}).to_string());
        }
        if self.generate
            && providers.with_secret_member(provider).is_some_and(|provider| provider.makes_its_secret)
        {
            return Err(format!("{provider} generates its signing secret itself; copy it from there").into());
        }
        if self.generate {
            let mut random = [0; 32];
            SystemRandom::new().fill(&mut random).map_err(|_| "this machine has no random numbers")?;
            return Ok(STANDARD.encode(random));
        }
        match &self.from {
            Some(file) if file == "-" && input_is_taken => {
                Err("standard input already holds the secret to add to; name a file with --from".into())
            }
            Some(file) => String::from_utf8(Input { file: file.clone() }.read()?)
                .map_err(|_| format!("{file} is not UTF-8; save the secret as text").into()),
            None => typed(provider).await,
        }
    }
}

/// Reads a line from the terminal without showing it, even if standard input is a pipe.
async fn typed(provider: &str) -> Result<String, CommandError> {
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty").map_err(
        |_| "there is no terminal to type the new secret in; name a file with --from, or use --generate",
    )?;
    // Listen for Ctrl-C before turning the echo off, because the echo must come back after it.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let echo_off = EchoOff::new(terminal)?;
    let mut asked = echo_off.terminal.try_clone()?;
    write!(asked, "Secret or token of {provider} (not shown): ")?;
    let read = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        BufReader::new(asked).read_line(&mut line).map(|_| line)
    });
    let line = tokio::select! {
        line = read => line??,
        _ = interrupt.recv() => {
            drop(echo_off);
            return Err(Exit(INTERRUPTED).into());
        }
    };
    Ok(line)
}

/// Turns off the terminal's echo until it is dropped.
struct EchoOff {
    terminal: File,
    before: Termios,
}

impl EchoOff {
    fn new(terminal: File) -> io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        quiet.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(&terminal, OptionalActions::Flush, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for EchoOff {
    fn drop(&mut self) {
        // An error cannot be reported here. The user can reset the terminal.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}
