//! Creates the proof that a provider would send, for a caller in the same process that tries out a body.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use identity::Signature;
use jiff::Timestamp;

use super::{
    body_hash, hmac,
    requirements::{Authentication, Requirements},
};

/// Only the provider can sign, because the configured keys can only verify signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "only the provider has the key that signs: the configured keys can verify signatures but cannot create them"
)]
pub struct NoSigningKey;

impl Authentication {
    /// Adds to `headers` the proof that the provider at `/identity/{address}` would send with `body`. It is
    /// checked like the provider's own. Adds nothing if nothing is configured.
    pub fn prove(
        &self,
        address: &str,
        headers: &mut HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), NoSigningKey> {
        let Some(provider) = self.known.at_address(address) else { return Ok(()) };
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
    /// Returns the headers of a signature, if one is required.
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
                let scheme = if token.header == "authorization" { "Bearer " } else { "" };
                Ok(vec![(HeaderName::from_static(token.header), format!("{scheme}{signed}"))])
            }
            (Some(keys), Some(Signature::Hmac(form))) => {
                let key = keys.hmac.first().ok_or(NoSigningKey)?;
                Ok(hmac::sign(form, key, body, now))
            }
            (Some(_), Some(Signature::WholeBody)) => Err(NoSigningKey),
            _ => Ok(Vec::new()),
        }
    }
}

/// Returns a header value that is hidden where headers are printed. A secret that is not a valid header value
/// can never pass.
fn secret(text: &str) -> Result<HeaderValue, NoSigningKey> {
    let mut value = HeaderValue::from_str(text).map_err(|_| NoSigningKey)?;
    value.set_sensitive(true);
    Ok(value)
}
