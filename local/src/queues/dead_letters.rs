//! Which messages leave the dead-letter queues: back to be delivered again, or for good.

use platform::{
    delivery_state::{FAILED_AT, FAILURE},
    sqlite::{DeadLetter, Removal, Selection, StoreError},
};
use segment::json;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use webhook_delivery::WEBHOOK;

use super::Queues;
use crate::journal::Journal;

/// The most messages that an answer describes. It counts the others.
const MAX_DESCRIBED: usize = 10_000;

/// A choice of messages; nothing chosen is all of them.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DeadLetterFilter {
    /// Those with these keys, as [`key`] makes them.
    pub keys: Option<Vec<String>>,
    /// Those of the queue of this name.
    pub queue: Option<String>,
    /// Those for the webhook of this name.
    pub webhook: Option<String>,
    /// Those that came there at this time or later, in the form that the queues write.
    pub since: Option<String>,
    /// Those of this type.
    #[serde(rename = "type")]
    pub message_type: Option<String>,
    /// Those with this failure.
    pub failure: Option<String>,
    /// Leaves everything where it is, and only says what is chosen.
    pub dry_run: bool,
}

/// What names a message in a dead-letter queue.
pub fn key(queue: &str, letter: &DeadLetter) -> String {
    format!("{queue}/{}", letter.id)
}

/// The message, or the messages of a batch.
pub fn messages(body: &str) -> Vec<Value> {
    match json::parse_items(body.as_bytes(), &[], usize::MAX) {
        Ok((Value::Array(messages), _)) => messages,
        Ok((message, _)) => vec![message],
        Err(_) => Vec::new(),
    }
}

impl DeadLetterFilter {
    /// Whether anything is chosen.
    pub fn is_set(&self) -> bool {
        let others = [&self.queue, &self.webhook, &self.since, &self.message_type, &self.failure];
        self.keys.is_some() || others.iter().any(|other| other.is_some())
    }

    /// Takes what is chosen out of the dead-letter queues in this `way`, and says what that is.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed. Some may be out by then; asking again is safe.
    pub async fn take_out(
        &self,
        queues: &Queues,
        journal: Option<&Journal>,
        way: Removal,
    ) -> Result<Value, StoreError> {
        let mut removed = Removed::default();
        for named in queues.all() {
            let (letters, predicate) = (self.letters(named.name), self.predicate(named.name));
            let each = |letters: Vec<DeadLetter>| {
                if let Some(journal) = journal.filter(|_| !self.dry_run) {
                    journal.left_dead_letters(named.kind, &letters, way == Removal::Purge);
                }
                let room = MAX_DESCRIBED - removed.described.len();
                removed
                    .described
                    .extend(letters.iter().take(room).map(|letter| describe(named.name, letter)));
            };
            let way = Some(way).filter(|_| !self.dry_run);
            removed.count += named.queue.take_out(letters, way, predicate, each).await?;
        }
        let done = if way == Removal::Redrive { "redriven" } else { "purged" };
        Ok(removed.answer(done, self.dry_run))
    }

    /// Where to look in the queue of that name: those with keys are found without reading the others.
    fn letters(&self, queue: &str) -> Selection {
        let id = |key: &String| key.strip_prefix(queue)?.strip_prefix('/')?.parse().ok();
        self.keys.as_ref().map_or(Selection::All, |keys| Selection::Ids(keys.iter().filter_map(id).collect()))
    }

    fn predicate(&self, queue: &'static str) -> impl Fn(&DeadLetter) -> bool + Clone + Send + 'static {
        let filter = self.clone();
        move |letter| filter.matches(queue, letter)
    }

    fn matches(&self, queue: &str, letter: &DeadLetter) -> bool {
        let is = |name: &str, wanted: &Option<String>| {
            wanted.as_ref().is_none_or(|wanted| letter.attributes.get(name) == Some(wanted))
        };
        // All of these times have the same form, so they compare as texts.
        let since = self.since.as_ref().is_none_or(|since| letter.attributes.get(FAILED_AT) >= Some(since));
        let of_queue = self.queue.as_ref().is_none_or(|wanted| wanted == queue);
        let of_type = || {
            let wanted = self.message_type.as_ref();
            wanted
                .is_none_or(|wanted| messages(&letter.body).iter().any(|message| message["type"] == **wanted))
        };
        of_queue && since && is(WEBHOOK, &self.webhook) && is(FAILURE, &self.failure) && of_type()
    }
}

/// The messages that were taken out.
#[derive(Default)]
struct Removed {
    count: usize,
    /// The first of them.
    described: Vec<Value>,
}

impl Removed {
    fn answer(self, done: &str, dry_run: bool) -> Value {
        let not_listed = self.count - self.described.len();
        let count = if dry_run { 0 } else { self.count };
        let mut answer = json!({done: count, "dryRun": dry_run, "messages": self.described});
        if not_listed > 0 {
            answer["notListed"] = not_listed.into();
        }
        answer
    }
}

fn describe(queue: &str, letter: &DeadLetter) -> Value {
    let messages = messages(&letter.body);
    let ids: Vec<&Value> = messages.iter().map(|message| &message["messageId"]).collect();
    json!({
        "queue": queue,
        "webhook": letter.attributes.get(WEBHOOK),
        "messageIds": ids,
        "failure": letter.attributes.get(FAILURE),
        "failedAt": letter.attributes.get(FAILED_AT),
    })
}
