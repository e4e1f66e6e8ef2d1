//! Handles a request: route, body, write keys, messages, topic, answer. Lambda and the local server call the
//! same function.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, header};
use jiff::Timestamp;
use platform::{
    clock::SharedClock,
    rejected::RejectedQueue,
    secrets::{CachedSecret, SecretError},
    telemetry::{self, Chain},
    topic::{Publication, Topic, stored_in_time},
    write_keys::WriteKeys,
};

use crate::{
    body,
    checked::Checked,
    enrich::Receipt,
    intake::Intake,
    keys_in_body, pixel,
    recent::RecentMessages,
    rejected,
    response::{self, Failure, Invalid, Rejected},
    route::{self, Call},
    write_key::{self, Refusal},
};

/// The largest body, in bytes. A larger one is answered 400, as Segment does. Segment takes 500 KB. Its
/// libraries cut their batches there without counting the frame, or at 512 KiB, and would repeat a refused
/// batch forever.
pub const MAX_BODY_BYTES: usize = 576 * 1024;

/// The longest time for the topic and for the rejected queue. Segment's libraries wait 10 s for an answer and
/// then send again.
pub const PUBLISH_DEADLINE: Duration = Duration::from_secs(5);

/// Everything that a call needs, except the topic.
pub struct Handler<R> {
    rejected: R,
    recent: RecentMessages,
    write_keys: Arc<CachedSecret<WriteKeys>>,
    clock: SharedClock,
}

impl<R: RejectedQueue> Handler<R> {
    /// Returns a handler that accepts requests with one of the write keys. It puts bad messages of such
    /// requests into `rejected`.
    pub fn new(rejected: R, write_keys: Arc<CachedSecret<WriteKeys>>, clock: SharedClock) -> Self {
        Self { rejected, recent: RecentMessages::default(), write_keys, clock }
    }

    /// Reads the write keys before the first request. A failure is logged, and the first request reads them
    /// again.
    pub async fn prepare(&self) {
        if let Err(error) = self.write_keys.get().await {
            log_unreadable(&error);
        }
    }

    /// Answers a request from the address `caller`. With 200, every message is stored in `topic`, except
    /// those that the answer lists as `invalid`, which are in the rejected queue. A pixel is always answered
    /// with its image.
    pub async fn handle(
        &self,
        request: Request<Bytes>,
        caller: Option<IpAddr>,
        topic: &impl Topic,
    ) -> Response<Bytes> {
        self.accept(&request, caller, topic).await.unwrap_or_else(|failure| refuse(&request, &failure))
    }

    /// Returns the answer to a request that can be refused by its head. Its body need not be read.
    pub async fn refusal<B>(&self, request: &Request<B>) -> Option<Response<Bytes>> {
        self.check_head(request).await.err().map(|failure| refuse(request, &failure))
    }

    async fn accept(
        &self,
        request: &Request<Bytes>,
        caller: Option<IpAddr>,
        topic: &impl Topic,
    ) -> Result<Response<Bytes>, Failure> {
        let Some((call, from_head, mut names)) = self.check_head(request).await? else {
            return Ok(match *request.method() {
                Method::HEAD => response::pixel(),
                _ => response::preflight(request.headers()),
            });
        };
        let text = match call {
            Call::Pixel(_) => Cow::Owned(pixel::text(request.uri().query().unwrap_or_default())),
            _ => body::text(request.headers(), request.body())?,
        };
        // Without a write key, a sender must not make us parse its body.
        if from_head.is_empty() {
            let in_body = keys_in_body::find(&text)?;
            names = self.names(&in_body.iter().map(String::as_str).collect()).await?;
        }
        let intake = Intake::read(call, &text)?;
        let keys: BTreeSet<&str> = from_head.iter().map(String::as_str).chain(intake.write_keys()).collect();
        // The names of the keys in the head, or of those in the body if the head has none, are known already.
        if keys.is_empty() || keys.iter().any(|key| !names.contains_key(*key)) {
            names = self.names(&keys).await?;
        }
        let is_for_clients = route::is_for_clients(request.uri().path());
        let receipt = Receipt {
            received_at: self.clock.now(),
            caller,
            from_client: from_head.is_empty()
                || request.headers().contains_key(header::ORIGIN)
                || is_for_clients,
        };
        let recent = Some(&self.recent).filter(|_| receipt.from_client && call == Call::Batch);
        let from_head = from_head.first().map(String::as_str);
        let mut checked = Checked::new(intake, from_head, &names, &receipt, recent)?;
        let may_repeat = checked.repeats || (is_for_clients && !checked.readable);
        let is_taken = !checked.is_all_bad() || (call == Call::Batch && may_repeat);
        if is_taken && !checked.invalid.is_empty() {
            // Bad messages are stored first: if that fails, nothing is published, and the sender sends
            // everything again.
            self.reject(&text, &checked.invalid, receipt.received_at).await?;
        }
        let good = checked.publications.len() + checked.repeated;
        self.publish(std::mem::take(&mut checked.publications), topic).await?;
        self.recent.add(std::mem::take(&mut checked.fingerprints), receipt.received_at);
        record(&checked);
        let mut answer = match call {
            Call::Pixel(_) => response::pixel(),
            _ if checked.invalid.is_empty() => response::accepted(),
            _ if is_taken => response::partly_accepted(good, &checked.invalid),
            _ => response::refused(&checked.invalid),
        };
        if !checked.invalid.is_empty() {
            answer.extensions_mut().insert(Rejected::of(&checked.invalid, good));
        }
        Ok(answer)
    }

    /// Returns the call, and the write keys in the head with their names. Returns `None` for a request
    /// without messages: a browser's preflight, or a HEAD request for a pixel, as mail scanners send it.
    async fn check_head<B>(
        &self,
        request: &Request<B>,
    ) -> Result<Option<(Call, Vec<String>, BTreeMap<String, String>)>, Failure> {
        let call = route::find(request.uri().path()).ok_or(Failure::NotFound)?;
        match (call, request.method()) {
            (Call::Pixel(_), &Method::GET) | (Call::One(_) | Call::Batch, &Method::POST) => {}
            (Call::Pixel(_), &Method::HEAD) | (_, &Method::OPTIONS) => return Ok(None),
            (Call::Pixel(_), _) => return Err(Failure::Method("GET")),
            _ => return Err(Failure::Method("POST")),
        }
        let from_head = write_key::from_head(request)?;
        let names = match from_head.is_empty() {
            true => BTreeMap::new(),
            false => self.names(&from_head.iter().map(String::as_str).collect()).await?,
        };
        Ok(Some((call, from_head, names)))
    }

    /// Returns the names of these write keys. All of them must be known.
    async fn names(&self, keys: &BTreeSet<&str>) -> Result<BTreeMap<String, String>, Failure> {
        let known = self.write_keys.get().await.map_err(|error| no_write_keys(&error))?;
        if keys.is_empty() {
            return Err(Refusal::Missing.into());
        }
        if let Some(names) = write_key::names(&known, keys) {
            return Ok(names);
        }
        // A key may have been added to the secret since it was read.
        let newer = self.write_keys.refreshed().await.map_err(|error| no_write_keys(&error))?;
        let names = if Arc::ptr_eq(&known, &newer) { None } else { write_key::names(&newer, keys) };
        Ok(names.ok_or(Refusal::Unknown)?)
    }

    /// Stores the bad messages of a batch, except those that are stored already.
    async fn reject(&self, body: &[u8], invalid: &[Invalid], now: Timestamp) -> Result<(), Failure> {
        let is_known = |one: &Invalid| one.fingerprint.is_some_and(|one| self.recent.has(one, now));
        let kept = rejected::to_keep(invalid, is_known);
        if kept.is_empty() {
            return Ok(());
        }
        let put = self.rejected.put(rejected::messages(body, &kept, now));
        stored_in_time("rejected queue", PUBLISH_DEADLINE, put)
            .await
            .then_some(())
            .ok_or(Failure::NotStored)?;
        self.recent.add(kept.iter().filter_map(|one| one.fingerprint), now);
        Ok(())
    }

    async fn publish(&self, publications: Vec<Publication>, topic: &impl Topic) -> Result<(), Failure> {
        if publications.is_empty() {
            return Ok(());
        }
        let published = stored_in_time("topic", PUBLISH_DEADLINE, topic.publish(publications));
        published.await.then_some(()).ok_or(Failure::NotStored)
    }
}

/// Counts the results of a request's messages.
fn record(checked: &Checked) {
    for (message_type, count) in &checked.accepted {
        telemetry::accepted(message_type, *count);
    }
    for (reason, count) in &checked.corrected {
        telemetry::corrected(reason, *count);
    }
    if checked.repeated > 0 {
        telemetry::ignored("repeated", checked.repeated);
    }
    let Some(first) = checked.invalid.first() else { return };
    let (field, problem, count) = (first.field, &first.problem, checked.invalid.len());
    tracing::warn!(field, problem, count, "Messages were rejected; this is the problem of the first one.");
    telemetry::rejected("invalid", count);
}

/// Returns the answer to a failure. A pixel always gets its image, because a mail must not show a broken one.
/// If a pixel could not be stored, the status says so.
fn refuse<B>(request: &Request<B>, failure: &Failure) -> Response<Bytes> {
    tracing::warn!(reason = %failure, "A request was rejected.");
    telemetry::rejected(failure.code(), 1);
    let is_pixel = matches!(route::find(request.uri().path()), Some(Call::Pixel(_)));
    let is_about_the_message =
        !matches!(failure, Failure::Method(_) | Failure::NoWriteKeys | Failure::NotStored);
    let mut answer = if is_pixel && is_about_the_message { response::pixel() } else { failure.response() };
    answer.extensions_mut().insert(Rejected { count: 1, reason: failure.to_string() });
    answer
}

/// A secret without a usable key refuses every request, because a retry cannot help. A secret that could not
/// be read may be readable the next time.
fn no_write_keys(error: &SecretError) -> Failure {
    log_unreadable(error);
    match error {
        SecretError::Parse(_) => Refusal::NotConfigured.into(),
        SecretError::Fetch(_) => Failure::NoWriteKeys,
    }
}

fn log_unreadable(error: &SecretError) {
    tracing::error!(error = %Chain(error), "There are no write keys, so every request is refused.");
}
