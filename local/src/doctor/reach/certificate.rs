//! Describes what is wrong with a certificate.

use jiff::Timestamp;
use rustls::{CertificateError, pki_types::UnixTime};

/// Returns the fault, as the end of "the certificate of example.com …".
pub fn in_words(error: &CertificateError) -> String {
    use CertificateError::{
        BadSignature, Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet,
        NotValidYetContext, UnknownIssuer,
    };
    match error {
        Expired => "has expired".to_owned(),
        ExpiredContext { not_after, .. } => format!("expired on {}", day(*not_after)),
        NotValidYet => "is not valid yet".to_owned(),
        NotValidYetContext { not_before, .. } => format!("is not valid before {}", day(*not_before)),
        NotValidForName => "is for another host".to_owned(),
        NotValidForNameContext { presented, .. } => format!("is for another host ({})", names(presented)),
        UnknownIssuer | BadSignature => {
            "is not signed by a trusted authority: it is self-signed or private, or its chain is incomplete"
                .to_owned()
        }
        other => format!("is not valid ({other})"),
    }
}

/// Returns the fix.
pub fn advice(error: &CertificateError) -> &'static str {
    use CertificateError::{
        BadSignature, Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet,
        NotValidYetContext, UnknownIssuer,
    };
    match error {
        Expired | ExpiredContext { .. } => "renew it on that server, and check this machine's clock",
        NotValidYet | NotValidYetContext { .. } => "check the clocks, first this machine's",
        NotValidForName | NotValidForNameContext { .. } => {
            "use that host name, or get a certificate for this one"
        }
        UnknownIssuer | BadSignature => {
            "use a certificate of a public authority, with its intermediate certificates; no others are accepted"
        }
        _ => "use another certificate, of a public authority",
    }
}

fn day(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).ok();
    let time = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map_or_else(|| "an unknown day".to_owned(), |time| time.to_string()[..10].to_owned())
}

/// Strips the library's wrapping from names such as `DnsName("example.com")`.
fn names(presented: &[String]) -> String {
    let bare = |name: &String| name.split('"').nth(1).unwrap_or(name).to_owned();
    presented.iter().map(bare).collect::<Vec<_>>().join(", ")
}
