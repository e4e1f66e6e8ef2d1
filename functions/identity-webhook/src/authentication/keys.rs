//! Public keys, from JSON Web Keys and from PEM.

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind,
    jwk::{AlgorithmParameters, Jwk, PublicKeyUse},
};
use serde_json::Value;

/// A key that verifies signatures, with the algorithms that it may be used for. The algorithm that a token
/// names is not enough to use a key with it.
#[derive(Debug)]
pub(super) struct PublicKey {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    pub key: DecodingKey,
}

/// Why a key cannot be used. The texts quote nothing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeyError {
    #[error("is neither a JSON Web Key nor a PEM text")]
    NotAKey,
    #[error("holds a private key; give the public one")]
    Private,
    #[error("is a shared secret; put it into signingSecrets")]
    SharedSecret,
    #[error("is a certificate; give its public key as PEM (openssl x509 -pubkey -noout)")]
    Certificate,
    #[error("is not for signatures")]
    NotForSignatures,
    #[error("is of a kind that is not supported; use RSA with at least 2048 bits, P-256, P-384 or Ed25519")]
    Unsupported,
}

impl PublicKey {
    /// Reads a JSON Web Key (an object) or a PEM text.
    pub fn from_value(value: &Value) -> Result<Self, KeyError> {
        match value {
            Value::Object(_) => Self::from_jwk(value),
            Value::String(pem) => Self::from_pem(pem),
            _ => Err(KeyError::NotAKey),
        }
    }

    /// Whether this key may have signed a token with this algorithm and key id. A key without an id may have
    /// signed any token, and a token without one may be of any key.
    pub fn fits(&self, algorithm: Algorithm, id: Option<&str>) -> bool {
        self.algorithms.contains(&algorithm)
            && match (&self.id, id) {
                (Some(own), Some(wanted)) => own == wanted,
                _ => true,
            }
    }

    fn from_jwk(value: &Value) -> Result<Self, KeyError> {
        if ["d", "p", "q"].iter().any(|member| value.get(member).is_some()) {
            return Err(KeyError::Private);
        }
        let jwk: Jwk = serde_json::from_value(value.clone()).map_err(|_| KeyError::NotAKey)?;
        if let AlgorithmParameters::OctetKey(_) = jwk.algorithm {
            return Err(KeyError::SharedSecret);
        }
        if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
            return Err(KeyError::NotForSignatures);
        }
        let key = DecodingKey::from_jwk(&jwk).map_err(|_| KeyError::Unsupported)?;
        let mut algorithms = algorithms(&key)?;
        if let Some(own) = jwk.common.key_algorithm {
            let own = Algorithm::try_from(own).map_err(|_| KeyError::Unsupported)?;
            algorithms.retain(|algorithm| *algorithm == own);
        }
        if algorithms.is_empty() {
            return Err(KeyError::Unsupported);
        }
        Ok(Self { id: jwk.common.key_id, algorithms, key })
    }

    fn from_pem(pem: &str) -> Result<Self, KeyError> {
        if pem.contains("PRIVATE KEY-----") {
            return Err(KeyError::Private);
        }
        if pem.contains("-----BEGIN CERTIFICATE") {
            return Err(KeyError::Certificate);
        }
        if !pem.contains("PUBLIC KEY-----") {
            return Err(KeyError::NotAKey);
        }
        let pem = pem.trim().as_bytes();
        let key = DecodingKey::from_ed_pem(pem)
            .or_else(|_| DecodingKey::from_ec_pem(pem))
            .or_else(|_| DecodingKey::from_rsa_pem(pem))
            .map_err(|_| KeyError::Unsupported)?;
        Ok(Self { id: None, algorithms: algorithms(&key)?, key })
    }
}

/// Returns the algorithms that a key of this family and size can verify. The lengths are those of an
/// uncompressed point on P-256 and P-384, of an Ed25519 key, and of the smallest RSA modulus that ring
/// accepts.
fn algorithms(key: &DecodingKey) -> Result<Vec<Algorithm>, KeyError> {
    match (key.family(), key.kind()) {
        (AlgorithmFamily::Ec, DecodingKeyKind::SecretOrDer(point)) if point.len() == 65 => {
            Ok(vec![Algorithm::ES256])
        }
        (AlgorithmFamily::Ec, DecodingKeyKind::SecretOrDer(point)) if point.len() == 97 => {
            Ok(vec![Algorithm::ES384])
        }
        (AlgorithmFamily::Ed, DecodingKeyKind::SecretOrDer(key)) if key.len() == 32 => {
            Ok(vec![Algorithm::EdDSA])
        }
        (AlgorithmFamily::Rsa, DecodingKeyKind::RsaModulusExponent { n, .. }) if n.len() < 256 => {
            Err(KeyError::Unsupported)
        }
        (AlgorithmFamily::Rsa, DecodingKeyKind::SecretOrDer(der)) if der.len() < 256 => {
            Err(KeyError::Unsupported)
        }
        (AlgorithmFamily::Rsa, _) => Ok(AlgorithmFamily::Rsa.algorithms().to_vec()),
        _ => Err(KeyError::Unsupported),
    }
}
