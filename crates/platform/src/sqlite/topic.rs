//! The topic. It puts each message into every queue that subscribes to it, in one transaction.

use super::{Store, queue::insert};
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
    subscriptions: Vec<Subscription>,
}

impl SqliteTopic {
    pub(super) fn new(store: Store, subscriptions: Vec<Subscription>) -> Self {
        Self { store, subscriptions }
    }
}

impl Topic for SqliteTopic {
    async fn publish(&self, publications: Vec<Publication>) -> Result<(), PublishError> {
        let subscriptions = self.subscriptions.clone();
        let now = self.store.now();
        let stored = self.store.accept(move |connection| {
            for publication in &publications {
                for subscription in
                    subscriptions.iter().filter(|subscription| (subscription.wants)(&publication.attributes))
                {
                    insert(
                        connection,
                        subscription.queue,
                        &publication.body,
                        &publication.attributes,
                        now,
                        now,
                    )?;
                }
            }
            Ok(())
        });
        stored.await.map_err(|error| PublishError(Box::new(error)))?;
        self.store.arrived.notify_waiters();
        Ok(())
    }
}
