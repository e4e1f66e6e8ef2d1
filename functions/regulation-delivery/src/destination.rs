//! Segment's Public API as a destination. Each token is a separate group.

use std::{collections::BTreeMap, sync::Arc};

use delivery::{Attempt, Call, Destination, Failure, Group, Item, Outcome, Outcomes, Plan, Retries, Window};
use platform::{
    backoff::FIRST_WAIT,
    clock::SharedClock,
    queue::Received,
    quota::Quota,
    secrets::CachedSecret,
    telemetry::Chain,
    topic::{Attributes, WRITE_KEY, for_regulations},
};
use segment::{
    Message, MessageType,
    regulation::{MAX_USERS_A_MONTH, Regulations},
};
use settings::DEFAULT_WRITE_KEY;
use tokio::time::Instant;

use crate::{
    api::{Api, no_token, token_unavailable},
    tokens::Tokens,
    users::Users,
};

/// The destination's name in metrics and reports.
pub const DESTINATION: &str = "regulation";

/// Turns deletions into regulations, up to the number that the month's quota allows.
pub struct RegulationDestination<C>(Api<C>);

/// A deletion.
pub struct Deletion {
    user_id: String,
    message_id: String,
}

impl<C: Quota + 'static> RegulationDestination<C> {
    /// Returns a destination that creates `regulations` with the tokens in `tokens`. In a month it requests
    /// [`MAX_USERS_A_MONTH`] users for each token at most, as counted by `quota`.
    pub fn new(
        regulations: Regulations,
        tokens: Arc<CachedSecret<Tokens>>,
        quota: C,
        clock: SharedClock,
    ) -> Self {
        Self(Api::new(regulations, tokens, quota, MAX_USERS_A_MONTH, clock))
    }

    /// Sets another number of users a month, for workspaces with a different limit.
    #[must_use]
    pub fn with_limit(mut self, users_a_month: u64) -> Self {
        self.0.users_a_month = users_a_month;
        self
    }
}

impl<C: Quota + 'static> Destination for RegulationDestination<C> {
    type Message = Deletion;
    /// The name of a token.
    type Target = String;

    fn wants(attributes: &Attributes) -> bool {
        for_regulations(attributes)
    }

    /// Accepts only a delete, whatever the attributes say: a regulation cannot be undone.
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
        let mut known = self.0.tokens.get().await;
        let is_named = |tokens: &Arc<Tokens>| batch.iter().all(|item| name(tokens, item).is_some());
        if !known.as_ref().is_ok_and(is_named) {
            // The token may have been added to the secret since it was read.
            known = self.0.tokens.refreshed().await;
        }
        if let Err(error) = &known {
            tracing::warn!(error = %Chain(error), "There is no Public API token; deletions wait.");
        }
        for item in batch {
            // A secret that cannot be read or understood is not yet a reason to give a message up: it can be
            // fixed without touching the messages.
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
        let (began, stopwatch) = (self.0.clock.now(), Instant::now());
        let outcomes = match self.0.regulate(&group.target, &users.ids).await {
            Ok(by_user) => Outcomes::Each(users.by_message(&by_user)),
            Err(outcome) => return Attempt::without_call(DESTINATION, Outcomes::All(outcome)),
        };
        // Segment answers only 200 to a request that it accepts.
        let call = Call { began, took: stopwatch.elapsed(), status: Some(200), request: None };
        Attempt::with_call(DESTINATION, outcomes, call)
    }
}

/// Returns the name of the token for a message.
fn name<'a>(tokens: &'a Tokens, item: &Item<Deletion>) -> Option<&'a str> {
    tokens.name_for(item.received.attributes.get(WRITE_KEY).map_or(DEFAULT_WRITE_KEY, String::as_str))
}
