//! The proof that a provider would send, for a caller in the same process that tries a body.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use jiff::Timestamp;
use jsonwebtoken::{DecodingKey, DecodingKeyKind};
use ring::{
    digest::{SHA256, digest},
    hmac::{self, HMAC_SHA256},
};
use serde_json::json;

use super::{Authentication, BodyHashToken, Requirements, Signature, standard_webhooks};
use crate::providers;

/// Only the provider can sign: what is configured checks its signatures and cannot make them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "only the provider has the key that signs: what is configured can check signatures and cannot make them"
)]
pub struct Unprovable;

impl Authentication {
    /// Whether requests to `/identity/{address}` must prove that they are genuine.
    pub fn is_configured_for(&self, address: &str) -> bool {
        providers::at_address(address).is_some_and(|provider| self.requirements(provider).is_some())
    }

    /// Adds to `headers` what the provider that sends to `/identity/{address}` would prove `body` with. It is checked as the
    /// provider's own is. Where nothing is configured, nothing is added.
    ///
    /// # Errors
    /// [`Unprovable`] where only the provider can sign.
    pub fn prove(
        &self,
        address: &str,
        headers: &mut HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), Unprovable> {
        let Some(provider) = providers::at_address(address) else { return Ok(()) };
        let Some(requirements) = self.requirements(provider) else { return Ok(()) };
        for (name, value) in requirements.sign(provider.signature.as_ref(), body, now)? {
            headers.insert(name, secret(&value)?);
        }
        if let Some(expected) = requirements.headers.first() {
            headers.insert(expected.name.clone(), secret(expected.value.expose())?);
        }
        if let Some(token) = requirements.bearer.first() {
            headers.insert(header::AUTHORIZATION, secret(&format!("Bearer {}", token.expose()))?);
        }
        if let Some(credentials) = requirements.basic.first() {
            let encoded = STANDARD.encode(credentials.expose());
            headers.insert(header::AUTHORIZATION, secret(&format!("Basic {encoded}"))?);
        }
        Ok(())
    }
}

impl Requirements {
    /// The headers of a signature, where one is needed.
    fn sign(
        &self,
        signs: Option<&Signature>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Vec<(HeaderName, String)>, Unprovable> {
        match (&self.signature, signs) {
            (Some(keys), Some(Signature::BodyHash(token))) => {
                let key = keys.secrets.first().ok_or(Unprovable)?;
                Ok(vec![(
                    HeaderName::from_static(token.header),
                    token.sign(key, body, now).ok_or(Unprovable)?,
                )])
            }
            (Some(keys), Some(Signature::StandardWebhooks)) => {
                let key = keys.hmac.first().ok_or(Unprovable)?;
                Ok(standard_webhooks::sign(key, body, now).into())
            }
            _ => Ok(Vec::new()),
        }
    }
}

impl BodyHashToken {
    /// A JWT of the shared secret `key`, by HS256. None when `key` is no such secret.
    fn sign(&self, key: &DecodingKey, body: &[u8], now: Timestamp) -> Option<String> {
        let DecodingKeyKind::SecretOrDer(key) = key.kind() else { return None };
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let hash = STANDARD.encode(digest(&SHA256, body));
        let claims = part(json!({self.claim: hash, "iat": now.as_second()}));
        let message = format!("{}.{claims}", part(json!({"alg": "HS256", "typ": "JWT"})));
        let signature = hmac::sign(&hmac::Key::new(HMAC_SHA256, key), message.as_bytes());
        Some(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// A header's value that is not shown where headers are. A secret that cannot stand in a header passes nobody.
fn secret(text: &str) -> Result<HeaderValue, Unprovable> {
    let mut value = HeaderValue::from_str(text).map_err(|_| Unprovable)?;
    value.set_sensitive(true);
    Ok(value)
}
