//! `segue tail`: shows the live list of a running server in a terminal.

mod line;

use std::{collections::HashMap, path::PathBuf};

use clap::{Args, ValueHint};
use platform::http;
use reqwest::{Response, Url};
use serde_json::Value;

use crate::{
    console::{output, redact},
    error::CommandError,
    options::{
        page_token::{self, TokenOptions},
        server,
    },
};

/// Options of `segue tail`.
#[derive(Args)]
pub struct Options {
    /// The address of the running segue serve
    #[arg(
        long,
        env = "SEGUE_URL",
        hide_env_values = true,
        default_value = "http://127.0.0.1:3000",
        value_name = "URL"
    )]
    url: Url,
    #[command(flatten)]
    token: TokenOptions,
    /// The server's data directory, if it is on this machine. It holds the token of the page
    #[arg(long, env = "SEGUE_DATA_DIR", default_value = ".segue", value_name = "DIR", value_hint = ValueHint::DirPath)]
    data_dir: PathBuf,
    /// How many earlier messages to show first
    #[arg(long, default_value_t = 10, value_name = "COUNT")]
    lines: usize,
    /// Only this type of call, such as track
    #[arg(long = "type", value_name = "TYPE")]
    message_type: Option<String>,
    /// Only this source, such as fusionauth, or sources whose name begins like this
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
    /// Only this state: queued, retrying, delivered, dead-letter, dropped, ignored or rejected
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// Only this user
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Print each row as a JSON object
    #[arg(long)]
    json: bool,
}

/// The largest event. A thousand rows have a few hundred KB.
const MAX_EVENT_BYTES: usize = 16 * 1024 * 1024;

/// Prints each message and each change of its state, until this command or the server stops.
pub async fn run(options: Options) -> Result<(), CommandError> {
    let mut live = connect(&options).await?;
    let mut tail = Tail { options: &options, waiting: Vec::new(), states: HashMap::new(), synced: false };
    let mut events = Events::default();
    while let Some(chunk) = live.chunk().await.ok().flatten() {
        events.add(&chunk);
        while let Some(event) = events.next() {
            tail.take(&event)?;
        }
        if events.unread.len() > MAX_EVENT_BYTES {
            return Err(format!(
                "the server at {} sent an event of more than 16 MB; check that it is segue serve",
                redact::url(options.url.as_str())
            )
            .into());
        }
    }
    Err(format!(
        "the server at {} stopped, or the connection broke; run segue tail again",
        redact::url(options.url.as_str())
    )
    .into())
}

/// Splits the stream into events.
#[derive(Default)]
struct Events {
    unread: Vec<u8>,
    /// How many bytes of it are known to hold no end of an event.
    searched: usize,
}

impl Events {
    fn add(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
    }

    /// Returns the next complete event. It looks at each byte once, however the bytes arrive.
    fn next(&mut self) -> Option<String> {
        let from = self.searched.saturating_sub(1);
        let Some(at) = self.unread[from..].windows(2).position(|two| two == b"\n\n") else {
            self.searched = self.unread.len();
            return None;
        };
        let event: Vec<u8> = self.unread.drain(..from + at + 2).collect();
        self.searched = 0;
        Some(String::from_utf8_lossy(&event).into_owned())
    }
}

async fn connect(options: &Options) -> Result<Response, CommandError> {
    let mut url = options.url.clone();
    url.set_path("/debugger/api/live");
    let token = {
        let (host, given) = (url.host_str().unwrap_or_default(), options.token.token.as_deref());
        page_token::for_server(host, given, &options.data_dir)
    };
    let request = server::authorized(http::client()?.get(url), token.as_ref());
    let answer = request.send().await.map_err(|_| {
        format!(
            "no server answers at {}; start segue serve, or pass its address with --url",
            redact::url(options.url.as_str())
        )
    })?;
    if answer.status().is_success() {
        return Ok(answer);
    }
    server::read_body(answer, &redact::url(options.url.as_str())).await?;
    Err(format!(
        "the server at {} is not segue serve; pass the right address with --url",
        redact::url(options.url.as_str())
    )
    .into())
}

/// The rows that are received and printed so far.
struct Tail<'a> {
    options: &'a Options,
    /// Rows from before the start, newest first.
    waiting: Vec<Value>,
    /// The last printed line of each row. A row is printed again only when its line changes.
    states: HashMap<u64, String>,
    synced: bool,
}

impl Tail<'_> {
    /// Handles an event of the live list.
    fn take(&mut self, event: &str) -> Result<(), CommandError> {
        let part = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let data: Value = serde_json::from_str(part("data:").unwrap_or_default()).unwrap_or_default();
        match (part("event:"), data) {
            (Some("rows"), Value::Array(rows)) if self.synced => {
                rows.iter().try_for_each(|row| self.show(row))
            }
            (Some("rows"), Value::Array(rows)) => {
                let wanted = rows.into_iter().filter(|row| self.options.wants(row));
                self.waiting
                    .extend(wanted.take(self.options.lines - self.waiting.len().min(self.options.lines)));
                Ok(())
            }
            (Some("synced"), _) => {
                self.synced = true;
                let earlier = std::mem::take(&mut self.waiting);
                earlier.iter().rev().try_for_each(|row| self.show(row))
            }
            _ => Ok(()),
        }
    }

    fn show(&mut self, row: &Value) -> Result<(), CommandError> {
        let Some(id) = row["id"].as_u64().filter(|_| self.options.wants(row)) else { return Ok(()) };
        let text = if self.options.json { row.to_string() } else { line::format_row(row) };
        if self.states.get(&id) == Some(&text) {
            return Ok(());
        }
        if self.options.json {
            output::print_json(&text)?;
        } else {
            output::print_colored(&text)?;
        }
        // Rows that the server no longer keeps do not change.
        if self.states.len() > 2 * crate::journal::MAX_ITEMS {
            let newest = id.saturating_sub(crate::journal::MAX_ITEMS as u64);
            self.states.retain(|id, _| *id > newest);
        }
        self.states.insert(id, text);
        Ok(())
    }
}

impl Options {
    fn wants(&self, row: &Value) -> bool {
        let is = |name: &str, wanted: &Option<String>| {
            wanted.as_ref().is_none_or(|wanted| row[name].as_str() == Some(wanted))
        };
        let source = row["source"].as_str().unwrap_or_default();
        is("type", &self.message_type)
            && is("state", &self.state)
            && is("user", &self.user)
            && self.source.as_ref().is_none_or(|wanted| source.starts_with(&**wanted))
    }
}
