//! The calls for the users of one batch and one token: none without quota, and none after one that failed for now.

use std::{collections::VecDeque, ops::Range, time::Duration};

use delivery::{Failure, Outcome};
use jiff::Timestamp;
use platform::{queue::MAX_DELAY, quota::Quota, telemetry::Chain};
use segment::{Outcome::Rejected, Secret, regulation};

use crate::{destination::RegulationDestination, month};

/// How long a batch may go on beginning calls, so that the function has time left to put back what remains.
const BEGIN_WITHIN: Duration = Duration::from_secs(45);

pub(crate) struct Calls<'a, C> {
    destination: &'a RegulationDestination<C>,
    name: &'a str,
    token: Secret,
    ids: &'a [&'a str],
    /// The outcome of each user.
    outcomes: Vec<Option<Outcome>>,
    /// The outcome of all further users, once there is a reason to call no more.
    stopped: Option<Outcome>,
    begun: Timestamp,
}

impl<'a, C: Quota + 'static> Calls<'a, C> {
    pub(crate) fn new(
        destination: &'a RegulationDestination<C>,
        name: &'a str,
        token: Secret,
        ids: &'a [&'a str],
    ) -> Self {
        let begun = destination.clock.steady();
        Self { destination, name, token, ids, outcomes: vec![None; ids.len()], stopped: None, begun }
    }

    /// Calls for each run and returns the outcome of each user.
    pub(crate) async fn make(mut self, runs: Vec<Range<usize>>) -> Vec<Outcome> {
        for run in runs {
            self.make_run(run).await;
        }
        // Every user is in exactly one run.
        self.outcomes.into_iter().flatten().collect()
    }

    async fn make_run(&mut self, run: Range<usize>) {
        if let Some(outcome) = self.stopped.clone() {
            return self.end(run, &outcome);
        }
        let now = self.destination.clock.now();
        let period = month::period(self.name, now);
        let taken =
            self.destination.quota.take(&period, run.len() as u64, self.destination.users_a_month).await;
        let granted = match taken {
            Ok(granted) => usize::try_from(granted).unwrap_or(run.len()).min(run.len()),
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "The month's quota is not known; deletions wait.");
                let reason = "the count of this month's regulations could not be read; check the ledger";
                return self.stop(run, Outcome::retry(Failure::new("quota_unavailable", reason)));
            }
        };
        let (granted, beyond) = (run.start..run.start + granted, run.start + granted..run.end);
        let unused = self.call(granted).await;
        if unused > 0
            && let Err(error) = self.destination.quota.give_back(&period, unused).await
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

    /// Calls for users for whom there is quota, and returns for how many of them Segment certainly counted nothing.
    ///
    /// A call that Segment finds malformed is halved until the bad user stands alone.
    async fn call(&mut self, run: Range<usize>) -> u64 {
        let mut unused = 0;
        let mut parts: VecDeque<Range<usize>> = [run].into();
        while let Some(part) = parts.pop_front().filter(|part| !part.is_empty()) {
            if self.stopped.is_none() && self.is_late() {
                self.stopped = Some(Outcome::Held(Duration::ZERO));
            }
            if let Some(outcome) = self.stopped.clone() {
                unused += part.len() as u64;
                self.end(part, &outcome);
                continue;
            }
            let outcome = self.create(part.clone()).await;
            self.destination.learn(self.name, &outcome);
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
                outcome => self.end(part, &outcome),
            }
        }
        unused
    }

    /// Calls with the token, and once more with a fresh one when Segment refuses it.
    async fn create(&mut self, part: Range<usize>) -> segment::Outcome {
        let users = &self.ids[part];
        let outcome = self.destination.regulations.create(&self.token, users).await;
        if !matches!(outcome, Rejected(segment::Failure::Token(_))) {
            return outcome;
        }
        let Ok(tokens) = self.destination.tokens.refreshed().await else { return outcome };
        match tokens.get(self.name) {
            Some(fresh) if *fresh != self.token => {
                self.token = fresh.clone();
                self.destination.regulations.create(&self.token, users).await
            }
            _ => outcome,
        }
    }

    fn is_late(&self) -> bool {
        self.destination.clock.steady().duration_since(self.begun).unsigned_abs() >= BEGIN_WITHIN
    }

    /// Ends these users and all further ones so.
    fn stop(&mut self, run: Range<usize>, outcome: Outcome) {
        self.end(run, &outcome);
        self.stopped = Some(outcome);
    }

    fn end(&mut self, run: Range<usize>, outcome: &Outcome) {
        self.outcomes[run].fill(Some(outcome.clone()));
    }
}
