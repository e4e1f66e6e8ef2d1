//! What the batches of a process share, and how the users of one token are brought to Segment.

mod calls;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use platform::{
    breaker::{Breaker, Limits, Permit},
    clock::SharedClock,
    quota::Quota,
    secrets::CachedSecret,
};
use segment::{
    Failure, Outcome,
    regulation::{self, Regulations},
    retry,
};

use self::calls::Calls;
use crate::{settle::Ending, tokens::Tokens, users::Users};

/// There is a breaker for each token: one workspace's rate limit must not hold up another's deletions. Segment has 30
/// days for a deletion, so nobody waits for the next probe.
const BREAKER: Limits = Limits {
    threshold: 3,
    first_pause: retry::FIRST_WAIT,
    longest_pause: retry::MAX_WAIT,
    // The deadline for one call, and for the second one after a refused token.
    probe_time: regulation::DEADLINE.saturating_mul(2),
};

/// How many users are asked for first after a call of which nobody knows whether Segment counted it. An outage in
/// which calls of 5,000 end like that would use up the month within an hour, and nothing would have been deleted.
const PROBE: usize = 10;

/// How long a batch may go on beginning calls, so that the function has time left to put back what remains.
const BEGIN_WITHIN: Duration = Duration::from_secs(45);

/// What tasks, one for each token, use together.
pub(crate) struct Delivery<C> {
    regulations: Regulations,
    tokens: Arc<CachedSecret<Tokens>>,
    quota: C,
    users_a_month: u64,
    clock: SharedClock,
    random: fn() -> f64,
    lines: Mutex<HashMap<String, Line>>,
}

/// What is known of calls with one token.
struct Line {
    breaker: Breaker,
    /// Whether nobody knows if Segment counted the users of the last call.
    in_doubt: bool,
}

impl<C: Quota> Delivery<C> {
    pub(crate) fn new(
        regulations: Regulations,
        tokens: Arc<CachedSecret<Tokens>>,
        quota: C,
        users_a_month: u64,
        clock: SharedClock,
        random: fn() -> f64,
    ) -> Self {
        Self { regulations, tokens, quota, users_a_month, clock, random, lines: Mutex::default() }
    }

    /// Asks for regulations with the token of that name, and answers for each message in order.
    pub(crate) async fn deliver(&self, name: &str, user_ids: &[String]) -> Vec<Ending> {
        let refused = |ending| vec![ending; user_ids.len()];
        let (permit, in_doubt) =
            self.line(name, |line| (line.breaker.permit(self.clock.steady()), line.in_doubt));
        if let Permit::Wait(wait) = permit {
            return refused(Ending::Held(wait));
        }
        let token = match self.tokens.get().await {
            Ok(tokens) => tokens.get(name).cloned(),
            Err(_) => {
                let failure = Failure::TokenUnavailable;
                return refused(Ending::Tried(Outcome::Retry { failure, after: None }));
            }
        };
        let Some(token) = token else {
            return refused(Ending::Tried(Outcome::Rejected(Failure::NoToken)));
        };
        let users = Users::new(user_ids);
        let mut runs = regulation::split(&users.ids);
        if let Some(first) = runs.first_mut().filter(|first| in_doubt && first.len() > PROBE) {
            let probe = first.start..first.start + PROBE;
            first.start = probe.end;
            runs.insert(0, probe);
        }
        let by_user = Calls::new(self, name, token, &users.ids).make(runs).await;
        users.by_message(&by_user)
    }

    /// Takes note of how a call ended.
    fn ended(&self, name: &str, outcome: &Outcome) {
        self.line(name, |line| {
            match outcome {
                Outcome::Retry { after, .. } => {
                    line.breaker.failed(self.clock.steady(), *after, (self.random)());
                }
                Outcome::Delivered | Outcome::Rejected(_) => line.breaker.succeeded(),
            }
            line.in_doubt = *outcome != Outcome::Delivered && regulation::may_have_counted(outcome);
        });
    }

    fn line<R>(&self, name: &str, act: impl FnOnce(&mut Line) -> R) -> R {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Line { breaker: Breaker::new(BREAKER), in_doubt: false };
        act(lines.entry(name.to_owned()).or_insert_with(new))
    }
}
