//! What is wrong with a certificate, in plain words.

use jiff::Timestamp;
use rustls::{CertificateError, pki_types::UnixTime};

/// What is wrong, after "the certificate of example.com".
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
            "is signed by nobody who is trusted: by itself, by a private authority, or its chain is not complete"
                .to_owned()
        }
        other => format!("is not valid ({other})"),
    }
}

/// What to do about it.
pub fn advice(error: &CertificateError) -> &'static str {
    use CertificateError::{
        BadSignature, Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet,
        NotValidYetContext, UnknownIssuer,
    };
    match error {
        Expired | ExpiredContext { .. } => "renew it where it is served, and check this machine's clock",
        NotValidYet | NotValidYetContext { .. } => "check the clocks, this machine's first",
        NotValidForName | NotValidForNameContext { .. } => {
            "use the name that it is for, or have one made for this name"
        }
        UnknownIssuer | BadSignature => {
            "serve one of a public authority, with its intermediate certificates; no others are accepted"
        }
        _ => "serve another one, of a public authority",
    }
}

fn day(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).ok();
    let time = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map_or_else(|| "an unknown day".to_owned(), |time| time.to_string()[..10].to_owned())
}

/// `DnsName("example.com")`, as the library has them, without its words.
fn names(presented: &[String]) -> String {
    let bare = |name: &String| name.split('"').nth(1).unwrap_or(name).to_owned();
    presented.iter().map(bare).collect::<Vec<_>>().join(", ")
}
