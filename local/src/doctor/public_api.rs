//! Checks the settings for deleting users at Segment.

use identity_webhook::Authentication;
use platform::{clock::SystemClock, http::public_roots};
use reqwest::Url;
use segment::regulation::PublicApi;

use super::{
    finding::Finding,
    reach::{self, reach},
    region::{Host, Region, host},
};
use crate::serve;

const CHECK: &str = "Public API";

/// Returns the findings about the Public API. Another check reports an authentication that is not usable.
pub async fn check(options: &serve::Options, authentication: Option<&Authentication>) -> Vec<Finding> {
    let Some(token) = &options.regulations.public_api_token else {
        let found = "not used: users deleted at the provider are not deleted at Segment (docs/deletion.md)";
        return vec![Finding::ok(CHECK, found)];
    };
    let authentic =
        options.allow_unsigned || authentication.is_none_or(|authentication| authentication.is_configured());
    if let Err(error) = options.regulations.settings(authentic, &SystemClock::shared()) {
        return vec![Finding::problem(CHECK, error.to_string(), "see docs/deletion.md")];
    }
    let mut findings: Vec<Finding> = check_form(token).into_iter().collect();
    let Ok(url) = options.regulations.public_api_endpoint.to_string().parse::<Url>() else {
        return findings;
    };
    findings.extend(other_region(options, &url));
    findings.push(match reach(&url, reach::ANY, public_roots()).await {
        Ok(()) => Finding::ok(
            CHECK,
            format!("{} can be reached. Only a deletion would show whether it accepts the token", name(&url)),
        ),
        Err(error) => Finding::problem(CHECK, error.to_string(), error.advice()),
    });
    findings
}

fn name(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

/// Checks the form of the token, without quoting it.
fn check_form(token: &str) -> Option<Finding> {
    let bare = token.trim();
    let fix = "create a token in Segment: Settings, Workspace settings, Access Management, Tokens";
    let is_key = bare.len() == 32 && bare.chars().all(|character| character.is_ascii_alphanumeric());
    if is_key {
        let found = "the token looks like a write key, which cannot delete users";
        return Some(Finding::problem(CHECK, found, fix));
    }
    (!bare.starts_with("sgp_") && !bare.starts_with('{')).then(|| {
        Finding::warning(
            CHECK,
            "the token does not begin with sgp_, as tokens of Segment's Public API do",
            fix,
        )
    })
}

/// Finds messages and deletions that go to different regions. One of the regions is wrong.
fn other_region(options: &serve::Options, public_api: &Url) -> Option<Finding> {
    let endpoint: Url = options.segment.segment_endpoint.as_ref()?.to_string().parse().ok()?;
    let (Host::Messages(messages), Host::PublicApi(deletions)) = (host(&endpoint), host(public_api)) else {
        return None;
    };
    let right = match messages {
        Region::Us => PublicApi::US,
        Region::Eu => PublicApi::EU,
    };
    (messages != deletions).then(|| {
        Finding::problem(
            CHECK,
            format!("messages go to {}, but deletions to {}", messages.name(), deletions.name()),
            format!("set SEGMENT_PUBLIC_API_ENDPOINT to {right}, if the workspace is in {}", messages.name()),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_key_and_an_unusual_token_are_reported() {
        for (token, expected) in [
            ("sgp_0123456789abcdef", None),
            (r#"{"default":"sgp_0123456789abcdef"}"#, None),
            ("abcdefghijklmnopqrstuvwxyz012345", Some("looks like a write key")),
            ("abc", Some("does not begin with sgp_")),
        ] {
            let found = check_form(token).map(|finding| finding.found);
            assert_eq!(found.is_some(), expected.is_some(), "{found:?}");
            assert!(found.unwrap_or_default().contains(expected.unwrap_or_default()), "{token}");
        }
    }
}
