//! Where a new secret comes from: never from the command line, which the shell and other users of the machine keep.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use clap::{Args, ValueHint};
use identity::providers;
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

/// Where the new secret is. Without any of these it is typed, unseen.
#[derive(Args)]
#[group(multiple = false)]
pub struct Source {
    /// Take it from a file: the secret or token alone, or the whole member as a JSON object
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    from: Option<String>,
    /// Make a random one, to be copied to the provider
    #[arg(long)]
    generate: bool,
    /// Take the provider's public keys from this address; there is no secret then
    #[arg(long, value_name = "URL")]
    jwks_url: Option<Url>,
}

impl Source {
    /// The value. `input_is_taken` says that standard input holds something else.
    ///
    /// # Errors
    /// A sentence that says where else it can come from.
    pub async fn value(&self, provider: &str, input_is_taken: bool) -> Result<String, CommandError> {
        if let Some(url) = &self.jwks_url {
            return Ok(json!({"jwksUrl": url.as_str()}).to_string());
        }
        if self.generate
            && providers::with_secret_member(provider).is_some_and(|provider| provider.makes_its_secret)
        {
            return Err(format!("{provider} makes its signing secret itself; copy it from there").into());
        }
        if self.generate {
            let mut random = [0; 32];
            SystemRandom::new().fill(&mut random).map_err(|_| "this machine gives no random numbers")?;
            return Ok(STANDARD.encode(random));
        }
        match &self.from {
            Some(file) if file == "-" && input_is_taken => {
                Err("standard input holds the secret to add to; name a file with --from".into())
            }
            Some(file) => String::from_utf8(Input { file: file.clone() }.read()?)
                .map_err(|_| format!("{file} is not UTF-8; store the secret as text").into()),
            None => typed(provider).await,
        }
    }
}

/// Reads a line from the terminal without showing it, even where standard input is a pipe.
async fn typed(provider: &str) -> Result<String, CommandError> {
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty").map_err(
        |_| "there is no terminal to type the new secret at; name a file with --from, or say --generate",
    )?;
    // Listened for before echo is off: the terminal must not stay like that after Ctrl-C.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let echo_off = EchoOff::new(terminal)?;
    let mut asked = echo_off.terminal.try_clone()?;
    write!(asked, "The secret or token of {provider} (it is not shown): ")?;
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

/// A terminal that does not show what is typed, as long as this lives.
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
        // Nobody can be told, and the terminal is the user's to reset.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}
