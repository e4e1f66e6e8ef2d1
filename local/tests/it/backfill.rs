//! `segue backfill`, against fake providers that fail now and then.

mod auth0_file;
mod auth0_job;
mod event_log;
mod fusionauth;
mod fusionauth_api;
mod help;
mod interrupted;
mod memory;
mod progress;
mod sink;
mod warehouse;

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

use crate::process::segue;

/// A part of every secret below. It must never be sent or printed.
pub const NEVER: &str = "never-send";

/// A run of `segue backfill` with its checkpoints in `data`.
pub fn command(data: &Path, arguments: &[&str]) -> Command {
    let mut command = segue();
    command.args(["backfill"]).args(arguments).arg("--data-dir").arg(data);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it to its end.
pub async fn run(data: &Path, arguments: &[&str]) -> Ended {
    let mut command = command(data, arguments);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    Ended::from(&output)
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<&Output> for Ended {
    fn from(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let ended =
            Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) };
        assert!(!ended.stderr.contains(NEVER) && !ended.stderr.contains("panicked"), "{ended:?}");
        ended
    }
}

impl Ended {
    /// The summary of a run that is no dry run.
    pub fn summary(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("{self:?}"))
    }

    /// The messages that a dry run printed.
    pub fn messages(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// A user of an Auth0 export.
pub fn auth0_user(number: usize) -> Value {
    let month = number % 12 + 1;
    json!({
        "user_id": format!("auth0|{number:07}"),
        "email": format!("user{number}@example.com"),
        "email_verified": number.is_multiple_of(2),
        "family_name": if number.is_multiple_of(5) { "'t Hooft, \"senior\"" } else { "Berg\nHolt" },
        "logins_count": number,
        "created_at": format!("2025-{month:02}-01T08:00:00.000Z"),
        "updated_at": format!("2025-{month:02}-02T08:00:00.000Z"),
        "identities": [{"connection": "db", "access_token": format!("{NEVER}-token")}],
        "user_metadata": {"password": format!("{NEVER}-password")},
        "password_hash": format!("{NEVER}-hash"),
    })
}

/// An export of `users` users, one per line.
pub fn ndjson(users: usize) -> String {
    (0..users).map(|number| auth0_user(number).to_string() + "\n").collect()
}
