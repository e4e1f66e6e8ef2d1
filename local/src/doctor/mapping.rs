//! Whether the mapping can be read, and has the key that it may need.

use identity_webhook::Authentication;

use super::finding::Finding;
use crate::serve;

const CHECK: &str = "mapping";

/// The mapping's findings. Where the authentication is not usable, that is said there.
pub fn check(options: &serve::Options, authentication: Option<&Authentication>) -> Vec<Finding> {
    let mappings = match options.mappings.read() {
        Ok(mappings) => mappings,
        Err(error) => {
            let fix =
                "correct it; segue mappings prints the built-in one, whose comments say what may stand where";
            return vec![Finding::problem(CHECK, error.to_string().replace('\n', "; "), fix)];
        }
    };
    let name = match &options.mappings.mappings {
        None => "the built-in one".to_owned(),
        Some(path) => format!("{}, laid over the built-in one", path.display()),
    };
    let doubtful = "correct it, or leave it where the provider has a new event type";
    let mut findings: Vec<Finding> =
        mappings.warnings().map(|warning| Finding::warning(CHECK, warning, doubtful)).collect();
    match authentication {
        Some(authentication) if mappings.needs_hash_key() && authentication.hash_key().is_none() => {
            findings.push(Finding::problem(
                CHECK,
                format!("{name}, hashes a field, and there is no key for it"),
                "put hashKey into IDENTITY_SECRET, a long random text that never changes: openssl rand -base64 32",
            ));
        }
        _ if findings.is_empty() => findings.push(Finding::ok(CHECK, name)),
        _ => {}
    }
    findings
}
