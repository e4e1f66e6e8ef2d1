//! Restores the journal from the store after a restart.

use std::collections::HashMap;

use jiff::Timestamp;
use platform::{
    delivery_state::{ATTEMPTS, FAILED_AT},
    queue::{Entry, TargetQueue},
    sqlite::{DeadLetter, SqliteQueue, StoreError, Waiting},
    topic::{MESSAGE_TYPE, WRITE_KEY},
};
use segment::timestamp;
use serde_json::Value;

use super::{Item, Journal, MAX_ITEMS, QueueKind, SEGMENT, Source, State, Summary, message_ids, text::Texts};
use crate::stand_in;

/// The source of restored messages that name neither a provider nor a library.
const UNKNOWN_SOURCE: &str = "before the restart";

/// Makes an item of a message that the stand-in received. `source` names the source of a message that has none.
pub fn received_item(
    entry: &stand_in::ReceivedMessage,
    at: Timestamp,
    source: fn(&Summary) -> String,
    texts: &Texts,
) -> Item {
    let mut item = Item::new(at, entry.source.clone().map_or(Source::OfMessage(source), Source::Named));
    item.message_id = message_ids(&entry.message).pop();
    item.message = Some(texts.keep(entry.message.clone()));
    item.delivery(SEGMENT).state = State::Delivered;
    item.ended = entry.dropped.clone().map(|reason| (State::Dropped, reason));
    item
}

impl Journal {
    /// Fills the empty journal with the messages of the stand-in, the queues and the dead-letter queues.
    pub async fn restore(
        &self,
        received: Vec<stand_in::ReceivedMessage>,
        queues: &[(QueueKind, SqliteQueue)],
    ) -> Result<(), StoreError> {
        let (now, most) = (self.0.clock.now(), u32::try_from(MAX_ITEMS).unwrap_or(u32::MAX));
        let mut restored = RestoredItems::default();
        for entry in &received {
            restored.add(received_item(entry, parse(&entry.received_at), source, &self.0.texts));
        }
        // Half of the items are for dead letters, which need somebody. At least half are for what waits.
        restored.most = restored.items.len() + MAX_ITEMS / 2;
        for (kind, queue) in queues {
            let (journal, kind) = (self.clone(), *kind);
            let add = move |restored: &mut RestoredItems, DeadLetter { body, attributes, .. }| {
                let at = attributes.get(FAILED_AT).map_or(now, |text| parse(text));
                let entry = Entry { body, attributes, target: TargetQueue::DeadLetter };
                journal.add_entry(restored, kind, &entry, at);
            };
            restored = queue.fold_dead_letters(most, restored, add).await?;
        }
        restored.most = (restored.items.len() + MAX_ITEMS / 2).max(MAX_ITEMS);
        for (kind, queue) in queues {
            let (journal, kind) = (self.clone(), *kind);
            let add = move |restored: &mut RestoredItems, waiting| {
                let Waiting { body, attributes, sent_at, due } = waiting;
                let target = TargetQueue::Source(due.duration_since(now).try_into().unwrap_or_default());
                journal.add_entry(restored, kind, &Entry { body, attributes, target }, sent_at);
            };
            restored = queue.fold_waiting(most, restored, add).await?;
        }
        let mut items = restored.items;
        items.sort_by_key(|item| item.at);
        let mut retained = self.items();
        items.into_iter().for_each(|item| retained.add(item));
        Ok(())
    }

    /// Adds the messages of a queue entry.
    fn add_entry(&self, restored: &mut RestoredItems, kind: QueueKind, entry: &Entry, at: Timestamp) {
        let messages = message_ids(&entry.body);
        for message_id in &messages {
            let known = restored.by_message.get(message_id).copied();
            if known.is_none() && restored.items.len() >= restored.most {
                continue;
            }
            let index = known.unwrap_or_else(|| {
                let mut item = Item::new(at, Source::OfMessage(source));
                item.message_id = Some(message_id.clone());
                // A batch is not split into its messages.
                if messages.len() == 1 {
                    item.message = Some(self.0.texts.keep(entry.body.clone()));
                    item.write_key = entry.attributes.get(WRITE_KEY).cloned();
                }
                restored.add(item)
            });
            let item = &mut restored.items[index];
            let message_type = entry.attributes.get(MESSAGE_TYPE).cloned();
            let message_type = message_type.or_else(|| Summary::of(&entry.body).message_type);
            let message_type = message_type.and_then(|name| name.parse().ok());
            for destination in self.0.destinations.of_entry(kind, entry, message_type) {
                let delivery = item.delivery(&destination);
                if entry.target == TargetQueue::DeadLetter || entry.attributes.contains_key(ATTEMPTS) {
                    delivery.moved(&entry.attributes, entry.target, self.0.clock.now());
                } else {
                    delivery.queued();
                }
            }
        }
    }
}

/// The items restored so far.
#[derive(Default)]
struct RestoredItems {
    items: Vec<Item>,
    by_message: HashMap<String, usize>,
    /// The most items. With that many, messages only add to the items that are there.
    most: usize,
}

impl RestoredItems {
    fn add(&mut self, item: Item) -> usize {
        let index = self.items.len();
        self.by_message.extend(item.message_id.clone().map(|id| (id, index)));
        self.items.push(item);
        index
    }
}

/// Returns the source of a message that the store knows without its request.
fn source(summary: &Summary) -> String {
    let named = summary.provider().or(summary.library.as_deref());
    named.unwrap_or(UNKNOWN_SOURCE).to_owned()
}

fn parse(text: &str) -> Timestamp {
    timestamp::parse(&Value::String(text.to_owned())).unwrap_or_default()
}
