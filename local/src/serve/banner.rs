//! What `segue serve` says when it is up: one page of a terminal, 24 lines of 80 columns.

mod screen;

use std::path::Path;

use segment::Endpoint;

use self::screen::{Screen, shortened};
use crate::{
    console::{logging::LogFormat, output},
    debugger::Setup,
};

/// A login as FusionAuth reports it, short enough for a command line.
const LOGIN: &str = r#"'{"event":{"id":"1","type":"user.login.success","user":{"id":"ada"}}}'"#;

/// The shortest call of a Segment library.
const TRACK: &str = r#"'{"userId":"ada","event":"Hello"}'"#;

/// What the banner tells.
pub struct Banner<'a> {
    /// What is configured.
    pub setup: &'a Setup,
    /// Why nothing goes to Segment, when somebody may think that it does.
    pub unsent: Option<String>,
    /// Where the page is.
    pub page: String,
    /// Where the store is.
    pub data_dir: &'a Path,
}

impl Banner<'_> {
    /// Shows the addresses to paste and a command that works, or logs a line where programs read. That nobody reads it
    /// is no reason to stop.
    pub fn show(&self) {
        if output::format() == LogFormat::Json {
            let setup = self.setup;
            tracing::info!(
                address = setup.url,
                segment = if setup.stand_in { "stand-in" } else { &setup.endpoint },
                authenticated = setup.authenticated.join(","),
                unsigned_too = setup.unsigned,
                webhooks = setup.webhooks.len(),
                "Segue is up."
            );
            if let Some(unsent) = &self.unsent {
                tracing::warn!("{unsent}.");
            }
        } else {
            let _ = output::print_colored(self.screen());
        }
    }

    fn screen(&self) -> String {
        let (setup, base) = (self.setup, &self.setup.url);
        let mut screen = Screen::new(concat!("Segue ", env!("CARGO_PKG_VERSION"), " is up."));
        screen.row("Page", &*self.page);
        match &self.unsent {
            Some(unsent) => screen.warning("Segment", unsent),
            None => screen.row("Segment", self.segment()),
        }
        screen.row_with_warning(
            "Identity providers",
            format!("{base}/identity/…: {}", identity::providers::addresses().join(", ")),
            self.warning(),
        );
        screen.row("Segment libraries", self.libraries());
        screen.row("Webhooks", self.names_of_webhooks());
        screen.row(
            "Deleted users",
            setup.regulations.as_deref().unwrap_or("stay at Segment; SEGMENT_PUBLIC_API_TOKEN changes that"),
        );
        screen.row("Store", shortened(&self.data_dir.display().to_string()));
        let (heading, command) = self.example();
        screen.command(heading, &command);
        screen.end("Ctrl-C stops it; what is not delivered yet stays in the store.")
    }

    fn segment(&self) -> String {
        if self.setup.stand_in {
            return "a stand-in, see the page; SEGMENT_ENDPOINT changes that".to_owned();
        }
        let url = &*self.setup.endpoint;
        let region = match url {
            Endpoint::US => " (US)",
            Endpoint::EU => " (EU)",
            _ => "",
        };
        format!("{url}{region}")
    }

    /// Who has to prove nothing, or is refused.
    fn warning(&self) -> String {
        let proving = &self.setup.authenticated;
        match (proving.is_empty(), self.setup.unsigned) {
            (true, true) => {
                "Taken without proof, at localhost or a --public-host: set IDENTITY_SECRET".to_owned()
            }
            (true, false) => "All are refused: set IDENTITY_SECRET".to_owned(),
            (false, true) => {
                format!(
                    "{} must prove who they are; others need not, at localhost or a --public-host",
                    proving.join(", ")
                )
            }
            (false, false) => {
                format!("{} must prove who they are; others are refused", proving.join(", "))
            }
        }
    }

    fn libraries(&self) -> String {
        let base = &self.setup.url;
        match (self.setup.tracking_open, &self.setup.write_key) {
            (false, _) => "refused: set SEGMENT_WRITE_KEY to let them in from other machines".to_owned(),
            (true, Some(write_key)) => format!("host {base}, write key {write_key}"),
            (true, None) => format!("host {base}, the write key you gave"),
        }
    }

    fn names_of_webhooks(&self) -> String {
        if self.setup.webhooks.is_empty() {
            return "none; name one with --webhook".to_owned();
        }
        let names: Vec<String> = self.setup.webhooks.iter().map(|name| shortened(name)).collect();
        names.join(", ")
    }

    /// A command that is answered with success, whatever is configured.
    fn example(&self) -> (&'static str, String) {
        let setup = self.setup;
        let address = setup.url.trim_start_matches("http://");
        let write_key = setup.write_key.as_deref().unwrap_or("YOUR_WRITE_KEY");
        if setup.unsigned && !setup.authenticated.iter().any(|provider| provider == "fusionauth") {
            let command = format!(
                "curl -H content-type:application/json {address}/identity/fusionauth \\\n    -d {LOGIN}"
            );
            ("Try it. Sent again, Segment sees the same message:", command)
        } else if setup.tracking_open {
            ("Try it:", format!("curl {address}/v1/track -u {write_key}: \\\n    -d {TRACK}"))
        } else {
            ("Try it:", format!("curl {address}/health"))
        }
    }
}
