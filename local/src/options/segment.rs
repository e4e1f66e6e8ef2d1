//! Where Segment is and with which write keys, for every command that talks to it.

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

/// The write key of the stand-in, which takes any.
pub const STAND_IN_WRITE_KEY: &str = "local";

/// Options about Segment.
#[derive(Args)]
pub struct SegmentOptions {
    /// Where Segment is: `https://api.segment.io`, or `https://events.eu1.segmentapis.com` for workspaces in Europe; a
    /// /v1 at its end is removed. Default: the embedded stand-in, whose messages are on the page at /: then nothing goes
    /// to Segment, write key or not
    #[arg(long, env = "SEGMENT_ENDPOINT", value_name = "URL", hide_env_values = true)]
    pub segment_endpoint: Option<Endpoint>,
    /// The source's write key, or a JSON object of write keys by name, one of them named "default"
    #[arg(long, env = "SEGMENT_WRITE_KEY", value_name = "KEY", hide_env_values = true)]
    pub write_key: Option<String>,
}

/// How to reach Segment.
pub struct Connection {
    /// The client.
    pub client: Client,
    /// The write keys by name.
    pub write_keys: Arc<CachedSecret<WriteKeys>>,
    /// Whether the write key is the well-known one of the stand-in.
    pub well_known_key: bool,
}

impl SegmentOptions {
    /// Whether the embedded stand-in takes Segment's place.
    pub fn use_stand_in(&self) -> bool {
        self.segment_endpoint.is_none()
    }

    /// A warning when there is a write key and no endpoint. Every Segment library has a default endpoint, so people set the key
    /// alone.
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

    /// The endpoint that was given.
    pub fn endpoint(&self) -> Option<&Endpoint> {
        self.segment_endpoint.as_ref()
    }

    /// What tells one destination from another: the endpoint and the write key.
    pub fn destination(&self) -> Secret {
        let endpoint = self.segment_endpoint.as_ref().map(Endpoint::to_string).unwrap_or_default();
        let write_key = self.write_key.as_deref().unwrap_or(STAND_IN_WRITE_KEY);
        Secret::new(format!("{endpoint}\n{write_key}"))
    }

    /// Sets up the client. `stand_in` is the stand-in's base URL.
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
