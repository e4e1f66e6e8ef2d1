//! Redrives and purges dead letters.

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

/// The most messages described in an answer. The others are only counted.
const MAX_DESCRIBED: usize = 10_000;

/// Selects dead letters. An empty filter selects all.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DeadLetterFilter {
    /// Dead letters with these keys, see [`key`].
    pub keys: Option<Vec<String>>,
    /// Dead letters of this queue.
    pub queue: Option<String>,
    /// Dead letters for this webhook.
    pub webhook: Option<String>,
    /// Dead letters of this time or later, in the format of the queues.
    pub since: Option<String>,
    /// Dead letters of this message type.
    #[serde(rename = "type")]
    pub message_type: Option<String>,
    /// Dead letters with this failure.
    pub failure: Option<String>,
    /// Reports the selection and moves nothing.
    pub dry_run: bool,
}

/// Returns the key of a dead letter.
pub fn key(queue: &str, letter: &DeadLetter) -> String {
    format!("{queue}/{}", letter.id)
}

/// Returns the message, or the messages of a batch.
pub fn messages(body: &str) -> Vec<Value> {
    match json::parse_items(body.as_bytes(), &[], usize::MAX) {
        Ok((Value::Array(messages), _)) => messages,
        Ok((message, _)) => vec![message],
        Err(_) => Vec::new(),
    }
}

impl DeadLetterFilter {
    /// Returns whether the filter has any condition.
    pub fn is_set(&self) -> bool {
        let others = [&self.queue, &self.webhook, &self.since, &self.message_type, &self.failure];
        self.keys.is_some() || others.iter().any(|other| other.is_some())
    }

    /// Takes the selected messages out of the dead-letter queues in this `way`, and describes them.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed. Some messages may have moved; a repeated call is safe.
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

    /// Returns the letters to read in a queue. Keys avoid reading all of them.
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
        // All times have the same format, so they compare as texts.
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
    /// Descriptions of the first messages.
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
