//! Who may send: signed bodies, HTTP Basic and a static header, each on its own or together.
//!
//! Every kind that is configured must pass. What is not configured is refused, never let in.

mod crypto;
mod headers;
mod jwks;
mod keys;
mod member;
mod prove;
mod settings;
mod signature;
mod standard_webhooks;
mod summary;

use std::collections::BTreeMap;

use http::HeaderMap;
use jiff::Timestamp;

pub(crate) use jwks::KeySets;
pub use jwks::{KeySetError, key_set_size};
pub use member::{AddError, add_member, makes_its_secret};
pub use prove::Unprovable;
pub(crate) use signature::BodyHashToken;
pub use summary::Proofs;

use self::{headers::StaticHeader, signature::SignatureKeys};
use crate::{mapping::HashKey, providers::Provider};

/// What each provider must prove: the identity secret in its parsed form.
#[derive(Debug)]
pub struct Authentication {
    /// By the member of the secret: a route's own, or the one that several routes share.
    providers: BTreeMap<String, Requirements>,
    hash_key: Option<HashKey>,
    weak_hash_key: Option<&'static str>,
}

/// How a provider signs.
#[derive(Debug)]
pub(crate) enum Signature {
    /// A JWT in a header that holds the hash of the body.
    BodyHash(BodyHashToken),
    /// An HMAC of id, time and body in headers.
    StandardWebhooks,
}

/// What one provider must prove.
#[derive(Debug, Default)]
struct Requirements {
    signature: Option<SignatureKeys>,
    /// Any one of them, in the `Authorization` header.
    bearer: Vec<segment::Secret>,
    /// `username:password`, any one of them.
    basic: Vec<segment::Secret>,
    /// Any one of them.
    headers: Vec<StaticHeader>,
}

impl Requirements {
    fn is_empty(&self) -> bool {
        let proofs = self.bearer.len() + self.basic.len() + self.headers.len();
        self.signature.is_none() && proofs == 0
    }
}

/// Why a request is refused. The texts go to the sender and into the log, so they quote nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Fail closed.
    #[error("no authentication is configured for this provider, so every request is refused")]
    NotConfigured,
    /// The static header.
    #[error("the static header is missing or has another value than the configured one")]
    Header,
    /// No bearer token, or another one.
    #[error("the Authorization header has no bearer token, or another one than the configured one")]
    Bearer,
    /// No HTTP Basic credentials.
    #[error("the request has no HTTP Basic credentials in its Authorization header")]
    BasicMissing,
    /// Other HTTP Basic credentials.
    #[error("the HTTP Basic user name or password is wrong")]
    Basic,
    /// No signature.
    #[error("the {0} header is missing; enable signing for this webhook")]
    SignatureMissing(&'static str),
    /// Not a JWT.
    #[error("the signature is not of the expected form")]
    SignatureMalformed,
    /// `none`, ES512 and whatever else is not verified.
    #[error("the signature's algorithm is not supported")]
    Algorithm,
    /// No key of the right kind and id.
    #[error("no configured key has the signature's algorithm and key id")]
    NoKey,
    /// Forged or damaged, or made with another key.
    #[error("the signature was made with another key, or was changed")]
    Signature,
    /// Genuine, for another body.
    #[error("the signature is genuine but belongs to another body")]
    Body,
    /// `exp` is over, `nbf` has not come, or one of them is no time.
    #[error("the signature is not valid at this time")]
    Time,
    /// The keys to check with could not be had.
    #[error("the keys that signatures are checked with could not be fetched; try again")]
    KeysUnavailable,
}

impl Refusal {
    /// Whether the request may be genuine and should be sent again.
    pub fn is_temporary(self) -> bool {
        self == Self::KeysUnavailable
    }

    /// Whether the sender offered a proof that a newer secret might accept.
    pub(crate) fn may_be_cured_by_a_newer_secret(self) -> bool {
        matches!(
            self,
            Self::NotConfigured | Self::Header | Self::Bearer | Self::Basic | Self::NoKey | Self::Signature
        )
    }
}

impl Authentication {
    /// Reads the identity secret, such as `{"fusionauth":{"signingSecrets":["…"]}}`.
    ///
    /// # Errors
    /// Every problem, one a line, without quoting any value.
    pub fn parse(text: &str) -> Result<Self, String> {
        settings::parse(text).map_err(|problems| problems.join("\n"))
    }

    /// Whether any proof is configured for any provider.
    pub fn is_configured(&self) -> bool {
        self.providers.values().any(|requirements| !requirements.is_empty())
    }

    /// What personal data are hashed with, where the mapping says so.
    pub fn hash_key(&self) -> Option<&HashKey> {
        self.hash_key.as_ref()
    }

    /// Why that key can be guessed, if it can.
    pub(crate) fn weak_hash_key(&self) -> Option<&'static str> {
        self.weak_hash_key
    }

    /// Fetches every key set that is not there yet.
    pub(crate) async fn prepare(&self, key_sets: &KeySets) {
        for requirements in self.providers.values() {
            if let Some(url) = requirements.signature.as_ref().and_then(|keys| keys.jwks_url.as_ref()) {
                key_sets.keys(url).await;
            }
        }
    }

    /// The proofs that a provider needs; None where nothing is configured.
    fn requirements(&self, provider: &Provider) -> Option<&Requirements> {
        let own = self.providers.get(provider.route).or_else(|| self.providers.get(provider.name));
        own.filter(|requirements| !requirements.is_empty())
    }

    /// Checks a request. The headers come first, so that nobody without them can cause a fetch of keys.
    pub(crate) async fn check(
        &self,
        provider: &Provider,
        headers: &HeaderMap,
        body: &[u8],
        key_sets: &KeySets,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let requirements = self.requirements(provider).ok_or(Refusal::NotConfigured)?;
        headers::check_static(&requirements.headers, headers)?;
        headers::check_bearer(&requirements.bearer, headers)?;
        headers::check_basic(&requirements.basic, headers)?;
        match (&requirements.signature, &provider.signature) {
            (Some(keys), Some(Signature::BodyHash(token))) => {
                token.check(keys, headers, body, key_sets, now).await
            }
            (Some(keys), Some(Signature::StandardWebhooks)) => {
                standard_webhooks::check(&keys.hmac, headers, body, now)
            }
            (None, _) => Ok(()),
            // The settings refuse signature keys for a provider that does not sign.
            (Some(_), None) => Err(Refusal::NoKey),
        }
    }
}
