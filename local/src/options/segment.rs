//! Segment's endpoint and the write keys, for each command that sends to Segment.

use std::sync::Arc;

use clap::Args;
use platform::{
    clock::SharedClock,
    http,
    secrets::{CachedSecret, StaticSecret},
    write_keys::WriteKeys,
};
use segment::{Client, Endpoint, Secret};

use crate::error::CommandError;

/// The write key for the stand-in, which accepts any.
pub const STAND_IN_WRITE_KEY: &str = "local";

/// Options for Segment.
#[derive(Args)]
pub struct SegmentOptions {
    /// Segment's address: `https://api.segment.io`, or `https://events.eu1.segmentapis.com` for workspaces in
    /// Europe. A /v1 at the end is removed. Default: the stand-in (a fake Segment built into Segue); then
    /// nothing goes to Segment, even with a write key
    #[arg(long, env = "SEGMENT_ENDPOINT", value_name = "URL", hide_env_values = true)]
    pub segment_endpoint: Option<Endpoint>,
    /// The source's write key, or a JSON object of write keys by name, one of them named "default"
    #[arg(long, env = "SEGMENT_WRITE_KEY", value_name = "KEY", hide_env_values = true)]
    pub write_key: Option<String>,
}

/// A connection to Segment.
pub struct Connection {
    /// The client.
    pub client: Client,
    /// The write keys by name.
    pub write_keys: Arc<CachedSecret<WriteKeys>>,
    /// Whether the write key is the well-known one of the stand-in.
    pub well_known_key: bool,
}

impl SegmentOptions {
    /// Whether messages go to the stand-in.
    pub fn use_stand_in(&self) -> bool {
        self.segment_endpoint.is_none()
    }

    /// Returns a warning if there is a write key but no endpoint. Segment libraries have a default endpoint,
    /// so people often set only the key.
    pub fn unsent_warning(&self) -> Option<String> {
        let unsent = self.use_stand_in() && self.write_key.is_some();
        unsent.then(|| {
            format!(
                "NOTHING goes to Segment: you gave a write key but no SEGMENT_ENDPOINT ({}, in Europe {})",
                Endpoint::US,
                Endpoint::EU
            )
        })
    }

    /// Returns the endpoint, if it is set.
    pub fn endpoint(&self) -> Option<&Endpoint> {
        self.segment_endpoint.as_ref()
    }

    /// Returns the endpoint and the write key, which together identify the destination.
    pub fn destination(&self) -> Secret {
        let endpoint = self.segment_endpoint.as_ref().map(Endpoint::to_string).unwrap_or_default();
        let write_key = self.write_key.as_deref().unwrap_or(STAND_IN_WRITE_KEY);
        Secret::new(format!("{endpoint}\n{write_key}"))
    }

    /// Returns a client. `stand_in` is the base URL of the stand-in.
    pub fn connect(&self, stand_in: &str, clock: &SharedClock) -> Result<Connection, CommandError> {
        let well_known_key = self.write_key.is_none();
        let write_key = match (&self.write_key, &self.segment_endpoint) {
            (Some(write_key), _) => write_key.as_str(),
            (None, None) => STAND_IN_WRITE_KEY,
            (None, Some(_)) => {
                return Err("there is no write key; set SEGMENT_WRITE_KEY to the source's write key \
                            (Segment: Connections, Sources, your source, Settings, API Keys)"
                    .into());
            }
        };
        WriteKeys::parse(write_key)
            .map_err(|problem| format!("SEGMENT_WRITE_KEY is not usable: {problem}"))?;
        let store = StaticSecret(Secret::new(write_key));
        let write_keys = Arc::new(CachedSecret::new(store, WriteKeys::parse, clock.clone()));
        let endpoint = match &self.segment_endpoint {
            Some(endpoint) => endpoint.clone(),
            None => stand_in.parse()?,
        };
        let now = clock.clone();
        let client = Client::new(http::client()?, endpoint).with_clock(move || now.now());
        Ok(Connection { client, write_keys, well_known_key })
    }
}
