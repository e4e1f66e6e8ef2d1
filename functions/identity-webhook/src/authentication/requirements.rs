//! The parsed identity secret: the proofs that each provider must send, and the check of a request.

use std::collections::BTreeMap;

use http::HeaderMap;
use identity::{HashKey, Provider, Providers, Signature, providers::LOGINS};
use jiff::Timestamp;
use reqwest::Url;
use segment::Secret;

use super::{
    body_hash::{self, SignatureKeys},
    headers::{self, StaticHeader},
    hmac,
    jwks::KeySets,
    refusal::Refusal,
};

/// The proofs that each provider must send.
#[derive(Debug)]
pub struct Authentication {
    /// By the member of the secret: a route's own, or one that several routes share.
    pub(super) providers: BTreeMap<String, Requirements>,
    pub(super) hash_key: Option<HashKey>,
    /// The providers that the secret may have members of.
    pub(super) known: Providers,
}

impl Authentication {
    /// Whether a proof is configured for any provider.
    pub fn is_configured(&self) -> bool {
        self.providers.values().any(|requirements| !requirements.kinds.is_empty())
    }

    /// Whether requests to `/identity/{address}` must prove that they are genuine.
    pub fn is_configured_for(&self, address: &str) -> bool {
        self.known.at_address(address).is_some_and(|provider| self.requirements(provider).is_some())
    }

    /// Whether a proof is configured for a provider that sends logins.
    pub(crate) fn takes_logins(&self) -> bool {
        self.requirements(LOGINS).is_some()
    }

    /// Returns the key for hashing personal data, if there is one.
    pub fn hash_key(&self) -> Option<&HashKey> {
        self.hash_key.as_ref()
    }

    /// Returns every provider with a configured proof, by name.
    pub fn proofs(&self) -> Vec<Proofs> {
        let proving = self.providers.iter().filter(|(_, requirements)| !requirements.kinds.is_empty());
        proving
            .map(|(provider, requirements)| Proofs {
                provider: provider.clone(),
                kinds: requirements.kinds.clone(),
                key_set: requirements.signature.as_ref().and_then(|keys| keys.jwks_url.clone()),
            })
            .collect()
    }

    /// Fetches every key set that is not cached yet.
    pub(crate) async fn prepare(&self, key_sets: &KeySets) {
        for requirements in self.providers.values() {
            if let Some(url) = requirements.signature.as_ref().and_then(|keys| keys.jwks_url.as_ref()) {
                key_sets.keys(url).await;
            }
        }
    }

    /// Checks a request. Checks the headers first, so that a request without the right headers cannot cause a
    /// fetch of keys.
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
            (Some(keys), Some(Signature::Hmac(form))) => hmac::check(form, &keys.hmac, headers, body, now),
            (Some(keys), Some(Signature::WholeBody)) => {
                body_hash::check_whole_body(keys, body, key_sets, now).await
            }
            (None, _) => Ok(()),
            // The settings refuse signature keys for a provider that does not sign.
            (Some(_), None) => Err(Refusal::NoKey),
        }
    }

    /// Returns the proofs that a provider must send, or `None` if nothing is configured.
    pub(super) fn requirements(&self, provider: &Provider) -> Option<&Requirements> {
        let own = self.providers.get(provider.route).or_else(|| self.providers.get(provider.name));
        own.filter(|requirements| !requirements.kinds.is_empty())
    }
}

/// The proofs of a provider, for people: only names, never a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proofs {
    /// Its member of the identity secret, such as `fusionauth`.
    pub provider: String,
    /// The configured members: `signingSecrets`, `jwksUrl`, `publicKeys`, `bearer`, `basic`, `header`. A
    /// request must pass each of these kinds; the first three are one kind.
    pub kinds: Vec<&'static str>,
    /// The URL of the keys.
    pub key_set: Option<Url>,
}

/// The proofs that one provider must send.
#[derive(Debug, Default)]
pub(super) struct Requirements {
    /// The configured members.
    pub kinds: Vec<&'static str>,
    pub signature: Option<SignatureKeys>,
    /// Tokens in the `Authorization` header. Any one of them passes.
    pub bearer: Vec<Secret>,
    /// `username:password`. Any one of them passes.
    pub basic: Vec<Secret>,
    /// Any one of these headers passes.
    pub headers: Vec<StaticHeader>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_names_the_configured_members_and_quotes_nothing() {
        let secret = r#"{"auth0":{"bearer":"hunter2"},"fusionauth":{"jwksUrl":"https://auth.example/jwks.json",
            "header":{"name":"x-key","value":"hunter2"}},"clerk":{"signingSecrets":"whsec_aHVudGVyMg=="}}"#;
        let proofs = Authentication::parse(secret, &Providers::built_in()).unwrap().proofs();
        let found: Vec<_> =
            proofs.iter().map(|proofs| (proofs.provider.as_str(), proofs.kinds.clone())).collect();
        assert_eq!(
            found,
            [
                ("auth0", vec!["bearer"]),
                ("clerk", vec!["signingSecrets"]),
                ("fusionauth", vec!["jwksUrl", "header"])
            ]
        );
        assert_eq!(proofs[2].key_set.as_ref().unwrap().as_str(), "https://auth.example/jwks.json");
        assert!(!format!("{proofs:?}").contains("hunter2"));
        assert!(Authentication::parse("{}", &Providers::built_in()).unwrap().proofs().is_empty());
    }
}
