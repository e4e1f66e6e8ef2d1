//! A topic that records its messages, or fails as the test says.

use std::{
    error::Error,
    sync::{Arc, Mutex},
};

use platform::topic::{MESSAGE_TYPE, Publication, PublishError, Topic, WRITE_KEY};
use serde_json::{Value, json};

/// A fault of the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It answers with an error.
    Refuses,
    /// It does not answer.
    Hangs,
    /// Its client panics.
    Panics,
}

impl Fault {
    /// Lets a fault happen, if there is one.
    pub async fn happen(fault: Option<Self>) -> Result<(), Box<dyn Error + Send + Sync>> {
        match fault {
            Some(Self::Refuses) => Err("it is away".into()),
            Some(Self::Hangs) => std::future::pending().await,
            Some(Self::Panics) => panic!("as the test asked"),
            None => Ok(()),
        }
    }
}

/// The topic. It records only the messages that it takes.
#[derive(Clone, Default)]
pub struct RecordingTopic {
    calls: Arc<Mutex<Vec<usize>>>,
    taken: Arc<Mutex<Vec<Publication>>>,
    fault: Option<Fault>,
}

impl Topic for RecordingTopic {
    async fn publish(&self, publications: Vec<Publication>) -> Result<(), PublishError> {
        self.calls.lock().unwrap().push(publications.len());
        Fault::happen(self.fault).await.map_err(PublishError)?;
        self.taken.lock().unwrap().extend(publications);
        Ok(())
    }
}

impl RecordingTopic {
    /// Returns the same topic, with this fault from now on.
    pub fn failing(&self, fault: impl Into<Option<Fault>>) -> Self {
        Self { fault: fault.into(), ..self.clone() }
    }

    /// Returns the number of messages in each call, taken or not.
    pub fn calls(&self) -> Vec<usize> {
        self.calls.lock().unwrap().clone()
    }

    /// Returns the messages that it took, with their attributes.
    pub fn taken(&self) -> Vec<Publication> {
        self.taken.lock().unwrap().clone()
    }

    /// Returns their bodies.
    pub fn bodies(&self) -> Vec<String> {
        self.taken().into_iter().map(|one| one.body).collect()
    }

    /// Returns the messages as JSON.
    pub fn messages(&self) -> Vec<Value> {
        self.bodies().iter().map(|body| serde_json::from_str(body).unwrap()).collect()
    }

    /// Returns the messages as JSON, each with the name of its write key.
    pub fn published(&self) -> Vec<Value> {
        let one = |publication: Publication| {
            let message: Value = serde_json::from_str(&publication.body).unwrap();
            assert_eq!(message["type"], publication.attributes[MESSAGE_TYPE]);
            json!({"writeKey": publication.attributes[WRITE_KEY], "message": message})
        };
        self.taken().into_iter().map(one).collect()
    }
}
