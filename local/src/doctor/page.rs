//! To whom the page is open, which shows personal data.

use super::finding::Finding;
use crate::serve::{self, Page};

const CHECK: &str = "page";

/// The page's finding.
pub fn check(options: &serve::Options) -> Finding {
    match options.page.audience() {
        Err(error) => {
            Finding::problem(CHECK, error.to_string(), "correct SEGUE_PAGE_TOKEN, or leave it out to get one")
        }
        Ok(Page::Off) => Finding::ok(CHECK, "off"),
        Ok(Page::Everyone) if !options.listen.ip().is_loopback() => Finding::warning(
            CHECK,
            "open to other machines, to whoever has the token, which goes over the network unencrypted",
            "let them come through a proxy that speaks TLS, or say --page loopback",
        ),
        Ok(Page::Everyone) => {
            Finding::ok(CHECK, "open to everybody who reaches this address and has the token")
        }
        Ok(Page::Loopback) if options.is_trial() => Finding::ok(CHECK, "open to this machine"),
        Ok(Page::Loopback) => {
            Finding::ok(CHECK, "open to everybody who is on this machine and has the token")
        }
    }
}
