//! Regulations at Segment's Public API as a destination: a group for each token.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use delivery::{
    Attempt, Breakers, Call, Destination, Failure, Group, Item, Limits, Outcome, Outcomes, Permit, Plan,
    Retries, Window,
};
use platform::{
    clock::SharedClock,
    queue::{MAX_DELAY, Received},
    quota::Quota,
    retry::FIRST_WAIT,
    secrets::CachedSecret,
    telemetry::Chain,
    topic::{Attributes, WRITE_KEY, for_regulations},
};
use segment::{
    Message, MessageType,
    regulation::{self, MAX_USERS_A_MONTH, Regulations},
};
use settings::DEFAULT_WRITE_KEY;
use tokio::time::Instant;

use crate::{calls::Calls, tokens::Tokens, users::Users};

/// There is a breaker for each token: one workspace's rate limit must not hold up another's deletions. Segment has 30
/// days for a deletion, so nobody waits for the next probe.
const BREAKER: Limits = Limits {
    threshold: 3,
    first_pause: FIRST_WAIT,
    longest_pause: MAX_DELAY,
    // The deadline for one call, and for the second one after a refused token.
    probe_time: regulation::DEADLINE.saturating_mul(2),
};

/// Regulations, as metrics and watchers call them.
pub const DESTINATION: &str = "regulation";

/// How many users are asked for first after a call of which nobody knows whether Segment counted it. An outage in
/// which calls of 5,000 end like that would use up the month within an hour, and nothing would have been deleted.
const PROBE: usize = 10;

/// Makes regulations of deletions, as many in a month as a quota grants.
pub struct RegulationDestination<C> {
    pub(crate) regulations: Regulations,
    pub(crate) tokens: Arc<CachedSecret<Tokens>>,
    pub(crate) quota: C,
    pub(crate) users_a_month: u64,
    pub(crate) clock: SharedClock,
    breakers: Breakers,
    /// The tokens of whose last call nobody knows if Segment counted its users.
    in_doubt: Mutex<HashSet<String>>,
}

/// A deletion.
pub struct Deletion {
    user_id: String,
    message_id: String,
}

impl<C: Quota + 'static> RegulationDestination<C> {
    /// A destination that makes `regulations` with the tokens of `tokens`, as many in a month as `quota` grants of
    /// [`MAX_USERS_A_MONTH`] for each of them.
    pub fn new(
        regulations: Regulations,
        tokens: Arc<CachedSecret<Tokens>>,
        quota: C,
        clock: SharedClock,
    ) -> Self {
        let breakers = Breakers::new(BREAKER, clock.clone());
        let (users_a_month, in_doubt) = (MAX_USERS_A_MONTH, Mutex::default());
        Self { regulations, tokens, quota, users_a_month, clock, breakers, in_doubt }
    }

    /// The same, for workspaces of which Segment takes another number of users a month.
    #[must_use]
    pub fn with_limit(self, users_a_month: u64) -> Self {
        Self { users_a_month, ..self }
    }

    /// Asks for regulations with the token of that name, and answers for each user in order.
    async fn regulate(&self, name: &str, ids: &[&str]) -> Result<Vec<Outcome>, Outcome> {
        if let Permit::Wait(wait) = self.breakers.permit(name) {
            return Err(Outcome::Held(wait));
        }
        let tokens = self.tokens.get().await.map_err(|_| Outcome::retry(token_unavailable()))?;
        let token = tokens.get(name).ok_or_else(|| Outcome::Refused(no_token()))?;
        let mut runs = regulation::split(ids);
        let in_doubt = self.in_doubt.lock().unwrap_or_else(PoisonError::into_inner).contains(name);
        if let Some(first) = runs.first_mut().filter(|first| in_doubt && first.len() > PROBE) {
            let probe = first.start..first.start + PROBE;
            first.start = probe.end;
            runs.insert(0, probe);
        }
        Ok(Calls::new(self, name, token.clone(), ids).make(runs).await)
    }

    /// Takes note of how a call ended.
    pub(crate) fn learn(&self, name: &str, outcome: &segment::Outcome) {
        self.breakers.learn(name, &[outcome.clone().into()]);
        let mut in_doubt = self.in_doubt.lock().unwrap_or_else(PoisonError::into_inner);
        if *outcome != segment::Outcome::Delivered && regulation::may_have_counted(outcome) {
            in_doubt.insert(name.to_owned());
        } else {
            in_doubt.remove(name);
        }
    }
}

impl<C: Quota + 'static> Destination for RegulationDestination<C> {
    type Message = Deletion;
    /// The name of a token.
    type Target = String;

    fn wants(attributes: &Attributes) -> bool {
        for_regulations(attributes)
    }

    /// Only a delete is taken, whatever its attributes said: what a regulation deletes does not come back.
    fn decode(&self, received: &Received) -> Result<Deletion, Failure> {
        let message = Message::from_json(received.body.as_bytes()).map_err(Failure::invalid)?;
        if message.message_type() != MessageType::Delete {
            return Err(Failure::invalid("type: only a delete becomes a regulation"));
        }
        let user_id =
            message.user_id().ok_or(Failure::invalid("userId: is missing; a regulation needs one"))?;
        let message_id = message.message_id().unwrap_or_default();
        Ok(Deletion { user_id: user_id.to_owned(), message_id: message_id.to_owned() })
    }

    fn message_ids(deletion: &Deletion) -> Vec<&str> {
        vec![&deletion.message_id]
    }

    async fn plan(&self, batch: Vec<Arc<Item<Deletion>>>) -> Plan<Self> {
        let (mut by_token, mut settled) = (BTreeMap::<String, Vec<_>>::new(), Vec::new());
        let mut known = self.tokens.get().await;
        let is_named = |tokens: &Arc<Tokens>| batch.iter().all(|item| name(tokens, item).is_some());
        if !known.as_ref().is_ok_and(is_named) {
            // It may have been added to the secret since that was read.
            known = self.tokens.refreshed().await;
        }
        if let Err(error) = &known {
            tracing::warn!(error = %Chain(error), "There is no Public API token; deletions wait.");
        }
        for item in batch {
            // A secret that cannot be read, or not be understood, is not yet a reason to give a message up: it is fixed
            // without touching the messages.
            match known.as_ref().map(|tokens| name(tokens, &item)) {
                Ok(Some(name)) => by_token.entry(name.to_owned()).or_default().push(item),
                Ok(None) => settled.push((item, Outcome::Refused(no_token()))),
                Err(_) => settled.push((item, Outcome::retry(token_unavailable()))),
            }
        }
        let groups = by_token.into_iter().map(|(name, items)| Group::new(name, items)).collect();
        Plan { groups, settled, retries: Retries { first_wait: FIRST_WAIT, window: Window::Retention } }
    }

    async fn attempt(&self, group: &Group<Self>) -> Attempt {
        let users = Users::new(group.items.iter().map(|item| &*item.message.user_id));
        let (began, stopwatch) = (self.clock.now(), Instant::now());
        let outcomes = match self.regulate(&group.target, &users.ids).await {
            Ok(by_user) => Outcomes::Each(users.by_message(&by_user)),
            Err(outcome) => Outcomes::All(outcome),
        };
        // Segment answers nothing but 200 to what it takes.
        let call = Call { began, took: stopwatch.elapsed(), status: Some(200), request: None };
        Attempt::with_call(DESTINATION, outcomes, call)
    }
}

/// The name of the token for a message.
fn name<'a>(tokens: &'a Tokens, item: &Item<Deletion>) -> Option<&'a str> {
    tokens.name_for(item.received.attributes.get(WRITE_KEY).map_or(DEFAULT_WRITE_KEY, String::as_str))
}

fn no_token() -> Failure {
    let reason =
        "no Public API token of that name is configured, nor one named default; add it to the secret";
    Failure::new("no_token", reason)
}

fn token_unavailable() -> Failure {
    Failure::new("token_unavailable", "the secret with the Public API token could not be read")
}
