//! The start screen of `segue serve`: at most 24 lines of 80 columns.

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

/// The content of the start screen.
pub struct Banner<'a> {
    /// The configuration.
    pub setup: &'a Setup,
    /// The warning that nothing goes to Segment, when the options suggest that it does.
    pub unsent: Option<String>,
    /// The URL of the page, or the reason for having none.
    pub page: String,
    /// The folder of the store.
    pub data_dir: &'a Path,
}

impl Banner<'_> {
    /// Prints the addresses and a command that works, or logs one line in JSON. Ignores a failing output.
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
            format!("{base}/identity/…: {}", some_of(&setup.providers.addresses(), &setup.own_providers)),
            self.warning(),
        );
        screen.row("Segment libraries", self.libraries());
        screen.row("Webhooks", self.names_of_webhooks());
        if let Some(warehouse) = &setup.warehouse {
            screen.row("PostgreSQL", shortened(warehouse));
        }
        screen.row(
            "Deleted users",
            setup.regulations.as_deref().unwrap_or("kept at Segment; set SEGMENT_PUBLIC_API_TOKEN to delete"),
        );
        screen.row("Store", shortened(&self.data_dir.display().to_string()));
        let (heading, command) = self.example();
        screen.command(heading, &command);
        screen.end("Ctrl-C stops it; undelivered messages stay in the store.")
    }

    fn segment(&self) -> String {
        if self.setup.stand_in {
            return "the stand-in (a fake Segment built into Segue); set SEGMENT_ENDPOINT for the real one"
                .to_owned();
        }
        let url = &*self.setup.endpoint;
        let region = match url {
            Endpoint::US => " (US)",
            Endpoint::EU => " (EU)",
            _ => "",
        };
        format!("{url}{region}")
    }

    /// Returns the providers that need a signature or a token, and the treatment of the others.
    fn warning(&self) -> String {
        let proving = &self.setup.authenticated;
        match (proving.is_empty(), self.setup.unsigned) {
            (true, true) => {
                "Accepted unsigned, at localhost or a --public-host: set IDENTITY_SECRET".to_owned()
            }
            (true, false) => "All refused: set IDENTITY_SECRET".to_owned(),
            (false, true) => {
                format!(
                    "{}: signature or token required; others: not, at localhost or a --public-host",
                    proving.join(", ")
                )
            }
            (false, false) => {
                format!("{}: signature or token required; others: refused", proving.join(", "))
            }
        }
    }

    fn libraries(&self) -> String {
        let base = &self.setup.url;
        match (self.setup.tracking_open, &self.setup.write_key) {
            (false, _) => "refused: set SEGMENT_WRITE_KEY to accept other machines".to_owned(),
            (true, Some(write_key)) => format!("host {base}, write key {write_key}"),
            (true, None) => format!("host {base}, your write key"),
        }
    }

    fn names_of_webhooks(&self) -> String {
        if self.setup.webhooks.is_empty() {
            return "none; add one with --webhook".to_owned();
        }
        let names: Vec<String> = self.setup.webhooks.iter().map(|name| shortened(name)).collect();
        names.join(", ")
    }

    /// Returns a heading and a command that succeeds with this configuration.
    fn example(&self) -> (&'static str, String) {
        let setup = self.setup;
        let address = setup.url.trim_start_matches("http://");
        let write_key = setup.write_key.as_deref().unwrap_or("YOUR_WRITE_KEY");
        if setup.unsigned && !setup.authenticated.iter().any(|provider| provider == "fusionauth") {
            let command = format!(
                "curl -H content-type:application/json {address}/identity/fusionauth \\\n    -d {LOGIN}"
            );
            ("Try it (sending it twice still counts once in Segment):", command)
        } else if setup.tracking_open {
            ("Try it:", format!("curl {address}/v1/track -u {write_key}: \\\n    -d {TRACK}"))
        } else {
            ("Try it:", format!("curl {address}/health"))
        }
    }
}

/// The most providers that the screen names. The page has all of them.
const MOST_NAMES: usize = 5;

/// Returns some of the providers' addresses, the user's own first.
fn some_of(all: &[&'static str], own: &[&'static str]) -> String {
    let others = all.iter().filter(|address| !own.contains(address));
    let names: Vec<&str> = own.iter().chain(others).take(MOST_NAMES).copied().collect();
    format!("{} and {} more", names.join(", "), all.len().saturating_sub(names.len()))
}
