//! Calls Segment's Public API with its tokens, within the month's quota.

use std::{
    collections::{HashSet, VecDeque},
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use delivery::{Breakers, Failure, Limits, Outcome, Permit};
use jiff::Timestamp;
use platform::{
    backoff::FIRST_WAIT, clock::SharedClock, queue::MAX_DELAY, quota::Quota, secrets::CachedSecret,
    telemetry::Chain,
};
use segment::{
    Outcome::Rejected,
    Secret,
    regulation::{self, Regulations},
};

use crate::{month, tokens::Tokens};

/// The limits of the circuit breakers. There is one for each token: a rate limit of one workspace must not
/// delay deletions in another. Segment has 30 days for a deletion, so nobody waits for the next probe.
const BREAKER: Limits = Limits {
    threshold: 3,
    first_pause: FIRST_WAIT,
    longest_pause: MAX_DELAY,
    // The deadline of one call, and of a second one after a refused token.
    probe_time: regulation::DEADLINE.saturating_mul(2),
};

/// The number of users in the first call after one with an unknown result. Without it, calls of 5,000 users
/// that end like this in an outage would use up the month's quota within an hour, and nothing would be
/// deleted.
const PROBE: usize = 10;

/// How long a batch may start new calls, so that the function has time to put the rest back.
const BEGIN_WITHIN: Duration = Duration::from_secs(45);

/// The state that all batches of a process share.
pub(crate) struct Api<C> {
    pub regulations: Regulations,
    pub tokens: Arc<CachedSecret<Tokens>>,
    pub quota: C,
    pub users_a_month: u64,
    pub clock: SharedClock,
    breakers: Breakers,
    /// The tokens after whose last call it is unknown whether Segment counted the users.
    uncertain: Mutex<HashSet<String>>,
}

impl<C: Quota> Api<C> {
    pub fn new(
        regulations: Regulations,
        tokens: Arc<CachedSecret<Tokens>>,
        quota: C,
        users_a_month: u64,
        clock: SharedClock,
    ) -> Self {
        let breakers = Breakers::new(BREAKER, clock.clone());
        Self { regulations, tokens, quota, users_a_month, clock, breakers, uncertain: Mutex::default() }
    }

    /// Requests regulations with the token of that name. Returns an outcome for each user, in order.
    pub async fn regulate(&self, name: &str, ids: &[&str]) -> Result<Vec<Outcome>, Outcome> {
        if let Permit::Wait(wait) = self.breakers.permit(name) {
            return Err(Outcome::Held(wait));
        }
        let tokens = self.tokens.get().await.map_err(|_| Outcome::retry(token_unavailable()))?;
        let token = tokens.get(name).ok_or_else(|| Outcome::Refused(no_token()))?;
        let mut runs = regulation::split(ids);
        let uncertain = self.uncertain.lock().unwrap_or_else(PoisonError::into_inner).contains(name);
        if let Some(first) = runs.first_mut().filter(|first| uncertain && first.len() > PROBE) {
            let probe = first.start..first.start + PROBE;
            first.start = probe.end;
            runs.insert(0, probe);
        }
        Ok(TokenCalls::new(self, name, token.clone(), ids).run(runs).await)
    }

    /// Records how a call ended.
    fn record(&self, name: &str, outcome: &segment::Outcome) {
        self.breakers.record(name, &[outcome.clone().into()]);
        let mut uncertain = self.uncertain.lock().unwrap_or_else(PoisonError::into_inner);
        if *outcome != segment::Outcome::Delivered && regulation::may_have_counted(outcome) {
            uncertain.insert(name.to_owned());
        } else {
            uncertain.remove(name);
        }
    }
}

/// The calls for the users of one batch and one token. It makes no call without quota, and no further call
/// after one that failed for now.
struct TokenCalls<'a, C> {
    api: &'a Api<C>,
    name: &'a str,
    token: Secret,
    ids: &'a [&'a str],
    /// The outcome of each user.
    outcomes: Vec<Option<Outcome>>,
    /// The outcome for all remaining users, once there is a reason to stop.
    stopped: Option<Outcome>,
    begun: Timestamp,
}

impl<'a, C: Quota> TokenCalls<'a, C> {
    fn new(api: &'a Api<C>, name: &'a str, token: Secret, ids: &'a [&'a str]) -> Self {
        let begun = api.clock.steady();
        Self { api, name, token, ids, outcomes: vec![None; ids.len()], stopped: None, begun }
    }

    /// Makes a call for each run. Returns the outcome of each user.
    async fn run(mut self, runs: Vec<Range<usize>>) -> Vec<Outcome> {
        for run in runs {
            self.call_run(run).await;
        }
        // Every user is in exactly one run.
        self.outcomes.into_iter().flatten().collect()
    }

    async fn call_run(&mut self, run: Range<usize>) {
        if let Some(outcome) = self.stopped.clone() {
            return self.set_outcome(run, &outcome);
        }
        let now = self.api.clock.now();
        let period = month::period(self.name, now);
        let taken = self.api.quota.take(&period, run.len() as u64, self.api.users_a_month).await;
        let granted = match taken {
            Ok(granted) => usize::try_from(granted).unwrap_or(run.len()).min(run.len()),
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "The month's quota could not be read; deletions wait.");
                let reason = "the count of this month's regulations could not be read; check the ledger";
                return self.stop(run, Outcome::retry(Failure::new("quota_unavailable", reason)));
            }
        };
        let (granted, beyond) = (run.start..run.start + granted, run.start + granted..run.end);
        let unused = self.call(granted).await;
        if unused > 0
            && let Err(error) = self.api.quota.give_back(&period, unused).await
        {
            tracing::warn!(error = %Chain(&error), unused, "Quota that was not used is lost to the month.");
        }
        if !beyond.is_empty() {
            let reason = "Segment takes no more regulations this month; ask its support for more, or wait for the next";
            let failure = Failure::new("quota_used_up", reason);
            let out_of_quota = Outcome::Postponed { failure, wait: month::until_next(now).min(MAX_DELAY) };
            let outcome = self.stopped.clone().unwrap_or(out_of_quota);
            self.stop(beyond, outcome);
        }
    }

    /// Makes the calls for users within the quota. Returns how many of them Segment certainly did not count.
    ///
    /// When Segment finds a call malformed, the call is halved until the bad user is alone.
    async fn call(&mut self, run: Range<usize>) -> u64 {
        let mut unused = 0;
        let mut parts: VecDeque<Range<usize>> = [run].into();
        while let Some(part) = parts.pop_front().filter(|part| !part.is_empty()) {
            if self.stopped.is_none() && self.is_late() {
                self.stopped = Some(Outcome::Held(Duration::ZERO));
            }
            if let Some(outcome) = self.stopped.clone() {
                unused += part.len() as u64;
                self.set_outcome(part, &outcome);
                continue;
            }
            let outcome = self.create(part.clone()).await;
            self.api.record(self.name, &outcome);
            if matches!(outcome, Rejected(segment::Failure::Status(400 | 413 | 422))) && part.len() > 1 {
                let middle = part.start + part.len() / 2;
                parts.push_front(middle..part.end);
                parts.push_front(part.start..middle);
                continue;
            }
            if !regulation::may_have_counted(&outcome) {
                unused += part.len() as u64;
            }
            match Outcome::from(outcome) {
                outcome @ (Outcome::Retry { .. } | Outcome::Refused(_)) => self.stop(part, outcome),
                outcome => self.set_outcome(part, &outcome),
            }
        }
        unused
    }

    /// Calls with the token. If Segment refuses it, calls once more with a fresh one.
    async fn create(&mut self, part: Range<usize>) -> segment::Outcome {
        let users = &self.ids[part];
        let outcome = self.api.regulations.create(&self.token, users).await;
        if !matches!(outcome, Rejected(segment::Failure::Token(_))) {
            return outcome;
        }
        let Ok(tokens) = self.api.tokens.refreshed().await else { return outcome };
        match tokens.get(self.name) {
            Some(fresh) if *fresh != self.token => {
                self.token = fresh.clone();
                self.api.regulations.create(&self.token, users).await
            }
            _ => outcome,
        }
    }

    fn is_late(&self) -> bool {
        self.api.clock.steady().duration_since(self.begun).unsigned_abs() >= BEGIN_WITHIN
    }

    /// Sets the outcome of these users and all remaining ones.
    fn stop(&mut self, run: Range<usize>, outcome: Outcome) {
        self.set_outcome(run, &outcome);
        self.stopped = Some(outcome);
    }

    fn set_outcome(&mut self, run: Range<usize>, outcome: &Outcome) {
        self.outcomes[run].fill(Some(outcome.clone()));
    }
}

pub(crate) fn no_token() -> Failure {
    let reason =
        "no Public API token of that name is configured, nor one named default; add it to the secret";
    Failure::new("no_token", reason)
}

pub(crate) fn token_unavailable() -> Failure {
    Failure::new("token_unavailable", "the secret with the Public API token could not be read")
}
