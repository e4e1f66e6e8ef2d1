//! Digests as texts.

use ring::digest::{SHA256, digest};

/// Returns the SHA-256 of a text as 64 hexadecimal digits.
pub fn hex_digest(text: &str) -> String {
    hex(digest(&SHA256, text.as_bytes()).as_ref())
}

/// Returns bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
