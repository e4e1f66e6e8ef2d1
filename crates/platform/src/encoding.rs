//! Encodings of bytes as text: base64, hexadecimal digits, Basic authentication, random ids.

use base64::{
    DecodeError, Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use ring::rand::{SecureRandom, SystemRandom};

/// Base64 that is read with or without padding, because some senders leave it out.
pub const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Returns the credentials of Basic authentication, as `user:password`, from the value of an `Authorization`
/// header. Returns `None` for another scheme.
pub fn basic(authorization: &[u8]) -> Option<Result<Vec<u8>, DecodeError>> {
    let (scheme, encoded) = authorization.trim_ascii().split_at_checked("Basic".len())?;
    let is_basic = scheme.eq_ignore_ascii_case(b"Basic") && encoded.first().is_none_or(|byte| *byte == b' ');
    is_basic.then(|| BASE64.decode(encoded.trim_ascii()))
}

/// Returns the bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns a random id: 128 bits in hexadecimal digits.
pub fn random_id() -> String {
    let mut random = [0; 16];
    // This fails only where the operating system has no randomness. All ids would then be equal, and Segment
    // would drop every message but the first. A second source keeps them apart.
    if SystemRandom::new().fill(&mut random).is_err() {
        fastrand::fill(&mut random);
    }
    hex(&random)
}
