//! What `segue serve` says when it is up: one page of a terminal, 24 lines of 80 columns.

mod screen;

use std::{io::Write, net::SocketAddr, path::Path};

use identity_webhook::Proofs;
use segment::Endpoint;
use webhook_delivery::Webhook;

use self::screen::{Screen, shortened};
use crate::{logging::LogFormat, output};

/// A login as FusionAuth reports it, short enough for a command line.
const LOGIN: &str = r#"'{"event":{"id":"1","type":"user.login.success","user":{"id":"ada"}}}'"#;

/// The shortest call of a Segment library.
const TRACK: &str = r#"'{"userId":"ada","event":"Hello"}'"#;

/// What the banner tells.
pub struct Banner<'a> {
    pub address: SocketAddr,
    /// The real Segment; None is the stand-in.
    pub endpoint: Option<&'a Endpoint>,
    /// What identity providers have to prove.
    pub proofs: Vec<Proofs>,
    /// Whether those that have nothing to prove are let in.
    pub unsigned_too: bool,
    /// The write key, where it is no secret.
    pub write_key: Option<&'a str>,
    /// Whether the tracking API takes anything.
    pub tracking_open: bool,
    pub webhooks: &'a [Webhook],
    /// What becomes of deleted users at Segment.
    pub regulations: Option<&'a str>,
    pub data_dir: &'a Path,
}

impl Banner<'_> {
    /// Shows the addresses to paste and a command that works, or logs a line where programs read. That nobody reads it
    /// is no reason to stop.
    pub fn show(&self) {
        if output::format() == LogFormat::Json {
            let providers: Vec<_> = self.proofs.iter().map(|proofs| proofs.provider.as_str()).collect();
            tracing::info!(
                address = %self.base(),
                segment = self.endpoint.map_or_else(|| "stand-in".to_owned(), ToString::to_string),
                authenticated = providers.join(","),
                unsigned_too = self.unsigned_too,
                webhooks = self.webhooks.len(),
                "Segue is up."
            );
        } else {
            let _ = anstream::stdout().lock().write_all(self.screen().as_bytes());
        }
    }

    fn base(&self) -> String {
        format!("http://{}", super::reachable(self.address))
    }

    fn screen(&self) -> String {
        let base = self.base();
        let mut screen = Screen::new(concat!("Segue ", env!("CARGO_PKG_VERSION"), " is up."));
        screen.row("Page", format!("{base}/"));
        screen.row("Segment", self.segment());
        screen.row_with_care(
            "Identity providers",
            format!("{base}/identity/…: {}", identity_webhook::addresses().join(", ")),
            self.care(),
        );
        screen.row("Segment libraries", self.libraries());
        screen.row("Webhooks", self.names_of_webhooks());
        screen.row(
            "Deleted users",
            self.regulations.unwrap_or("stay at Segment; SEGMENT_PUBLIC_API_TOKEN changes that"),
        );
        screen.row("Store", shortened(&self.data_dir.display().to_string()));
        let (heading, command) = self.to_try();
        screen.command(heading, &command);
        screen.end("Ctrl-C stops it; what is not delivered yet stays in the store.")
    }

    fn segment(&self) -> String {
        let Some(endpoint) = self.endpoint else {
            return "a stand-in, see the page; SEGMENT_ENDPOINT changes that".to_owned();
        };
        let url = endpoint.to_string();
        let region = match url.as_str() {
            Endpoint::US => " (US)",
            Endpoint::EU => " (EU)",
            _ => "",
        };
        format!("{url}{region}")
    }

    /// Who has to prove nothing, or is refused.
    fn care(&self) -> String {
        let proving: Vec<_> = self.proofs.iter().map(|proofs| proofs.provider.as_str()).collect();
        match (proving.is_empty(), self.unsigned_too) {
            (true, true) => "Taken from anybody, without proof: set IDENTITY_SECRET".to_owned(),
            (true, false) => "All are refused: set IDENTITY_SECRET".to_owned(),
            (false, true) => {
                format!("{} must prove who they are; others are taken from anybody", proving.join(", "))
            }
            (false, false) => {
                format!("{} must prove who they are; others are refused", proving.join(", "))
            }
        }
    }

    fn libraries(&self) -> String {
        let base = self.base();
        match (self.tracking_open, self.write_key) {
            (false, _) => "refused: set SEGMENT_WRITE_KEY to let them in from other machines".to_owned(),
            (true, Some(write_key)) => format!("host {base}, write key {write_key}"),
            (true, None) => format!("host {base}, the write key you gave"),
        }
    }

    fn names_of_webhooks(&self) -> String {
        if self.webhooks.is_empty() {
            return "none; name one with --webhook".to_owned();
        }
        let names: Vec<String> = self.webhooks.iter().map(|webhook| shortened(&webhook.name)).collect();
        names.join(", ")
    }

    /// A command that is answered with success, whatever is configured.
    fn to_try(&self) -> (&'static str, String) {
        let address = super::reachable(self.address);
        let write_key = self.write_key.unwrap_or("YOUR_WRITE_KEY");
        if self.unsigned_too && !self.proofs.iter().any(|proofs| proofs.provider == "fusionauth") {
            let command = format!(
                "curl -H content-type:application/json {address}/identity/fusionauth \\\n    -d {LOGIN}"
            );
            ("Try it. Sent again, Segment sees the same message:", command)
        } else if self.tracking_open {
            ("Try it:", format!("curl {address}/v1/track -u {write_key}: \\\n    -d {TRACK}"))
        } else {
            ("Try it:", format!("curl {address}/health"))
        }
    }
}
