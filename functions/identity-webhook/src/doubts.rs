//! Doubts about settings that are no faults.

use crate::{Authentication, Mappings};

/// A sentence for each setting that may be a mistake or lets nothing through. `authentication` is the identity secret, as far
/// as it could be read.
pub fn doubts(mappings: &Mappings, authentication: Option<&Authentication>) -> Vec<String> {
    let mut doubts: Vec<String> = mappings.warnings().collect();
    let Some(authentication) = authentication.filter(|_| mappings.needs_hash_key()) else { return doubts };
    if authentication.hash_key().is_none() {
        doubts.push(
            "the mapping hashes a field, and the identity secret has no hashKey; nothing is sent until it has one"
                .to_owned(),
        );
    }
    doubts.extend(authentication.weak_hash_key().map(|weakness| {
        format!("hashKey {weakness}, and then every hashed value; make one with openssl rand -base64 32")
    }));
    doubts
}

/// Logs them, when a function starts.
pub fn log_doubts(mappings: &Mappings, authentication: Option<&Authentication>) {
    for doubt in doubts(mappings, authentication) {
        tracing::warn!(doubt, "The settings may not do what is meant.");
    }
}
