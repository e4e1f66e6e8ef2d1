//! To whom the page is open, which shows personal data.

use super::finding::Finding;
use crate::{debugger::Access, serve};

const CHECK: &str = "page";

/// The page's finding.
pub fn check(options: &serve::Options) -> Finding {
    match options.page.access() {
        Err(error) => {
            Finding::problem(CHECK, error.to_string(), "correct SEGUE_PAGE_TOKEN, or leave it out to get one")
        }
        Ok(None) => Finding::ok(CHECK, "off"),
        Ok(Some(Access::Token(_))) if !options.listen.ip().is_loopback() => Finding::warning(
            CHECK,
            "open to other machines, to whoever has the token, which goes over the network unencrypted",
            "let them come through a proxy that speaks TLS, or say --page loopback",
        ),
        Ok(Some(Access::Token(_))) => {
            Finding::ok(CHECK, "open to whoever is on this machine and has the token")
        }
        Ok(Some(Access::Loopback)) => Finding::ok(CHECK, "open to this machine"),
    }
}
