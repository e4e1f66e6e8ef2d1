//! A trigger with a held clock, before a topic and a secret that do as they are told.

use std::sync::{Arc, Mutex};

use cognito_trigger::Trigger;
use identity::{Config, HashKey, Mappings};
use platform::{
    clock::HeldClock,
    secrets::{CachedSecret, Fetched, SecretStore},
    topic::{Publication, PublishError, Topic},
};
use serde_json::{Value, value::RawValue};

pub const REQUEST_ID: &str = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";

/// What the other side does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    Answers,
    Fails,
    Hangs,
    Panics,
}

#[derive(Clone)]
pub struct Recorder {
    does: Does,
    kept: Arc<Mutex<Vec<Publication>>>,
}

impl Topic for Recorder {
    async fn publish(&self, publications: Vec<Publication>) -> Result<(), PublishError> {
        match self.does {
            Does::Answers => self.kept.lock().unwrap().extend(publications),
            Does::Fails => return Err(PublishError("the topic is away".into())),
            Does::Hangs => std::future::pending().await,
            Does::Panics => panic!("in the topic"),
        }
        Ok(())
    }
}

struct Secret(Does, Arc<Mutex<usize>>);

impl SecretStore for Secret {
    fn fetch(&self) -> Fetched<'_> {
        Box::pin(async {
            *self.1.lock().unwrap() += 1;
            match self.0 {
                Does::Answers => Ok(r#"{"hashKey":"hush"}"#.to_owned()),
                Does::Fails => Err("the secret is away".into()),
                Does::Hangs => std::future::pending().await,
                Does::Panics => panic!("in the secret"),
            }
        })
    }
}

pub struct Pool {
    pub trigger: Trigger<Recorder>,
    topic: Recorder,
    reads: Arc<Mutex<usize>>,
}

impl Pool {
    pub fn new() -> Self {
        Self::with("", Does::Answers, Does::Answers)
    }

    /// One with a mapping of its own.
    pub fn with(mappings: &str, topic: Does, secret: Does) -> Self {
        let clock = HeldClock::at("2026-11-21T08:00:00Z".parse().unwrap());
        let mut config = Config::new("d");
        config.mappings = Mappings::with("own", mappings).unwrap();
        let reads = Arc::new(Mutex::new(0));
        let secret = CachedSecret::new(Secret(secret, reads.clone()), HashKey::from_secret, clock.clone());
        let topic = Recorder { does: topic, kept: Arc::default() };
        Self { trigger: Trigger::new(topic.clone(), config, secret, clock), topic, reads }
    }

    /// Invokes the trigger. That the event comes back as it was is looked at here, so in every test.
    pub async fn invoke(&self, event: &str) {
        self.invoke_as(event, REQUEST_ID).await;
    }

    pub async fn invoke_as(&self, event: &str, request_id: &str) {
        let payload = RawValue::from_string(event.to_owned()).unwrap();
        assert_eq!(self.trigger.handle(payload, request_id).await.get(), event.trim());
    }

    pub fn published(&self) -> Vec<Value> {
        let published = self.topic.kept.lock().unwrap();
        published.iter().map(|publication| serde_json::from_str(&publication.body).unwrap()).collect()
    }

    /// How often the secret was read.
    pub fn reads(&self) -> usize {
        *self.reads.lock().unwrap()
    }
}
