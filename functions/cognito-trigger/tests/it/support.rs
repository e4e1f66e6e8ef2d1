//! A trigger with a held clock, with a topic and a secret that the test controls.

use std::sync::{Arc, Mutex};

use cognito_trigger::Trigger;
use identity::{Config, HashKey, Mappings};
use platform::{
    clock::HeldClock,
    secrets::{CachedSecret, Fetched, SecretStore},
};
use serde_json::{Value, value::RawValue};
use testkit::topic::{Fault, RecordingTopic};

pub const REQUEST_ID: &str = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";

struct Secret {
    fault: Option<Fault>,
    reads: Arc<Mutex<usize>>,
}

impl SecretStore for Secret {
    fn fetch(&self) -> Fetched<'_> {
        Box::pin(async {
            *self.reads.lock().unwrap() += 1;
            Fault::happen(self.fault).await.map(|()| r#"{"hashKey":"hush"}"#.to_owned())
        })
    }
}

pub struct Pool {
    pub trigger: Trigger<RecordingTopic>,
    topic: RecordingTopic,
    reads: Arc<Mutex<usize>>,
}

impl Pool {
    pub fn new() -> Self {
        Self::with("", None, None)
    }

    /// Returns one with the user's own mapping.
    pub fn with(mappings: &str, topic: Option<Fault>, secret: Option<Fault>) -> Self {
        let clock = HeldClock::at("2026-11-21T08:00:00Z".parse().unwrap());
        let config = Config { mappings: Mappings::with("own", mappings).unwrap(), ..Config::new("d") };
        let reads = Arc::new(Mutex::new(0));
        let secret = Secret { fault: secret, reads: reads.clone() };
        let secret = CachedSecret::new(secret, HashKey::from_secret, clock.clone());
        let topic = RecordingTopic::default().failing(topic);
        Self { trigger: Trigger::new(topic.clone(), config, secret, clock), topic, reads }
    }

    /// Invokes the trigger. Checks in every test that the event comes back unchanged.
    pub async fn invoke(&self, event: &str) {
        self.invoke_as(event, REQUEST_ID).await;
    }

    pub async fn invoke_as(&self, event: &str, request_id: &str) {
        let payload = RawValue::from_string(event.to_owned()).unwrap();
        assert_eq!(self.trigger.handle(payload, request_id).await.get(), event.trim());
    }

    pub fn published(&self) -> Vec<Value> {
        self.topic.messages()
    }

    /// Returns how often the secret was read.
    pub fn reads(&self) -> usize {
        *self.reads.lock().unwrap()
    }
}
