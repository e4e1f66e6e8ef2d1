//! Regulations: orders to Segment's Public API to delete a user's data, or to take no more of it ([Deletion
//! and Suppression](https://docs.segmentapis.com/tag/Deletion-and-Suppression)). A regulation applies to all
//! sources of the workspace that the token belongs to. Segment carries it out within 30 days.

mod endpoint;
mod regulation_type;

use std::{ops::Range, sync::Arc, time::Duration};

use jiff::Timestamp;
use reqwest::{
    RequestBuilder,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT},
};
use serde_json::{Value, json};

pub use self::{
    endpoint::{PublicApi, PublicApiError},
    regulation_type::{RegulationType, RegulationTypeError},
};
use crate::{
    Failure, Outcome, Secret,
    client::AGENT,
    exchange::{Answer, exchange},
    retry_after, split_within,
};

/// The most users in one call (Segment docs, "User Deletion and Suppression": 5000 `userId`s per call).
pub const MAX_USERS: usize = 5_000;

/// The largest request body, in bytes. The Public API takes 4 MB.
pub const MAX_BYTES: usize = 4_000_000;

/// The most users in a calendar month, over all calls (Segment docs, "User Deletion and Suppression"; for
/// more, ask Segment's support).
pub const MAX_USERS_A_MONTH: u64 = 110_000;

/// The longest time for one call, from connecting to the last byte of the answer. It is longer than for a
/// batch of messages: after a call that was cut off, it is unknown whether Segment counted its users.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// The bytes of a body other than its ids and their commas:
/// `{"regulationType":"…","subjectType":"USER_ID","subjectIds":[]}`.
const FRAME_BYTES: usize = 128;

/// Creates regulations of one type at one Public API. Cloning it is cheap, and clones share their
/// connections.
///
/// Like [`Client`](crate::Client), it sends, reports the outcome, and never waits between attempts.
#[derive(Clone)]
pub struct Regulations {
    http: reqwest::Client,
    api: PublicApi,
    regulation_type: RegulationType,
    deadline: Duration,
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Regulations {
    /// Creates regulations of this type through `http`, which must not follow redirects.
    #[allow(clippy::disallowed_methods, reason = "the machine's clock is the default; with_clock holds it")]
    pub fn new(http: reqwest::Client, api: PublicApi, regulation_type: RegulationType) -> Self {
        Self { http, api, regulation_type, deadline: DEADLINE, now: Arc::new(Timestamp::now) }
    }

    /// Sets the longest time for one call. The default is [`DEADLINE`].
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets the clock for `Retry-After`.
    #[must_use]
    pub fn with_clock(mut self, now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        self.now = Arc::new(now);
        self
    }

    /// Opens a connection, so that the first call need not wait for it. A failure does not matter.
    pub async fn connect(&self) {
        let _ = tokio::time::timeout(self.deadline, self.http.head(self.api.root()).send()).await;
    }

    /// Creates one regulation for these users, whose ids must fit one call (see [`split`]). The outcome
    /// applies to all of them. Requesting the same user again does no harm.
    pub async fn create(&self, token: &Secret, user_ids: &[&str]) -> Outcome {
        let Some(request) = self.request(token, user_ids) else {
            return Outcome::Rejected(Failure::Token(None));
        };
        match exchange(request, self.deadline, &*self.now).await {
            Ok(answer) => answer.verified_outcome(outcome(&answer)),
            Err(failure) => Outcome::Retry { failure, after: None },
        }
    }

    /// Returns `None` if the token has characters that a header cannot carry.
    fn request(&self, token: &Secret, user_ids: &[&str]) -> Option<RequestBuilder> {
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", token.expose())).ok()?;
        authorization.set_sensitive(true);
        let body = json!({
            "regulationType": self.regulation_type.as_str(),
            "subjectType": "USER_ID",
            "subjectIds": user_ids,
        });
        let request = self
            .http
            .post(self.api.call("regulations"))
            .header(AUTHORIZATION, authorization)
            // The version of the Public API that this code is written for.
            .header(CONTENT_TYPE, "application/vnd.segment.v1+json")
            .header(USER_AGENT, AGENT);
        Some(request.body(body.to_string()))
    }
}

/// Splits users into runs that each fit one call, [`MAX_USERS`] and [`MAX_BYTES`]. Keeps the order and
/// returns no empty run.
pub fn split(user_ids: &[&str]) -> Vec<Range<usize>> {
    // As JSON, each with a comma.
    let sizes = user_ids.iter().map(|id| Value::from(*id).to_string().len() + 1);
    split_within(sizes, MAX_USERS, MAX_BYTES - FRAME_BYTES)
}

/// Whether Segment may have counted the users of a call with this outcome towards [`MAX_USERS_A_MONTH`].
/// After a 4xx or a failed connection it did not count them. After a deadline, a broken connection, a 5xx or
/// an answer that is not from Segment, it may have.
pub fn may_have_counted(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Delivered => true,
        Outcome::Retry { failure, .. } => {
            matches!(
                failure,
                Failure::Timeout | Failure::Transport | Failure::NotSegment(_) | Failure::Status(500..)
            )
        }
        Outcome::Rejected(_) => false,
    }
}

/// Returns the outcome for the status alone. The Public API answers 200 when it creates a regulation.
/// Redirects are never followed: a redirect means that the endpoint is wrong or is moving, which can be
/// fixed.
fn outcome(answer: &Answer) -> Outcome {
    let failure = Failure::Status(answer.status);
    match answer.status {
        200 => Outcome::Delivered,
        201..=299 => Outcome::Retry { failure: Failure::NotSegment(answer.status), after: answer.after },
        401 | 403 => Outcome::Rejected(Failure::Token(Some(answer.status))),
        300..=399 | 408 | 429 | 500..=599 => {
            Outcome::Retry { failure, after: answer.after.or_else(|| rate_limited_for(answer)) }
        }
        _ => Outcome::Rejected(failure),
    }
}

/// Returns the wait that the Public API states in the body of a 429 (Public API docs, "Rate Limits").
fn rate_limited_for(answer: &Answer) -> Option<Duration> {
    let milliseconds = answer.json()?.pointer("/errors/0/data/msBeforeNext")?.as_f64()?;
    Duration::try_from_secs_f64(milliseconds / 1_000.0).ok().map(retry_after::clamp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::tests;

    fn answer(status: u16, body: Option<Value>) -> Outcome {
        outcome(&tests::answer(status, &body.unwrap_or_default().to_string()))
    }

    #[test]
    fn every_status_has_one_outcome_and_only_uncertain_ones_may_have_counted() {
        for status in 200..600 {
            let outcome = answer(status, None);
            let (retried, counted) = match status {
                200 => (false, true),
                201..=299 | 500..=599 => (true, true),
                300..=399 | 408 | 429 => (true, false),
                _ => (false, false),
            };
            assert_eq!(matches!(outcome, Outcome::Retry { .. }), retried, "{status}");
            assert_eq!(outcome == Outcome::Delivered, status == 200, "{status}");
            assert_eq!(may_have_counted(&outcome), counted, "{status}");
        }
        for (failure, counted) in
            [(Failure::Timeout, true), (Failure::Transport, true), (Failure::Connect, false)]
        {
            assert_eq!(may_have_counted(&Outcome::Retry { failure, after: None }), counted);
        }
    }

    #[test]
    fn a_refused_token_differs_from_a_refused_request() {
        for (status, code) in [
            (401, "token"),
            (403, "token"),
            (400, "client_error"),
            (404, "client_error"),
            (422, "client_error"),
        ] {
            let Outcome::Rejected(failure) = answer(status, None) else { panic!("{status}") };
            assert_eq!((failure.code(), failure.status()), (code, Some(status)));
        }
    }

    #[test]
    fn the_wait_in_the_public_apis_body_is_used() {
        let body =
            |wait: Value| Some(json!({"errors": [{"type": "RequestError", "data": {"msBeforeNext": wait}}]}));
        for (body, expected) in [
            (body(57_647.into()), Some(57_647)),
            (body(json!(0)), Some(1_000)),
            (body(json!(-1)), None),
            (body(json!("soon")), None),
            (body(json!(1e300)), None),
            (Some(json!({"errors": []})), None),
            (None, None),
        ] {
            let Outcome::Retry { after, .. } = answer(429, body) else { panic!("a retry") };
            assert_eq!(after.map(|after| after.as_millis()), expected);
        }
    }

    #[test]
    fn calls_hold_5_000_users_and_4_mb_at_most() {
        let short = vec!["u"; 10_001];
        assert_eq!(split(&short), [0..5_000, 5_000..10_000, 10_000..10_001]);
        // Each quote takes two bytes as JSON.
        let long = "\"".repeat(1_000);
        let long = vec![&*long; 3_000];
        let runs = split(&long);
        assert_eq!((runs.len(), runs[0].len()), (2, (MAX_BYTES - FRAME_BYTES) / 2_003));
        let body = json!({
            "regulationType": "SUPPRESS_WITH_DELETE_INTERNAL",
            "subjectType": "USER_ID",
            "subjectIds": &long[runs[0].clone()],
        });
        assert!(body.to_string().len() <= MAX_BYTES);
        assert!(split(&[]).is_empty());
    }
}
