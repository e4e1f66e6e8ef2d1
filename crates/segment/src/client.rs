//! A client for Segment's HTTP API.

mod credentials;
mod endpoint;
mod post;

use std::{borrow::Cow, collections::VecDeque, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::Value;

pub(crate) use self::post::AGENT;
pub use self::{
    credentials::{Credentials, CredentialsError},
    endpoint::{Endpoint, EndpointError},
};
use crate::{
    Channel, Failure, Library, MAX_MESSAGE_BYTES, Message, MessageType, Outcome, SET_ON_RECEIPT, batch, json,
    timestamp,
};

/// The longest time for one call, from connecting to the last byte of the answer.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// A client for one Segment endpoint. Cloning it is cheap, and clones share their connections.
///
/// It sends messages and reports the outcome. It never waits between attempts: the caller, who has a queue,
/// does that.
///
/// ```no_run
/// # async fn example(http: reqwest::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use segment::{Client, Message, Outcome, Secret};
///
/// let client = Client::new(http, "https://api.segment.io".parse()?);
/// let message = Message::from_json(br#"{"type":"track","userId":"u1","event":"Signed In"}"#)?;
/// let attempt = client.send(&Secret::new("write key"), &message).await;
/// assert_eq!(attempt.outcome, Outcome::Delivered);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    endpoint: Endpoint,
    deadline: Duration,
    gzip: bool,
    library: Option<Library>,
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// The call for several messages of servers.
const BATCH: &str = "batch";

/// The call for several messages of browsers and apps (Segment docs, "Proxy events" of the mobile libraries).
const CLIENT_BATCH: &str = "b";

fn batch_body(messages: &str, sent_at: &str) -> String {
    format!("{{\"batch\":[{messages}],\"sentAt\":\"{sent_at}\"}}")
}

/// The result of one call, with Segment's answer.
#[derive(Debug)]
pub struct Attempt {
    /// The outcome for the message.
    pub outcome: Outcome,
    /// The answer's body, if it was JSON of at most 16 KB.
    pub response: Option<Value>,
}

/// A message that is ready to send.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Its `messageId`, if it has one.
    pub message_id: Option<String>,
    /// The call for a batch of messages like this one.
    call: &'static str,
    json: String,
}

/// Returns the call for a batch of messages of that channel.
fn batch_call(message: &Message) -> &'static str {
    let is_client = Channel::named(message.as_object()).is_some_and(Channel::is_client);
    if is_client { CLIENT_BATCH } else { BATCH }
}

impl Client {
    /// Returns a client that sends through `http`, which must not follow redirects.
    #[allow(clippy::disallowed_methods, reason = "the machine's clock is the default; with_clock holds it")]
    pub fn new(http: reqwest::Client, endpoint: Endpoint) -> Self {
        Self { http, endpoint, deadline: DEADLINE, gzip: false, library: None, now: Arc::new(Timestamp::now) }
    }

    /// Sets the longest time for one call. The default is [`DEADLINE`].
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Compresses request bodies. The default is off: Segment's HTTP API page does not mention compression,
    /// although its Python library offers it.
    #[must_use]
    pub fn with_gzip(mut self, gzip: bool) -> Self {
        self.gzip = gzip;
        self
    }

    /// Sets `context.library` of messages that have none.
    #[must_use]
    pub fn with_library(mut self, library: Library) -> Self {
        self.library = Some(library);
        self
    }

    /// Sets the clock for `sentAt` and `Retry-After`.
    #[must_use]
    pub fn with_clock(mut self, now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        self.now = Arc::new(now);
        self
    }

    /// Returns the same client with another deadline, for a caller with little time left.
    #[must_use]
    pub fn within(&self, deadline: Duration) -> Self {
        self.clone().with_deadline(deadline.min(self.deadline))
    }

    /// Returns the endpoint.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Opens a connection, so that the first message need not wait for it. A failure does not matter.
    pub async fn connect(&self) {
        let _ = tokio::time::timeout(self.deadline, self.http.head(self.endpoint.root()).send()).await;
    }

    /// Sends one message with the call for its type.
    pub async fn send(&self, credentials: &impl Credentials, message: &Message) -> Attempt {
        let object = match self.prepared(message) {
            Ok(message) => message.into_owned().into_object(),
            Err(failure) => return Attempt { outcome: Outcome::Rejected(failure), response: None },
        };
        let body = |sent_at: String| {
            let mut object = object.clone();
            object.insert("sentAt".to_owned(), sent_at.into());
            json::encode(&object)
        };
        self.authorized(credentials, message.message_type().as_str(), body).await
    }

    /// Sends messages in as few batches as Segment's limits allow. Returns an outcome for each message, in
    /// order. Messages of browsers and apps (by their `channel`) go to a separate call.
    ///
    /// When Segment finds a batch malformed, the client halves it until the bad message is alone. When
    /// Segment asks for a retry, the client does not try the remaining messages.
    #[must_use = "a message whose outcome is ignored is lost"]
    pub async fn send_batch(&self, credentials: &impl Credentials, messages: &[Message]) -> Vec<Outcome> {
        let mut outcomes: Vec<Option<Outcome>> = vec![None; messages.len()];
        let mut indexes = Vec::with_capacity(messages.len());
        let mut outgoing = Vec::with_capacity(messages.len());
        for (index, message) in messages.iter().enumerate() {
            match self.outgoing(message) {
                Ok(message) => {
                    indexes.push(index);
                    outgoing.push(message);
                }
                Err(failure) => outcomes[index] = Some(Outcome::Rejected(failure)),
            }
        }
        let sent = self.send_outgoing(credentials, &outgoing.iter().collect::<Vec<_>>()).await;
        for (index, outcome) in indexes.into_iter().zip(sent) {
            outcomes[index] = Some(outcome);
        }
        // Each message was either sent or refused before.
        outcomes.into_iter().flatten().collect()
    }

    /// Returns the text of a message for a batch. The parsed tree may take a hundred times as much memory, so
    /// it is not kept.
    ///
    /// # Errors
    /// [`Failure::Invalid`] for a message that Segment's HTTP API does not take.
    pub fn outgoing(&self, message: &Message) -> Result<Outgoing, Failure> {
        let message_id = message.message_id().map(str::to_owned);
        Ok(Outgoing {
            message_id,
            call: batch_call(message),
            json: self.prepared(message)?.as_json().to_owned(),
        })
    }

    /// Sends messages that are ready, like [`send_batch`](Self::send_batch).
    #[must_use = "a message whose outcome is ignored is lost"]
    pub async fn send_outgoing(
        &self,
        credentials: &impl Credentials,
        messages: &[&Outgoing],
    ) -> Vec<Outcome> {
        let mut outcomes: Vec<Option<Outcome>> = vec![None; messages.len()];
        let mut runs: VecDeque<Vec<usize>> = [BATCH, CLIENT_BATCH]
            .into_iter()
            .flat_map(|call| {
                let of_call = messages.iter().enumerate().filter(|(_, message)| message.call == call);
                let (indexes, sizes): (Vec<_>, Vec<_>) =
                    of_call.map(|(index, message)| (index, message.json.len())).unzip();
                batch::split(&sizes).into_iter().map(move |run| indexes[run].to_vec())
            })
            .collect();
        let mut unreachable = None;
        while let Some(run) = runs.pop_front() {
            let outcome = match &unreachable {
                Some(outcome) => Outcome::clone(outcome),
                None => {
                    let run: Vec<&Outgoing> = run.iter().map(|index| messages[*index]).collect();
                    self.send_run(credentials, &run).await
                }
            };
            match &outcome {
                Outcome::Rejected(Failure::Status(400 | 413)) if run.len() > 1 => {
                    let (first, second) = run.split_at(run.len() / 2);
                    runs.push_front(second.to_vec());
                    runs.push_front(first.to_vec());
                    continue;
                }
                Outcome::Retry { .. } => unreachable = Some(outcome.clone()),
                _ => {}
            }
            run.into_iter().for_each(|index| outcomes[index] = Some(outcome.clone()));
        }
        // Every index is in exactly one run.
        outcomes.into_iter().flatten().collect()
    }

    async fn send_run(&self, credentials: &impl Credentials, run: &[&Outgoing]) -> Outcome {
        let call = run.first().map_or(BATCH, |message| message.call);
        let messages = run.iter().map(|message| message.json.as_str()).collect::<Vec<_>>().join(",");
        self.authorized(credentials, call, |sent_at| batch_body(&messages, &sent_at)).await.outcome
    }

    /// Returns the URL and the body of a batch of this one message sent at `at`, for people. `None` if
    /// Segment's HTTP API does not take the message.
    pub fn batch_of(&self, message: &Message, at: Timestamp) -> Option<(String, String)> {
        let url = self.endpoint.call(batch_call(message)).to_string();
        Some((url, batch_body(self.prepared(message).ok()?.as_json(), &timestamp::format(at))))
    }

    /// Returns the message as it is sent: with a library, and without the fields that Segment sets. Returns
    /// an error if Segment's HTTP API does not take it.
    fn prepared<'a>(&self, message: &'a Message) -> Result<Cow<'a, Message>, Failure> {
        if message.message_type() == MessageType::Delete {
            return Err(Failure::Invalid("type: Segment's HTTP API has no delete call".to_owned()));
        }
        let library = self.library.as_ref().filter(|_| !Library::is_named_in(message));
        if library.is_none() && SET_ON_RECEIPT.iter().all(|field| message.get(field).is_none()) {
            return Ok(Cow::Borrowed(message));
        }
        let without = |left_out: &[&str]| {
            let mut object = message.as_object().clone();
            object.retain(|field, _| !left_out.contains(&field.as_str()));
            if let Some(library) = library {
                library.stamp(&mut object);
            }
            Message::from_object(object).map_err(|error| Failure::Invalid(error.to_string()))
        };
        // Without a `channel`, Segment assumes a server. The largest messages have no room for the field.
        if message.get("channel").is_some_and(|channel| channel != Channel::Server.as_str()) {
            let trimmed = without(&SET_ON_RECEIPT.map(|field| if field == "channel" { "" } else { field }))?;
            if trimmed.as_json().len() <= MAX_MESSAGE_BYTES {
                return Ok(Cow::Owned(trimmed));
            }
        }
        without(&SET_ON_RECEIPT).map(Cow::Owned)
    }

    /// Calls with the write key. If Segment does not know the key, calls once more with a fresh one. `body`
    /// builds the body from the time of the attempt.
    async fn authorized(
        &self,
        credentials: &impl Credentials,
        call: &str,
        body: impl Fn(String) -> String + Send,
    ) -> Attempt {
        let sent_now = || body(timestamp::format((self.now)()));
        let refused = |outcome| Attempt { outcome, response: None };
        let known = match credentials.write_key().await {
            // The key may have been added to the secret since the secret was read.
            Err(CredentialsError::NoWriteKey) => credentials.refreshed().await,
            known => known,
        };
        let write_key = match known {
            Ok(write_key) => write_key,
            Err(error) => return refused(error.outcome()),
        };
        let attempt = self.post(call, &write_key, sent_now()).await;
        if attempt.outcome != Outcome::Rejected(Failure::Status(401)) {
            return attempt;
        }
        match credentials.refreshed().await {
            Ok(fresh) if fresh != write_key => {
                let attempt = self.post(call, &fresh, sent_now()).await;
                if attempt.outcome != Outcome::Rejected(Failure::Status(401)) {
                    return attempt;
                }
                refused(Outcome::Rejected(Failure::WriteKey))
            }
            Ok(_) => refused(Outcome::Rejected(Failure::WriteKey)),
            Err(error) => refused(error.outcome()),
        }
    }
}
