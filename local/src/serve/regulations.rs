//! The options of regulations at Segment's Public API.

use std::sync::Arc;

use clap::Args;
use platform::{
    clock::SharedClock,
    http,
    secrets::{CachedSecret, StaticSecret},
};
use regulation_delivery::Tokens;
use segment::{
    Secret,
    regulation::{PublicApi, RegulationType, Regulations},
};

use crate::error::CommandError;

/// The options of deletion at Segment.
#[derive(Args)]
pub struct RegulationOptions {
    /// A token of Segment's Public API, or a JSON object of tokens by write key name. With it, a user deleted
    /// at the identity provider is also deleted at Segment, see docs/deletion.md
    #[arg(long, env = "SEGMENT_PUBLIC_API_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub public_api_token: Option<String>,
    /// The URL of the Public API; `https://eu1.api.segmentapis.com` for workspaces in Europe
    #[arg(long, env = "SEGMENT_PUBLIC_API_ENDPOINT", value_name = "URL", hide_env_values = true, default_value = PublicApi::US)]
    pub public_api_endpoint: PublicApi,
    /// The regulation for a deleted user: DELETE_ONLY, DELETE_INTERNAL, SUPPRESS_ONLY, SUPPRESS_WITH_DELETE
    /// or SUPPRESS_WITH_DELETE_INTERNAL
    #[arg(long, env = "SEGMENT_REGULATION_TYPE", value_name = "TYPE", default_value_t)]
    regulation_type: RegulationType,
}

/// The settings of regulations.
pub struct RegulationSettings {
    /// The tokens.
    pub tokens: Arc<CachedSecret<Tokens>>,
    /// The Public API.
    pub regulations: Regulations,
    /// The treatment of a deleted user, for people.
    pub description: String,
}

impl RegulationOptions {
    /// Returns whether regulations are on.
    pub fn are_given(&self) -> bool {
        self.public_api_token.is_some()
    }

    /// Returns the settings, if regulations are on. `authentic` says that only authentic webhooks are
    /// accepted, or that the user allowed others.
    ///
    /// # Errors
    /// A sentence, without secrets, if the token is invalid or if anybody could delete users with it.
    pub fn settings(
        &self,
        authentic: bool,
        clock: &SharedClock,
    ) -> Result<Option<RegulationSettings>, CommandError> {
        let Some(token) = &self.public_api_token else { return Ok(None) };
        Tokens::parse(token)
            .map_err(|problem| format!("SEGMENT_PUBLIC_API_TOKEN is not usable: {problem}"))?;
        if !authentic {
            return Err("with SEGMENT_PUBLIC_API_TOKEN anybody could delete users at Segment, permanently, since webhooks need \
                        no signature or token; set FUSIONAUTH_SIGNING_SECRET or IDENTITY_SECRET, or pass \
                        --allow-unsigned"
                .into());
        }
        let store = StaticSecret(Secret::new(token));
        let tokens = Arc::new(CachedSecret::new(store, Tokens::parse, clock.clone()));
        let (api, now) = (self.public_api_endpoint.clone(), clock.clone());
        let description = format!("{} at {api}", self.regulation_type);
        let regulations =
            Regulations::new(http::client()?, api, self.regulation_type).with_clock(move || now.now());
        Ok(Some(RegulationSettings { tokens, regulations, description }))
    }
}
