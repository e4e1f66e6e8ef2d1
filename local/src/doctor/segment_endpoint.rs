//! Checks that Segment's endpoint is right and answers, and compares this machine's clock with the
//! endpoint's. Signed webhooks expire, and Segment corrects times by the difference it sees.

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

/// With a larger difference, times in Segment are noticeably wrong. In seconds.
const NOTICEABLE: u64 = 30;

/// With a larger difference, webhooks that are signed with a time are rejected. In seconds (Standard
/// Webhooks: five minutes).
const TOLERANCE: u64 = 5 * 60;

/// Returns the findings about the endpoint, and the one about the clock.
pub async fn check(options: &serve::Options) -> (Vec<Finding>, Finding) {
    let Some(endpoint) = &options.segment.segment_endpoint else {
        let here = "messages go to the stand-in (a fake Segment built into Segue); to use the real one, set SEGMENT_ENDPOINT";
        let finding = options
            .segment
            .unsent_warning()
            .map_or(Finding::ok(CHECK, here), |unsent| wrong_endpoint(&unsent));
        return (vec![finding], nothing_to_compare());
    };
    let url: Url = match endpoint.to_string().parse() {
        Ok(url) => url,
        Err(_) => return (vec![wrong_endpoint("the endpoint is not a URL")], nothing_to_compare()),
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

/// Finds an endpoint that cannot be right.
fn obvious_mistake(url: &Url) -> Option<Finding> {
    let (kind, name) = (host(url), url.host_str().unwrap_or_default());
    let path = url.path().trim_end_matches('/');
    match kind {
        Host::PublicApi(region) => Some(Finding::problem(
            CHECK,
            format!("{name} is Segment's Public API, which does not take messages"),
            format!("set SEGMENT_ENDPOINT to {}", endpoint_of(region)),
        )),
        Host::OtherOfSegment => {
            Some(wrong_endpoint(&format!("{name} is Segment's, but does not take messages")))
        }
        Host::Messages(_) if url.scheme() == "http" => Some(Finding::problem(
            CHECK,
            format!("{url} is not encrypted: others could read the write key and the messages"),
            "begin SEGMENT_ENDPOINT with https://",
        )),
        Host::Messages(region) if !path.is_empty() => Some(Finding::problem(
            CHECK,
            format!("the endpoint has the path {path}; messages would go to {path}/v1/batch"),
            format!("set SEGMENT_ENDPOINT to {}; Segue adds /v1 and the call", endpoint_of(region)),
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

/// Finds an endpoint without TLS that is not Segment's and not on this machine.
fn unencrypted(url: &Url) -> Option<Finding> {
    let name = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let here = name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    (url.scheme() == "http" && !here).then(|| {
        let found =
            format!("{name} is called without encryption: others could read the write key and the messages");
        Finding::warning(CHECK, found, "begin SEGMENT_ENDPOINT with https:// if the server speaks TLS")
    })
}

/// Sends a HEAD. Returns the status, and how many seconds the server's clock is ahead of this machine's.
async fn answer(url: &Url) -> Result<(u16, Option<i64>), Box<Finding>> {
    let start = Instant::now();
    reach(url, reach::ANY, public_roots()).await.map_err(|error| {
        Finding::problem(CHECK, format!("{error}; messages wait until it answers"), error.advice())
    })?;
    let failed = |found: String| {
        Finding::problem(
            CHECK,
            found,
            "check that the endpoint is right, and the proxies and firewalls on the way to it",
        )
    };
    let client = client().map_err(|error| failed(error.to_string()))?;
    let before = SystemClock.now();
    // The functions do the same when they start. It sends no key and no message.
    let request = client.head(url.clone()).timeout(DEADLINE.saturating_sub(start.elapsed())).send();
    let answer = request.await.map_err(|error| {
        let does = if error.is_timeout() { "does not answer" } else { "closes them; it may not speak HTTP" };
        failed(format!(
            "{} accepts connections, but {does}. Messages wait",
            url.host_str().unwrap_or_default()
        ))
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

/// Returns the finding when no server has sent its time.
fn nothing_to_compare() -> Finding {
    Finding::skipped(CLOCK, "no server of Segment has sent its time")
}

/// Returns the finding about the clock. `skew` is how many seconds the server's clock is ahead, if it sent
/// its time.
fn clock(skew: Option<i64>) -> Finding {
    let Some(skew) = skew else { return nothing_to_compare() };
    let off = skew.unsigned_abs();
    let found = format!("this machine's clock is {off} s {}", if skew > 0 { "behind" } else { "ahead" });
    let fix = "turn on time synchronization (NTP); check with systemctl status systemd-timesyncd, or chronyc tracking";
    match off {
        _ if off <= NOTICEABLE => Finding::ok(CLOCK, format!("within {NOTICEABLE} s of the endpoint's")),
        _ if off <= TOLERANCE => {
            Finding::warning(CLOCK, format!("{found}; times in Segment are wrong by as much"), fix)
        }
        _ => Finding::problem(
            CLOCK,
            format!("{found}; webhooks that are signed with a time are rejected"),
            fix,
        ),
    }
}

/// Returns the finding about an answer. A 404 or a 405 is usual for the root of an API.
fn assess(url: &Url, status: u16) -> Finding {
    let name = url.host_str().unwrap_or_default();
    match (status, host(url)) {
        (300..=399, _) => Finding::problem(
            CHECK,
            format!("{name} answers {status}, a redirect; Segue follows none"),
            "set SEGMENT_ENDPOINT to the redirect's target, if that is Segment",
        ),
        (500.., _) => Finding::warning(
            CHECK,
            format!("{name} answers {status}; messages wait until it recovers"),
            "if it lasts, see status.segment.com",
        ),
        (_, Host::Messages(region)) => Finding::ok(
            CHECK,
            format!(
                "{name} answers. It is for workspaces in {}; messages of other workspaces are lost, often without an error",
                region.name()
            ),
        ),
        _ => Finding::ok(
            CHECK,
            format!(
                "{name} answers. It is not Segment's; only a message would show whether it takes messages"
            ),
        ),
    }
}

#[cfg(test)]
mod tests;
