//! Reports attempts to an optional watcher. `segue serve` shows the reports on its page. On AWS there is no
//! watcher, so no report is built.

use std::{iter, sync::Arc, time::Duration};

use jiff::Timestamp;
use platform::{clock::SharedClock, delivery_state};

use crate::{Attempt, Call, Destination, Failure, Group, Outcome, Outcomes, Request};

/// One attempt, with the result for each of its messages.
#[derive(Clone, Debug)]
pub struct Report {
    /// The destination's name in metrics.
    pub destination: String,
    /// The time at which it began.
    pub began: Timestamp,
    /// How long it took, including a second try with new credentials.
    pub took: Duration,
    /// The request, if there was a single one and it may be shown.
    pub request: Option<Request>,
    /// One for each message.
    pub messages: Vec<MessageReport>,
}

/// The result of an attempt for one message.
#[derive(Clone, Debug)]
pub struct MessageReport {
    /// The message's `messageId`, or an empty text if it has none.
    pub message_id: String,
    /// The time since it entered its queue.
    pub age: Duration,
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
    /// Why it was not taken.
    pub failure: Option<Failure>,
    /// A sentence for people about it.
    pub note: Option<String>,
}

/// The receiver of the reports. By default there is none.
#[derive(Clone, Default)]
pub struct Watcher(Option<Arc<dyn Fn(Report) + Send + Sync>>);

impl Watcher {
    /// Calls `watch` for each attempt. `watch` must return quickly.
    pub fn new(watch: impl Fn(Report) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(watch)))
    }

    pub(crate) fn notify<D: Destination>(&self, group: &Group<D>, attempt: &Attempt, clock: &SharedClock) {
        let Some(watch) = &self.0 else { return };
        let now = clock.steady();
        for attempt in attempt.other_attempts.iter().chain([attempt]) {
            attempt.call.iter().for_each(|call| watch(report(group, attempt, call, now)));
        }
    }
}

fn report<D: Destination>(group: &Group<D>, attempt: &Attempt, call: &Call, now: Timestamp) -> Report {
    let outcomes = match &attempt.outcomes {
        Outcomes::All(outcome) => iter::repeat_n(outcome, group.items.len()).collect(),
        Outcomes::Each(outcomes) => outcomes.iter().collect::<Vec<_>>(),
    };
    let is_for_all = matches!(attempt.outcomes, Outcomes::All(_));
    let messages = group.items.iter().zip(outcomes).enumerate().flat_map(|(at, (item, outcome))| {
        let status = call.status.filter(|_| is_for_all || *outcome == Outcome::Delivered);
        let failure = outcome.failure();
        let tried = !matches!(outcome, Outcome::Held(_) | Outcome::Postponed { .. });
        let age = delivery_state::age(delivery_state::entered(&item.received), now);
        D::message_ids(&item.message).into_iter().filter(move |_| tried).map(move |id| MessageReport {
            message_id: id.to_owned(),
            age,
            status: failure.and_then(|failure| failure.status).or(status),
            failure: failure.cloned(),
            note: attempt.notes.get(at).cloned(),
        })
    });
    Report {
        destination: attempt.destination.clone(),
        began: call.began,
        took: call.took,
        request: call.request.clone(),
        messages: messages.collect(),
    }
}
