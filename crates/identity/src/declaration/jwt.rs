//! Bodies that are a JWT. The function that takes the request checks the signature before.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::error::MapError;

/// Returns the claims, as JSON.
pub(super) fn claims(body: &[u8]) -> Result<Vec<u8>, MapError> {
    let parts: Vec<&[u8]> = body.trim_ascii().split(|byte| *byte == b'.').collect();
    let [_, claims, _] = parts[..] else { return Err(MapError::NotAJwt) };
    URL_SAFE_NO_PAD.decode(claims).map_err(|_| MapError::NotAJwt)
}
