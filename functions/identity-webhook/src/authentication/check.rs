//! Checks what a request offers as proof against what is configured.

use http::HeaderMap;
use identity::{Provider, Signature};
use jiff::Timestamp;

use super::{
    body_hash, headers, jwks::KeySets, refusal::Refusal, requirements::Authentication, signed_message,
};

impl Authentication {
    /// Fetches every key set that is not there yet.
    pub(crate) async fn prepare(&self, key_sets: &KeySets) {
        for requirements in self.providers.values() {
            if let Some(url) = requirements.signature.as_ref().and_then(|keys| keys.jwks_url.as_ref()) {
                key_sets.keys(url).await;
            }
        }
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
                body_hash::check(token, keys, headers, body, key_sets, now).await
            }
            (Some(keys), Some(Signature::Message(form))) => {
                signed_message::check(form, &keys.hmac, headers, body, now)
            }
            (None, _) => Ok(()),
            // The settings refuse signature keys for a provider that does not sign.
            (Some(_), None) => Err(Refusal::NoKey),
        }
    }
}
