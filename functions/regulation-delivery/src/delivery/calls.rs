//! The calls for the users of one batch and one token: none without quota, and none after one that failed for now.

use std::{collections::VecDeque, ops::Range, time::Duration};

use jiff::Timestamp;
use platform::{queue::MAX_DELAY, quota::Quota, telemetry::Chain};
use segment::{Failure, Outcome, Secret, regulation};

use super::{BEGIN_WITHIN, Delivery};
use crate::{month, settle::Ending};

pub(super) struct Calls<'a, C> {
    delivery: &'a Delivery<C>,
    name: &'a str,
    token: Secret,
    ids: &'a [&'a str],
    /// What became of each user.
    endings: Vec<Option<Ending>>,
    /// What becomes of all further users, once there is a reason to call no more.
    stopped: Option<Ending>,
    begun: Timestamp,
}

impl<'a, C: Quota> Calls<'a, C> {
    pub(super) fn new(delivery: &'a Delivery<C>, name: &'a str, token: Secret, ids: &'a [&'a str]) -> Self {
        let begun = delivery.clock.steady();
        Self { delivery, name, token, ids, endings: vec![None; ids.len()], stopped: None, begun }
    }

    /// Calls for each run and returns what became of each user.
    pub(super) async fn make(mut self, runs: Vec<Range<usize>>) -> Vec<Ending> {
        for run in runs {
            self.make_run(run).await;
        }
        // Every user is in exactly one run.
        self.endings.into_iter().flatten().collect()
    }

    async fn make_run(&mut self, run: Range<usize>) {
        if let Some(ending) = self.stopped.clone() {
            return self.end(run, &ending);
        }
        let now = self.delivery.clock.now();
        let period = month::period(self.name, now);
        let taken = self.delivery.quota.take(&period, run.len() as u64, self.delivery.users_a_month).await;
        let granted = match taken {
            Ok(granted) => usize::try_from(granted).unwrap_or(run.len()).min(run.len()),
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "The month's quota is not known; deletions wait.");
                let outcome = Outcome::Retry { failure: Failure::QuotaUnavailable, after: None };
                return self.stop(run, Ending::Tried(outcome));
            }
        };
        let (granted, beyond) = (run.start..run.start + granted, run.start + granted..run.end);
        let unused = self.call(granted).await;
        if unused > 0
            && let Err(error) = self.delivery.quota.give_back(&period, unused).await
        {
            tracing::warn!(error = %Chain(&error), unused, "Quota that was not used is lost to the month.");
        }
        if !beyond.is_empty() {
            let ending = Ending::OutOfQuota(month::until_next(now).min(MAX_DELAY));
            let ending = self.stopped.clone().unwrap_or(ending);
            self.stop(beyond, ending);
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
                self.stopped = Some(Ending::Held(Duration::ZERO));
            }
            if let Some(ending) = self.stopped.clone() {
                unused += part.len() as u64;
                self.end(part, &ending);
                continue;
            }
            let outcome = self.create(part.clone()).await;
            self.delivery.ended(self.name, &outcome);
            if matches!(outcome, Outcome::Rejected(Failure::Status(400 | 413 | 422))) && part.len() > 1 {
                let middle = part.start + part.len() / 2;
                parts.push_front(middle..part.end);
                parts.push_front(part.start..middle);
                continue;
            }
            if !regulation::may_have_counted(&outcome) {
                unused += part.len() as u64;
            }
            match outcome {
                Outcome::Retry { .. } | Outcome::Rejected(Failure::Token(_)) => {
                    self.stop(part, Ending::Tried(outcome));
                }
                Outcome::Delivered | Outcome::Rejected(_) => self.end(part, &Ending::Tried(outcome)),
            }
        }
        unused
    }

    /// Calls with the token, and once more with a fresh one when Segment refuses it.
    async fn create(&mut self, part: Range<usize>) -> Outcome {
        let users = &self.ids[part];
        let outcome = self.delivery.regulations.create(&self.token, users).await;
        if !matches!(outcome, Outcome::Rejected(Failure::Token(_))) {
            return outcome;
        }
        let Ok(tokens) = self.delivery.tokens.refreshed().await else { return outcome };
        match tokens.get(self.name) {
            Some(fresh) if *fresh != self.token => {
                self.token = fresh.clone();
                self.delivery.regulations.create(&self.token, users).await
            }
            _ => outcome,
        }
    }

    fn is_late(&self) -> bool {
        self.delivery.clock.steady().duration_since(self.begun).unsigned_abs() >= BEGIN_WITHIN
    }

    /// Ends these users and all further ones so.
    fn stop(&mut self, run: Range<usize>, ending: Ending) {
        self.end(run, &ending);
        self.stopped = Some(ending);
    }

    fn end(&mut self, run: Range<usize>, ending: &Ending) {
        self.endings[run].fill(Some(ending.clone()));
    }
}
