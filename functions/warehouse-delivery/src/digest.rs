//! Digests as texts.

use ring::digest::{SHA256, digest};

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Returns the SHA-256 of a text as 64 hexadecimal digits.
pub fn hex_digest(text: &str) -> String {
    let digest = digest(&SHA256, text.as_bytes());
    let digits = digest.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}
