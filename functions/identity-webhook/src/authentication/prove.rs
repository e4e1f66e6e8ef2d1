//! The proof that a provider would send, for a caller in the same process that tries a body.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use identity::{Signature, providers};
use jiff::Timestamp;

use super::{
    body_hash,
    requirements::{Authentication, Requirements},
    signed_message,
};

/// Only the provider can sign: what is configured checks its signatures and cannot make them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "only the provider has the key that signs: what is configured can check signatures and cannot make them"
)]
pub struct NoSigningKey;

impl Authentication {
    /// Adds to `headers` what the provider that sends to `/identity/{address}` would prove `body` with. It is checked as the
    /// provider's own is. Where nothing is configured, nothing is added.
    pub fn prove(
        &self,
        address: &str,
        headers: &mut HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), NoSigningKey> {
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
    ) -> Result<Vec<(HeaderName, String)>, NoSigningKey> {
        match (&self.signature, signs) {
            (Some(keys), Some(Signature::BodyHash(token))) => {
                let key = keys.secrets.first().ok_or(NoSigningKey)?;
                let signed = body_hash::sign(token, key, body, now).ok_or(NoSigningKey)?;
                Ok(vec![(HeaderName::from_static(token.header), signed)])
            }
            (Some(keys), Some(Signature::Message(form))) => {
                let key = keys.hmac.first().ok_or(NoSigningKey)?;
                Ok(signed_message::sign(form, key, body, now).into())
            }
            _ => Ok(Vec::new()),
        }
    }
}

/// A header's value that is not shown where headers are. A secret that cannot stand in a header passes nobody.
fn secret(text: &str) -> Result<HeaderValue, NoSigningKey> {
    let mut value = HeaderValue::from_str(text).map_err(|_| NoSigningKey)?;
    value.set_sensitive(true);
    Ok(value)
}
