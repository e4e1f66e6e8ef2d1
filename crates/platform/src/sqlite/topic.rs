//! The topic. It puts each message into every queue that subscribes to it, in one transaction.

use std::sync::Arc;

use super::{
    Store,
    queue::insert,
    receive::text,
    writer::{Purpose, Undo},
};
use crate::topic::{Attributes, Publication, PublishError, Topic};

/// A queue that receives the topic's messages.
#[derive(Clone)]
pub struct Subscription {
    /// The queue's name.
    pub queue: &'static str,
    /// Whether the queue wants a message with these attributes, like a subscription's filter policy on SNS.
    pub wants: fn(&Attributes) -> bool,
}

/// The topic in SQLite.
#[derive(Clone)]
pub struct SqliteTopic {
    store: Store,
    subscriptions: Arc<[Subscription]>,
}

impl SqliteTopic {
    pub(super) fn new(store: Store, subscriptions: Vec<Subscription>) -> Self {
        Self { store, subscriptions: subscriptions.into() }
    }
}

impl Topic for SqliteTopic {
    async fn publish(&self, publications: Vec<Publication>) -> Result<(), PublishError> {
        let subscriptions = self.subscriptions.clone();
        let now = self.store.now();
        let stored = self.store.writer.run(Purpose::Accept, Undo::Transaction, move |connection| {
            for Publication { body, attributes } in &publications {
                let encoded = text(attributes);
                for subscription in
                    subscriptions.iter().filter(|subscription| (subscription.wants)(attributes))
                {
                    insert(connection, subscription.queue, body, &encoded, now, now)?;
                }
            }
            Ok(())
        });
        stored.await.map_err(|error| PublishError(Box::new(error)))?;
        self.store.arrived.notify_waiters();
        Ok(())
    }
}
