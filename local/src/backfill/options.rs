//! The options that several backfills have.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use identity::{Config, HashKey};
use jiff::Timestamp;
use segment::{Endpoint, timestamp};
use serde_json::Value;

use super::{destination::Kind, pace::SEGMENTS_RATE};
use crate::{
    console::output,
    error::CommandError,
    options::{
        mapping::{MappingOptions, hash_key},
        segment::SegmentOptions,
        server::Server,
        warehouse::WarehouseOptions,
    },
};

/// The options of those that read users or events of a provider.
#[derive(Args)]
pub struct ProviderOptions {
    #[command(flatten)]
    mappings: MappingOptions,
    /// The identity secret; only its hashKey is used
    #[arg(long, env = "IDENTITY_SECRET", value_name = "JSON", hide_env_values = true)]
    identity_secret: Option<String>,
    /// The deployment name in message ids. On AWS it is the stack's ARN
    #[arg(long, env = "SEGUE_DEPLOYMENT", value_name = "NAME")]
    pub deployment: Option<String>,
}

/// The options of all backfills.
#[derive(Args)]
pub struct CommonOptions {
    /// Where the messages go
    #[arg(long, value_enum, value_name = "DESTINATION", default_value_t = Kind::Segment)]
    pub to: Kind,
    #[command(flatten)]
    pub segment: SegmentOptions,
    #[command(flatten)]
    pub warehouse: WarehouseOptions,
    #[command(flatten)]
    pub server: Server,
    /// The token of the server's page. Default: the token in the data directory, if the server is on this
    /// machine
    #[arg(long, env = "SEGUE_PAGE_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub page_token: Option<String>,
    /// The folder for checkpoints, and for the store of a segue serve on this machine
    #[arg(long, env = "SEGUE_DATA_DIR", default_value = ".segue", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data_dir: PathBuf,
    /// Only users created or changed, events or messages at this time or later, such as 2026-11-21T04:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub since: Option<Timestamp>,
    /// Send at most N users or messages in this run; the next run continues after them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Send at most N events per second. Default: 1,000 for Segment, which takes no more, and no limit for PostgreSQL
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub rate: Option<u32>,
    /// Print the messages, one per line, and send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Start over, instead of continuing where the last run ended
    #[arg(long, conflicts_with = "dry_run")]
    pub restart: bool,
}

fn time(text: &str) -> Result<Timestamp, String> {
    timestamp::parse(&Value::String(text.to_owned()))
        .ok_or_else(|| "it must be a time such as 2026-11-21T04:00:00Z".to_owned())
}

impl ProviderOptions {
    /// Returns the settings of the mapping, with the deployment name for message ids.
    ///
    /// # Errors
    /// Every problem with the settings.
    pub fn config(&self, deployment: &str, tenants: Option<&str>) -> Result<Config, CommandError> {
        let mut config = Config::from_variables(|name| match name {
            "SEGUE_DEPLOYMENT" => Some(deployment.to_owned()),
            "TENANT_WRITE_KEYS" => tenants.map(str::to_owned),
            _ => None,
        })?;
        config.mappings = self.mappings.read()?;
        config.mappings.warnings().for_each(output::note);
        Ok(config)
    }

    /// Whether there is a mapping file. Its rules may read fields that the built-in rules do not read.
    pub fn has_mappings(&self) -> bool {
        self.mappings.is_given()
    }

    /// Returns the key for fields that the mapping hashes.
    ///
    /// # Errors
    /// When the identity secret is not usable. The error does not quote it.
    pub fn hash_key(&self) -> Result<Option<HashKey>, CommandError> {
        hash_key(self.identity_secret.as_deref(), self.mappings.read()?.providers())
    }
}

impl CommonOptions {
    /// Checks that `--rate` is no higher than Segment's limit.
    pub fn check_rate(&self) -> Result<(), CommandError> {
        let is_segment = self.to == Kind::Segment && self.segment.endpoint().is_some_and(is_segments_own);
        if is_segment && self.rate.is_some_and(|rate| rate > SEGMENTS_RATE) {
            return Err("Segment takes at most 1,000 events per second; use --rate 1000 or less".into());
        }
        Ok(())
    }
}

fn is_segments_own(endpoint: &Endpoint) -> bool {
    let uri = endpoint.to_string().parse::<http::Uri>().ok();
    let host = uri.as_ref().and_then(http::Uri::host).unwrap_or_default().to_ascii_lowercase();
    ["segment.io", "segment.com", "segmentapis.com"]
        .iter()
        .any(|own| host.strip_suffix(own).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_own_endpoints_are_known() {
        for (endpoint, expected) in [
            (Endpoint::US, true),
            (Endpoint::EU, true),
            ("https://API.segment.io/v1", true),
            ("https://notsegment.io", false),
            ("http://127.0.0.1:3000/stand-in", false),
        ] {
            assert_eq!(is_segments_own(&endpoint.parse().unwrap()), expected, "{endpoint}");
        }
    }
}
