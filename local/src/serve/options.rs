//! The options of `segue serve`.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use clap::{Args, ValueHint};
use identity::{Config, Mappings, Providers};
use identity_webhook::Authentication;
use platform::sqlite::Store;
use serde_json::json;

use super::{page::PageOptions, regulations::RegulationOptions, webhooks::WebhookOptions};
use crate::{
    error::CommandError,
    http::names,
    options::{
        mapping::MappingOptions, segment::SegmentOptions, store::deployment, warehouse::WarehouseOptions,
    },
};

/// The options of `segue serve`.
#[derive(Args)]
pub struct Options {
    /// The address to listen at
    #[arg(long, env = "SEGUE_LISTEN", default_value = "127.0.0.1:3000", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// The folder of the store
    #[arg(long, env = "SEGUE_DATA_DIR", default_value = ".segue", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data_dir: PathBuf,
    #[command(flatten)]
    pub segment: SegmentOptions,
    #[command(flatten)]
    pub webhooks: WebhookOptions,
    #[command(flatten)]
    pub warehouse: WarehouseOptions,
    #[command(flatten)]
    pub regulations: RegulationOptions,
    #[command(flatten)]
    pub identity_secret: IdentitySecret,
    /// Write key names by the id of an identity provider's tenant, as a JSON object
    #[arg(long, env = "TENANT_WRITE_KEYS", value_name = "JSON")]
    pub tenant_write_keys: Option<String>,
    #[command(flatten)]
    pub mappings: MappingOptions,
    #[command(flatten)]
    pub page: PageOptions,
    /// A name by which senders reach this server, such as a tunnel's; up to ten, each with its own
    /// --public-host. Requests for other names need a signature or a token
    #[arg(long, env = "SEGUE_PUBLIC_HOST", value_name = "NAME", value_delimiter = ' ', value_parser = names::public_host)]
    pub public_host: Vec<String>,
    /// Accept unsigned webhooks although other machines can reach this address
    #[arg(long, env = "SEGUE_ALLOW_UNSIGNED")]
    pub allow_unsigned: bool,
}

/// The authentication of webhooks.
#[derive(Args)]
pub struct IdentitySecret {
    /// The shared key that FusionAuth signs its webhooks with (HMAC)
    #[arg(long, env = "FUSIONAUTH_SIGNING_SECRET", value_name = "SECRET", hide_env_values = true)]
    fusionauth_signing_secret: Option<String>,
    /// The authentication of each provider, as a JSON object (segue secret add makes it; see the providers'
    /// pages in docs/)
    #[arg(
        long,
        env = "IDENTITY_SECRET",
        value_name = "JSON",
        hide_env_values = true,
        conflicts_with = "fusionauth_signing_secret"
    )]
    identity_secret: Option<String>,
}

impl IdentitySecret {
    /// Returns the secret's text, in the format of Secrets Manager.
    pub fn text(&self) -> String {
        match (&self.identity_secret, &self.fusionauth_signing_secret) {
            (Some(text), _) => text.clone(),
            (None, Some(secret)) => json!({"fusionauth": {"signingSecrets": [secret]}}).to_string(),
            (None, None) => "{}".to_owned(),
        }
    }
}

impl Options {
    /// Returns the configured authentication.
    ///
    /// # Errors
    /// Every problem with it, without secrets.
    pub fn authentication(&self, providers: &Providers) -> Result<Authentication, CommandError> {
        Authentication::parse(&self.identity_secret.text(), providers).map_err(|problem| {
            let form = "the provider's page in docs/ shows the form";
            let variable = match self.identity_secret.fusionauth_signing_secret {
                Some(_) => "FUSIONAUTH_SIGNING_SECRET",
                None => "IDENTITY_SECRET",
            };
            format!("{variable} is not usable: {problem}; {form}").into()
        })
    }

    /// Returns whether nothing is configured and only this machine can reach it. Then nothing needs
    /// protection.
    pub fn is_trial(&self) -> bool {
        let identity = &self.identity_secret;
        let proves = identity.identity_secret.is_some() || identity.fusionauth_signing_secret.is_some();
        let delivers = !self.segment.use_stand_in()
            || self.webhooks.are_given()
            || self.warehouse.is_given()
            || self.regulations.are_given();
        let loopback = self.listen.ip().is_loopback() && self.public_host.is_empty();
        let reachable = !loopback || self.allow_unsigned;
        !proves && !delivers && !reachable
    }

    /// Checks that it is safe to listen at this address.
    ///
    /// # Errors
    /// A sentence if other machines could send anything, or if the stand-in would be unreachable.
    pub fn check_exposure(&self, authentication: &Authentication) -> Result<(), CommandError> {
        let ip = self.listen.ip();
        if ip.is_loopback() {
            return Ok(());
        }
        if !self.allow_unsigned && !authentication.is_configured() {
            return Err(format!(
                "other machines can reach {ip} and could send any webhook, since none needs a signature or a token; \
                 set FUSIONAUTH_SIGNING_SECRET or IDENTITY_SECRET, or pass --allow-unsigned"
            )
            .into());
        }
        if self.segment.use_stand_in() && !ip.is_unspecified() {
            return Err(
                "Segue reaches the stand-in (a fake Segment built into Segue) over loopback; listen at 127.0.0.1 or \
                        0.0.0.0, or set SEGMENT_ENDPOINT"
                    .into(),
            );
        }
        Ok(())
    }

    /// Returns the settings of the identity webhook.
    ///
    /// # Errors
    /// Every problem with them.
    pub async fn config(
        &self,
        store: &Store,
        authentication: &Authentication,
        mappings: Arc<Mappings>,
    ) -> Result<Config, CommandError> {
        let deployment = deployment(store).await?;
        let mut config = Config::from_variables(|name| match name {
            "SEGUE_DEPLOYMENT" => Some(deployment.clone()),
            "TENANT_WRITE_KEYS" => self.tenant_write_keys.clone(),
            _ => None,
        })?;
        config.mappings = mappings;
        if config.mappings.needs_hash_key() && authentication.hash_key().is_none() {
            return Err(
                "the mapping hashes a field, but there is no key; add hashKey to IDENTITY_SECRET".into()
            );
        }
        Ok(config)
    }

    /// Returns whether webhooks of unconfigured providers are accepted. Configuring one provider closes the
    /// others.
    pub fn takes_unsigned(&self, authentication: &Authentication) -> bool {
        self.allow_unsigned || self.listen.ip().is_loopback() && !authentication.is_configured()
    }
}
