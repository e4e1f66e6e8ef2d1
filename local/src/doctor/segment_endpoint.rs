//! Whether Segment's endpoint is the right one, and answers; and whether this machine's clock agrees with its. Signatures of
//! webhooks expire, and Segment shifts times by what it sees.

use std::net::IpAddr;

use jiff::Timestamp;
use platform::{
    clock::{Clock, SystemClock},
    http::{client, public_roots},
};
use reqwest::{Url, header::DATE};
use segment::Endpoint;
use tokio::time::Instant;

use super::{
    DEADLINE,
    finding::Finding,
    reach::{self, reach},
    region::{Host, Region, host},
};
use crate::serve;

const CHECK: &str = "Segment";

const CLOCK: &str = "clock";

/// From here on times in Segment are noticeably wrong, in seconds.
const NOTICEABLE: u64 = 30;

/// From here on webhooks that are signed with a time are refused, in seconds (Standard Webhooks: five minutes).
const TOLERANCE: u64 = 5 * 60;

/// The endpoint's findings, and that of the clock, which is compared with the endpoint's.
pub async fn check(options: &serve::Options) -> (Vec<Finding>, Finding) {
    let Some(endpoint) = &options.segment.segment_endpoint else {
        let here = "messages go to the stand-in for Segment, on this machine; SEGMENT_ENDPOINT changes that";
        let finding = options
            .segment
            .unsent_warning()
            .map_or(Finding::ok(CHECK, here), |unsent| wrong_endpoint(&unsent));
        return (vec![finding], nothing_to_compare());
    };
    let url: Url = match endpoint.to_string().parse() {
        Ok(url) => url,
        Err(_) => return (vec![wrong_endpoint("the endpoint is no URL")], nothing_to_compare()),
    };
    if let Some(finding) = obvious_mistake(&url) {
        return (vec![finding], nothing_to_compare());
    }
    let (answer, clock) = match answer(&url).await {
        Ok((status, skew)) => (assess(&url, status), self::clock(skew)),
        Err(finding) => (*finding, nothing_to_compare()),
    };
    (unencrypted(&url).into_iter().chain([answer]).collect(), clock)
}

/// An endpoint that cannot be meant.
fn obvious_mistake(url: &Url) -> Option<Finding> {
    let (kind, name) = (host(url), url.host_str().unwrap_or_default());
    let path = url.path().trim_end_matches('/');
    match kind {
        Host::PublicApi(region) => Some(Finding::problem(
            CHECK,
            format!("{name} is Segment's Public API, which takes no messages"),
            format!("set SEGMENT_ENDPOINT to {}", endpoint_of(region)),
        )),
        Host::OtherOfSegment => Some(wrong_endpoint(&format!("{name} is Segment's, but takes no messages"))),
        Host::Messages(_) if url.scheme() == "http" => Some(Finding::problem(
            CHECK,
            format!("{url} is not encrypted: others could read the write key and the messages"),
            "let SEGMENT_ENDPOINT begin with https://",
        )),
        Host::Messages(region) if !path.is_empty() => Some(Finding::problem(
            CHECK,
            format!("the endpoint has the path {path}; messages would go to {path}/v1/batch"),
            format!("set SEGMENT_ENDPOINT to {}; /v1 and the call are added", endpoint_of(region)),
        )),
        Host::Messages(_) | Host::Foreign => None,
    }
}

fn endpoint_of(region: Region) -> &'static str {
    match region {
        Region::Us => Endpoint::US,
        Region::Eu => Endpoint::EU,
    }
}

fn wrong_endpoint(found: &str) -> Finding {
    let fix =
        format!("set SEGMENT_ENDPOINT to {}, or to {} for workspaces in Europe", Endpoint::US, Endpoint::EU);
    Finding::problem(CHECK, found, fix)
}

/// Somebody else's endpoint, on another machine, without TLS.
fn unencrypted(url: &Url) -> Option<Finding> {
    let name = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let here = name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    (url.scheme() == "http" && !here).then(|| {
        let found =
            format!("{name} is called without encryption: others could read the write key and the messages");
        Finding::warning(CHECK, found, "let SEGMENT_ENDPOINT begin with https:// if it speaks TLS")
    })
}

/// The status of a HEAD, and how many seconds the server's clock is ahead of this one.
async fn answer(url: &Url) -> Result<(u16, Option<i64>), Box<Finding>> {
    let start = Instant::now();
    reach(url, reach::ANY, public_roots())
        .await
        .map_err(|error| Finding::problem(CHECK, format!("{error}; messages wait"), error.advice()))?;
    let failed = |found: String| {
        Finding::problem(
            CHECK,
            found,
            "check that the endpoint is right, and what is between this machine and it",
        )
    };
    let client = client().map_err(|error| failed(error.to_string()))?;
    let before = SystemClock.now();
    // What a warm start does, too: no key, no message.
    let request = client.head(url.clone()).timeout(DEADLINE.saturating_sub(start.elapsed())).send();
    let answer = request.await.map_err(|error| {
        let does =
            if error.is_timeout() { "answers nothing" } else { "breaks them off: it may not speak HTTP" };
        failed(format!("{} takes connections, but {does}; messages wait", url.host_str().unwrap_or_default()))
    })?;
    let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok());
    let skew = date.and_then(|date| skew(date, before, SystemClock.now()));
    Ok((answer.status().as_u16(), skew))
}

fn skew(date: &str, before: Timestamp, after: Timestamp) -> Option<i64> {
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).ok()?;
    let here = i64::midpoint(before.as_second(), after.as_second());
    Some(date.as_second() - here)
}

/// When no server says what time it is.
fn nothing_to_compare() -> Finding {
    Finding::skipped(CLOCK, "no server of Segment said what time it is")
}

/// By how many seconds the other clock is ahead, if its server said so.
fn clock(skew: Option<i64>) -> Finding {
    let Some(skew) = skew else { return nothing_to_compare() };
    let off = skew.unsigned_abs();
    let found = format!("this machine's clock is {off} s {}", if skew > 0 { "behind" } else { "ahead" });
    let fix = "let it be set over the network (NTP): systemctl status systemd-timesyncd, or chronyc tracking";
    match off {
        _ if off <= NOTICEABLE => Finding::ok(CLOCK, format!("within {NOTICEABLE} s of the endpoint's")),
        _ if off <= TOLERANCE => {
            Finding::warning(CLOCK, format!("{found}; times in Segment are wrong by that"), fix)
        }
        _ => {
            Finding::problem(CLOCK, format!("{found}; webhooks that are signed with a time are refused"), fix)
        }
    }
}

/// What the answer says. A 404 or a 405 is usual for the root of an API.
fn assess(url: &Url, status: u16) -> Finding {
    let name = url.host_str().unwrap_or_default();
    match (status, host(url)) {
        (300..=399, _) => Finding::problem(
            CHECK,
            format!("{name} answers {status}, a redirect; those are never followed"),
            "set SEGMENT_ENDPOINT to where it leads, if that is Segment",
        ),
        (500.., _) => Finding::warning(
            CHECK,
            format!("{name} answers {status}; messages wait until that is over"),
            "look at status.segment.com if it goes on",
        ),
        (_, Host::Messages(region)) => Finding::ok(
            CHECK,
            format!(
                "{name} answers. It is for workspaces in {}: messages of others vanish, often without an error",
                region.name()
            ),
        ),
        _ => Finding::ok(
            CHECK,
            format!(
                "{name} answers. It is not Segment's own; whether it takes messages, only one would show"
            ),
        ),
    }
}

#[cfg(test)]
mod tests;
