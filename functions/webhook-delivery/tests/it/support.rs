//! The test world around the destination, with webhooks.

use std::{ops::Deref, sync::Arc};

use platform::{
    clock::HeldClock,
    secrets::{CachedSecret, TIME_TO_LIVE},
};
use serde_json::{Value, json};
use testkit::{FakeServer, StoredSecret};
use webhook_delivery::{Exchange, WebhookDestination, Webhooks};

/// The pieces around one destination.
pub struct World {
    pub secret: StoredSecret,
    world: testkit::World<WebhookDestination>,
}

impl Deref for World {
    type Target = testkit::World<WebhookDestination>;

    fn deref(&self) -> &Self::Target {
        &self.world
    }
}

/// Returns a destination with the settings in `secret`.
pub fn destination(exchange: &Exchange, secret: &StoredSecret, clock: &Arc<HeldClock>) -> WebhookDestination {
    let webhooks = Arc::new(CachedSecret::new(secret.clone(), Webhooks::parse, clock.clone()));
    WebhookDestination::new(exchange.clone(), webhooks, clock.clone())
}

impl World {
    /// Returns a world that calls webhooks on the loopback, with these settings.
    pub fn new(settings: &Value) -> Self {
        let clock = testkit::clock();
        let exchange = Exchange::new(true, clock.clone()).unwrap();
        Self::with(settings, exchange, clock)
    }

    /// Returns a world with the test's exchange.
    pub fn with(settings: &Value, exchange: Exchange, clock: Arc<HeldClock>) -> Self {
        let secret = StoredSecret::new(settings.to_string());
        let of_world = secret.clone();
        let make = move |_: &_, clock: &Arc<HeldClock>| destination(&exchange, &of_world, clock);
        Self { secret, world: testkit::World::at(clock, make) }
    }

    /// Returns the world after its process was killed and started again.
    pub async fn restarted(self) -> Self {
        Self { secret: self.secret, world: self.world.restarted().await }
    }

    pub async fn publish(&self, body: &str) {
        self.world.publish(body, "default").await;
    }

    /// Publishes a track message for each id.
    pub async fn publish_all(&self, ids: impl IntoIterator<Item = impl AsRef<str>>) {
        for id in ids {
            self.publish(&track(id.as_ref())).await;
        }
    }

    /// Changes the settings and advances the clock until they are read again.
    pub fn set(&self, settings: &Value) {
        self.secret.set(settings.to_string());
        self.clock.advance(TIME_TO_LIVE);
    }
}

/// Returns settings with only these webhooks.
pub fn settings(webhooks: impl IntoIterator<Item = Value>) -> Value {
    json!({ "webhooks": webhooks.into_iter().collect::<Vec<_>>() })
}

/// Returns a webhook that gets all messages one by one.
pub fn plain(fake: &FakeServer) -> Value {
    json!({ "url": fake.url() })
}

/// Returns a track message with that id.
pub fn track(id: &str) -> String {
    format!(r#"{{"type":"track","userId":"u","event":"e","messageId":"{id}"}}"#)
}

/// Returns the body that a webhook gets for that message.
pub fn sent(id: &str) -> String {
    track(id).replacen('{', r#"{"version":1,"#, 1)
}

/// Returns the name of a webhook in attributes.
pub fn name(fake: &FakeServer) -> String {
    webhook_delivery::name(&fake.url().parse().unwrap())
}

/// Returns the ids that a fake took, in order of arrival.
pub fn taken(fake: &FakeServer) -> Vec<String> {
    fake.taken().iter().map(|(_, message)| message["messageId"].as_str().unwrap().to_owned()).collect()
}

/// Returns the same in alphabetical order.
pub fn taken_sorted(fake: &FakeServer) -> Vec<String> {
    let mut ids = taken(fake);
    ids.sort();
    ids
}
