//! Bytes as text: base64, hexadecimal digits, Basic authentication, random ids.

use base64::{
    DecodeError, Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use ring::rand::{SecureRandom, SystemRandom};

/// Base64 that is read with and without its padding, which some senders leave out.
pub const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The credentials of Basic authentication, as `user:password`, in the value of an `Authorization` header. None where that
/// has another scheme.
pub fn basic(authorization: &[u8]) -> Option<Result<Vec<u8>, DecodeError>> {
    let (scheme, encoded) = authorization.trim_ascii().split_at_checked("Basic".len())?;
    let is_basic = scheme.eq_ignore_ascii_case(b"Basic") && encoded.first().is_none_or(|byte| *byte == b' ');
    is_basic.then(|| BASE64.decode(encoded.trim_ascii()))
}

/// The bytes in hexadecimal digits, in lower case.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A random id: 128 bits in hexadecimal digits.
pub fn random_id() -> String {
    let mut random = [0; 16];
    // It fails only where the operating system has no randomness, and then all ids are alike: Segment would drop every
    // message but the first. A second source keeps them apart.
    if SystemRandom::new().fill(&mut random).is_err() {
        fastrand::fill(&mut random);
    }
    hex(&random)
}
