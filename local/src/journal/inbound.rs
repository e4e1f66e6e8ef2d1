//! Records published messages, requests without a message, and messages that the stand-in received directly.

use std::{collections::BTreeMap, sync::Arc};

use axum::http::{Request, Response};
use bytes::Bytes;
use jiff::Timestamp;
use platform::{
    queue::Entry,
    topic::{
        MESSAGE_TYPE, Publication, WRITE_KEY, for_regulations, for_segment, for_warehouse, for_webhooks,
    },
};
use segment::MessageType;
use serde_json::Value;
use webhook_delivery::{WEBHOOK, Webhook};

use super::{
    Arrival, DELETION, Destinations, Event, Item, Journal, QueueKind, SEGMENT, STAND_IN, Source, State,
    Summary, WAREHOUSE,
    inbox::{Ended, Published},
    message_ids, restore,
    retained::RetainedItems,
    text::{Reader, Text},
};
use crate::stand_in;

/// The source of messages that name neither a provider nor a library.
const HTTP_API: &str = "HTTP API";

/// The reason of a deleted user without a destination.
const NOT_DELETED: &str = "not deleted anywhere: no webhook takes it, there is no --warehouse, and SEGMENT_PUBLIC_API_TOKEN is not set \
                           (docs/deletion.md)";

impl Journal {
    /// Records a request received now.
    pub fn arrival(&self, request: &Request<Bytes>) -> Arc<Arrival> {
        Arc::new(Arrival::new(request, self.now(), &self.0.texts))
    }

    /// Records messages just before the topic stores them. Returns their texts.
    pub fn published(&self, publications: &[Publication], arrival: Option<&Arc<Arrival>>) -> Vec<Text> {
        let texts: Vec<Text> = publications.iter().map(|one| self.0.texts.keep(one.body.clone())).collect();
        let message = |(Publication { attributes, .. }, text): (&Publication, &Text)| Published {
            text: text.clone(),
            message_type: attributes.get(MESSAGE_TYPE).and_then(|name| name.parse().ok()),
            write_key: attributes.get(WRITE_KEY).cloned(),
            wanted: [
                for_segment(attributes),
                for_webhooks(attributes),
                for_warehouse(attributes),
                for_regulations(attributes),
            ],
        };
        let messages = publications.iter().zip(&texts).map(message).collect();
        self.record(Event::Published { at: self.now(), arrival: arrival.cloned(), messages });
        texts
    }

    /// Records that the topic could not store messages.
    pub fn not_stored(&self, messages: Vec<Text>) {
        self.record(Event::NotStored(messages));
    }

    /// Records the answer to a request, the mapping of its messages, and the reason for each event without
    /// one.
    pub fn answered(
        &self,
        arrival: &Arc<Arrival>,
        response: &Response<Bytes>,
        mapping: Option<&identity::Mapping>,
    ) {
        arrival.answered(response, mapping, &self.0.texts);
        let ended = |state, reason, kind, times| {
            let arrival = arrival.clone();
            self.record(Event::Ended(Ended { arrival, kind, state, reason, times }));
        };
        if let Some(rejected) = response.extensions().get::<tracking_api::Rejected>() {
            ended(State::Rejected, rejected.reason.clone(), None, rejected.count);
        } else if response.status().is_client_error() || response.status().is_server_error() {
            let answer: Value = serde_json::from_slice(response.body()).unwrap_or_default();
            let reason = answer["message"].as_str().unwrap_or("the request was refused").to_owned();
            ended(State::Rejected, reason, None, 1);
        }
        let mut ignored: BTreeMap<(Option<&str>, String), usize> = BTreeMap::new();
        for one in mapping.iter().flat_map(|mapping| &mapping.ignored) {
            *ignored.entry((one.event_type(), one.to_string())).or_default() += 1;
        }
        for ((kind, reason), times) in ignored {
            ended(State::Ignored, reason, kind.map(str::to_owned), times);
        }
        // A row shows the event's type, which is known only now.
        if self.is_followed() && !arrival.mapped().is_empty() {
            self.record(Event::Answered(arrival.clone()));
        }
    }

    /// Records messages that the stand-in received, and sets their source. One that did not come from the
    /// queues is a new item.
    pub fn received_by_stand_in(&self, entries: &mut [stand_in::ReceivedMessage]) {
        if !self.is_on() {
            return;
        }
        let now = self.now();
        let mut items = self.items();
        let mut reader = Reader::default();
        for entry in entries {
            let known = entry.message_id.as_ref().and_then(|id| items.id_of_message(id));
            match (known, &entry.dropped) {
                (Some(id), Some(reason)) => {
                    let dropped = Some((State::Dropped, reason.clone()));
                    items.change(id, |item| item.ended = dropped);
                }
                (Some(_), None) => {}
                (None, _) => {
                    let item = restore::received_item(entry, now, direct_source, &self.0.texts);
                    entry.source = Some(item.source(&item.summary(&mut reader)));
                    let mut inbox = self.inbox();
                    inbox.numbers.received(now, 1);
                    inbox.numbers.delivered(now, None);
                    drop(inbox);
                    items.add(item);
                }
            }
            if let Some(item) = known.and_then(|id| items.get(id)) {
                entry.source = Some(item.source(&item.summary(&mut reader)));
            }
        }
        drop(items);
        self.notify();
    }
}

impl Item {
    /// Records that its message could not be stored.
    pub fn not_stored(&mut self) {
        if self.times == 1 {
            self.deliveries.clear();
            let reason = "it could not be stored; the sender must send it again";
            self.ended = Some((State::Rejected, reason.to_owned()));
        }
    }
}

impl From<Ended> for Item {
    fn from(Ended { arrival, kind, state, reason, times }: Ended) -> Self {
        let source = Source::Named(arrival.provider().unwrap_or(HTTP_API).to_owned());
        let mut item = Self::new(arrival.at, source);
        (item.kind, item.times, item.ended) = (kind, times, Some((state, reason)));
        item.arrivals.push(arrival);
        item
    }
}

/// Returns the source of a message that was sent to the stand-in directly. One that Segue made is a backfill's.
fn direct_source(summary: &Summary) -> String {
    summary.provider().map_or_else(|| sender(summary), |provider| format!("backfill {provider}"))
}

/// Returns the library that sent a message.
fn sender(summary: &Summary) -> String {
    summary.library.clone().unwrap_or_else(|| HTTP_API.to_owned())
}

impl Destinations {
    /// Returns the display name of a destination.
    pub(super) fn label<'d>(&self, destination: &'d str) -> &'d str {
        if self.stand_in && destination == SEGMENT { STAND_IN } else { destination }
    }

    /// Adds a message that is about to be stored.
    pub(super) fn published(
        &self,
        items: &mut RetainedItems,
        at: Timestamp,
        arrival: Option<&Arc<Arrival>>,
        message: Published,
        reader: &mut Reader,
    ) {
        let source = arrival
            .and_then(|arrival| arrival.provider())
            .map_or(Source::OfMessage(sender), |provider| Source::Named(provider.to_owned()));
        let mut item = Item::new(at, source);
        let [segment, webhooks, warehouse, regulations] = message.wanted;
        if segment {
            item.delivery(SEGMENT).queued();
        }
        if self.warehouse && warehouse {
            item.delivery(WAREHOUSE).queued();
        }
        if self.regulations && regulations {
            item.delivery(DELETION).queued();
        }
        if webhooks {
            self.webhooks_for(message.message_type).for_each(|name| item.delivery(name).queued());
        }
        if item.deliveries.is_empty() {
            let reason = match message.message_type {
                Some(MessageType::Delete) => NOT_DELETED,
                _ => "no destination takes it",
            };
            item.ended = Some((State::Ignored, reason.to_owned()));
        }
        item.message_id = message_ids(&message.text.read(reader)).pop();
        (item.message, item.write_key) = (Some(message.text), message.write_key);
        item.arrivals.extend(arrival.cloned());
        match item.message_id.as_ref().and_then(|id| items.id_of_message(id)) {
            Some(known) => drop(items.change(known, |known| known.received_again(&item))),
            None => items.add(item),
        }
    }

    /// Returns the destinations of a queued message.
    pub fn of_entry(&self, kind: QueueKind, entry: &Entry, message_type: Option<MessageType>) -> Vec<String> {
        match (kind, entry.attributes.get(WEBHOOK)) {
            (QueueKind::Segment, _) => vec![SEGMENT.to_owned()],
            (QueueKind::Warehouse, _) => vec![WAREHOUSE.to_owned()],
            (QueueKind::Deletion, _) => vec![DELETION.to_owned()],
            (QueueKind::Webhooks, Some(webhook)) => vec![webhook.clone()],
            (QueueKind::Webhooks, None) => self.webhooks_for(message_type).map(str::to_owned).collect(),
        }
    }

    fn webhooks_for(&self, message_type: Option<MessageType>) -> impl Iterator<Item = &str> {
        let wants =
            move |webhook: &&Webhook| message_type.is_some_and(|message_type| webhook.wants(message_type));
        self.webhooks.iter().filter(wants).map(|webhook| &*webhook.name)
    }
}
