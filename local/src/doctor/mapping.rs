//! Whether the mapping can be read, and has the key that it may need.

use identity_webhook::Authentication;

use super::finding::Finding;
use crate::serve;

const CHECK: &str = "mapping";

/// The mapping's finding. Where the authentication is not usable, that is said there.
pub fn check(options: &serve::Options, authentication: Option<&Authentication>) -> Finding {
    let mappings = match options.mappings.read() {
        Ok(mappings) => mappings,
        Err(error) => {
            let fix =
                "correct it; segue mappings prints the built-in one, whose comments say what may stand where";
            return Finding::problem(CHECK, error.to_string().replace('\n', "; "), fix);
        }
    };
    let name = match &options.mappings.mappings {
        None => "the built-in one".to_owned(),
        Some(path) => format!("{}, laid over the built-in one", path.display()),
    };
    match authentication {
        Some(authentication) if mappings.needs_hash_key() && authentication.hash_key().is_none() => {
            Finding::problem(
                CHECK,
                format!("{name}, hashes a field, and there is no key for it"),
                "put hashKey into IDENTITY_SECRET, a long random text that never changes: openssl rand -base64 32",
            )
        }
        _ => Finding::ok(CHECK, name),
    }
}
