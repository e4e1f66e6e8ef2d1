//! Signed bodies: a JWT in a header that holds the hash of the body, and bodies that are a JWT.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, header::AUTHORIZATION};
use identity::BodyHashToken;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind};
use reqwest::Url;
use ring::{
    digest::{SHA256, digest},
    hmac::HMAC_SHA256,
};
use segment::json;
use serde_json::{Map, Value, json};

use super::{headers::single, hmac, jwks::KeySets, keys::PublicKey, refusal::Refusal};

/// The keys that verify signatures. A signature passes with any of them.
#[derive(Debug, Default)]
pub(super) struct SignatureKeys {
    /// Only for a JWT's HMAC algorithms.
    pub secrets: Vec<DecodingKey>,
    /// Only for the other algorithms.
    pub public: Vec<PublicKey>,
    pub jwks_url: Option<Url>,
    /// For HMACs.
    pub hmac: Vec<ring::hmac::Key>,
}

/// FusionAuth's tokens have about 300 to 900 bytes.
const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Checks the signature first, then its claims, then the time.
pub(super) async fn check(
    form: &BodyHashToken,
    keys: &SignatureKeys,
    headers: &HeaderMap,
    body: &[u8],
    key_sets: &KeySets,
    now: Timestamp,
) -> Result<(), Refusal> {
    let header = HeaderName::from_static(form.header);
    let value = single(headers, &header).ok_or(Refusal::SignatureMissing(form.header))?;
    let token = match value.split_at_checked("Bearer ".len()) {
        Some((scheme, token)) if header == AUTHORIZATION && scheme.eq_ignore_ascii_case(b"Bearer ") => token,
        _ => value,
    };
    let token = Token::parse(token, MAX_TOKEN_BYTES)?;
    token.verify(keys, key_sets).await?;

    let claims = token.claims()?;
    let signed_hash = claims.get(form.claim).and_then(Value::as_str).ok_or(Refusal::SignatureMalformed)?;
    if hmac::decode(form.encoding, signed_hash).as_deref() != Some(digest(&SHA256, body).as_ref()) {
        return Err(Refusal::Body);
    }
    check_time(&claims, form.leeway, now)
}

/// Claims of a token that stands for a person or a program. An issuer signs those with the same keys, so any
/// user could send the own one.
const TOKEN_CLAIMS: [&str; 5] = ["sub", "azp", "scp", "scope", "nonce"];

/// Checks a body that is a JWT.
pub(super) async fn check_whole_body(
    keys: &SignatureKeys,
    body: &[u8],
    key_sets: &KeySets,
    now: Timestamp,
) -> Result<(), Refusal> {
    let token = Token::parse(body.trim_ascii(), usize::MAX)?;
    token.verify(keys, key_sets).await?;
    let claims = token.claims()?;
    if TOKEN_CLAIMS.iter().any(|claim| claims.contains_key(*claim)) {
        return Err(Refusal::NoEvent);
    }
    check_time(&claims, LEEWAY, now)
}

/// How far the clock of the sender may be off.
const LEEWAY: Duration = Duration::from_secs(60);

/// Signs a body with the shared secret `key`, as a JWT with HS256. Returns `None` if `key` is not a shared
/// secret.
pub(super) fn sign(form: &BodyHashToken, key: &DecodingKey, body: &[u8], now: Timestamp) -> Option<String> {
    let DecodingKeyKind::SecretOrDer(key) = key.kind() else { return None };
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let hash = hmac::encode(form.encoding, digest(&SHA256, body).as_ref());
    let claims = part(json!({form.claim: hash, "iat": now.as_second()}));
    let message = format!("{}.{claims}", part(json!({"alg": "HS256", "typ": "JWT"})));
    let signature = ring::hmac::sign(&ring::hmac::Key::new(HMAC_SHA256, key), message.as_bytes());
    Some(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// Checks `exp` and `nbf` if they are present. FusionAuth's tokens have no `exp`, so it is not required.
fn check_time(claims: &Map<String, Value>, leeway: Duration, now: Timestamp) -> Result<(), Refusal> {
    let (now, leeway) = (now.as_second() as f64, leeway.as_secs_f64());
    let seconds = |claim: &str| match claims.get(claim) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_f64().filter(|time| time.is_finite()).map(Some).ok_or(Refusal::Time),
    };
    let expired = seconds("exp")?.is_some_and(|time| time <= now - leeway);
    let premature = seconds("nbf")?.is_some_and(|time| time > now + leeway);
    if expired || premature { Err(Refusal::Time) } else { Ok(()) }
}

/// The parts of a JWT.
struct Token<'a> {
    algorithm: Algorithm,
    key_id: Option<String>,
    /// The signed part: header and claims with the dot between them.
    message: &'a str,
    claims: &'a str,
    signature: &'a str,
}

impl<'a> Token<'a> {
    fn parse(token: &'a [u8], most_bytes: usize) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(token).map_err(|_| Refusal::SignatureMalformed)?;
        let (message, signature) = text.rsplit_once('.').ok_or(Refusal::SignatureMalformed)?;
        let (header, claims) = message.split_once('.').ok_or(Refusal::SignatureMalformed)?;
        if text.len() > most_bytes || claims.contains('.') {
            return Err(Refusal::SignatureMalformed);
        }
        let header = decode_object(header)?;
        let algorithm = header.get("alg").and_then(Value::as_str).ok_or(Refusal::SignatureMalformed)?;
        let algorithm = algorithm.parse().map_err(|_| Refusal::Algorithm)?;
        // RFC 7515, 4.1.11: a critical extension that is not understood must be refused. This code
        // understands none.
        if header.contains_key("crit") {
            return Err(Refusal::Algorithm);
        }
        let key_id = header.get("kid").and_then(Value::as_str).map(str::to_owned);
        Ok(Self { algorithm, key_id, message, claims, signature })
    }

    async fn verify(&self, keys: &SignatureKeys, key_sets: &KeySets) -> Result<(), Refusal> {
        // Secrets and public keys are kept apart: with a public key used as an HMAC secret, anybody could
        // sign.
        if self.algorithm.family() == AlgorithmFamily::Hmac {
            return self.verify_with(keys.secrets.iter());
        }
        let inline = self.verify_with(self.fitting(&keys.public));
        let (Err(refusal), Some(url)) = (inline, &keys.jwks_url) else { return inline };
        let fetched = key_sets.keys(url).await.ok_or(Refusal::KeysUnavailable)?;
        match self.verify_with(self.fitting(&fetched)) {
            Err(Refusal::NoKey) => {
                // The provider may have started to use a new key.
                let fetched = key_sets.newer_keys(url).await.ok_or(Refusal::KeysUnavailable)?;
                self.verify_with(self.fitting(&fetched)).map_err(|error| match error {
                    Refusal::NoKey => refusal,
                    other => other,
                })
            }
            other => other,
        }
    }

    fn fitting<'k>(&self, keys: &'k [PublicKey]) -> impl Iterator<Item = &'k DecodingKey> {
        keys.iter().filter(|key| key.fits(self.algorithm, self.key_id.as_deref())).map(|key| &key.key)
    }

    fn verify_with<'k>(&self, keys: impl Iterator<Item = &'k DecodingKey>) -> Result<(), Refusal> {
        let mut refusal = Refusal::NoKey;
        for key in keys {
            match jsonwebtoken::crypto::verify(self.signature, self.message.as_bytes(), key, self.algorithm) {
                Ok(true) => return Ok(()),
                Ok(false) | Err(_) => refusal = Refusal::Signature,
            }
        }
        Err(refusal)
    }

    fn claims(&self) -> Result<Map<String, Value>, Refusal> {
        decode_object(self.claims)
    }
}

fn decode_object(part: &str) -> Result<Map<String, Value>, Refusal> {
    let text = URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::SignatureMalformed)?;
    json::parse_object(&text).map_err(|_| Refusal::SignatureMalformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_checked_if_they_are_present() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        for (claims, valid) in [
            (r"{}", true),
            (r#"{"exp":null}"#, true),
            (r#"{"exp":1000001}"#, true),
            (r#"{"exp":999941}"#, true),
            (r#"{"exp":999940}"#, false),
            (r#"{"exp":999941.5}"#, true),
            (r#"{"exp":999939.5}"#, false),
            (r#"{"exp":1e400}"#, false),
            (r#"{"exp":-1}"#, false),
            (r#"{"exp":"1000001"}"#, false),
            (r#"{"exp":{}}"#, false),
            (r#"{"nbf":1000060}"#, true),
            (r#"{"nbf":1000060.5}"#, false),
            (r#"{"nbf":1000061}"#, false),
            (r#"{"nbf":0,"exp":12345678901234567890}"#, true),
        ] {
            let claims = json::parse_object(claims.as_bytes()).unwrap();
            assert_eq!(check_time(&claims, Duration::from_secs(60), now).is_ok(), valid, "{claims:?}");
        }
    }
}
