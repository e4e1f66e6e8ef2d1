//! Records published messages, requests without a message, and messages that the stand-in received directly.

use std::{collections::BTreeMap, sync::Arc};

use axum::http::Response;
use bytes::Bytes;
use platform::{
    queue::Entry,
    topic::{Publication, WRITE_KEY, for_regulations, for_segment, for_webhooks},
};
use serde_json::Value;
use webhook_delivery::{WEBHOOK, Webhook};

use super::{
    Arrival, DELETION, Destinations, Item, Journal, Mapping, QueueKind, SEGMENT, STAND_IN, State, Summary,
    restore,
};
use crate::stand_in;

/// The source of messages that name neither a provider nor a library.
const HTTP_API: &str = "HTTP API";

/// The reason of a deleted user without a destination.
const NOT_DELETED: &str = "not deleted anywhere: no webhook takes it, and SEGMENT_PUBLIC_API_TOKEN is not set \
                           (docs/deletion.md)";

impl Journal {
    /// Records messages just before the topic stores them. Returns their ids.
    pub fn published(&self, publications: &[Publication], arrival: Option<&Arc<Arrival>>) -> Vec<String> {
        let items: Vec<Item> = publications.iter().map(|one| self.item(one, arrival)).collect();
        let ids = items.iter().filter_map(|item| item.summary.message_id.clone()).collect();
        let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        self.write().numbers.received(self.now(), count);
        for item in items {
            let mut inner = self.write();
            match item.summary.message_id.as_ref().and_then(|id| inner.items.id_of_message(id)) {
                Some(known) => drop(inner.items.change(known, |known| known.received_again(&item))),
                None => {
                    let gone = inner.items.add(item);
                    drop(inner);
                    drop(gone);
                }
            }
        }
        ids
    }

    fn item(&self, publication: &Publication, arrival: Option<&Arc<Arrival>>) -> Item {
        let summary = Summary::of(&publication.body);
        let provider = arrival.and_then(|arrival| arrival.provider());
        let mut item = Item::new(self.now(), provider.or(summary.library.as_deref()).unwrap_or(HTTP_API));
        for destination in self.0.destinations.of_publication(publication, &summary) {
            item.delivery(&destination).queued();
        }
        if item.deliveries.is_empty() {
            let reason = match summary.message_type.as_deref() {
                Some("delete") => NOT_DELETED,
                _ => "no destination takes it",
            };
            item.ended = Some((State::Ignored, reason.to_owned()));
        }
        item.summary = summary;
        item.message = Some(publication.body.clone());
        item.write_key = publication.attributes.get(WRITE_KEY).cloned();
        item.arrivals.extend(arrival.cloned());
        item
    }

    /// Records that the topic could not store these messages.
    pub fn not_stored(&self, message_ids: &[String]) {
        let reason = "it could not be stored; the sender must send it again";
        self.change_each(message_ids, |item| {
            if item.times == 1 {
                item.deliveries.clear();
                item.ended = Some((State::Rejected, reason.to_owned()));
            }
        });
    }

    /// Records the answer to a request, the mapping of its messages, and the reason for each event without
    /// one.
    pub fn answered(
        &self,
        arrival: &Arc<Arrival>,
        response: &Response<Bytes>,
        mapping: Option<&identity::Mapping>,
    ) {
        arrival.answered(response);
        self.write().items.answered(arrival);
        if let Some(rejected) = response.extensions().get::<tracking_api::Rejected>() {
            let mut item = self.without_message(arrival, State::Rejected, rejected.reason.clone());
            item.times = rejected.count;
            self.add(item);
        } else if response.status().is_client_error() || response.status().is_server_error() {
            let answer: Value = serde_json::from_slice(response.body()).unwrap_or_default();
            let reason = answer["message"].as_str().unwrap_or("the request was refused").to_owned();
            self.add(self.without_message(arrival, State::Rejected, reason));
        }
        let Some(mapping) = mapping else { return };
        for mapped in &mapping.messages {
            let kind = mapped.event_type.to_string();
            let made = Mapping { rule: mapped.rule.to_string(), left_out: mapped.left_out.clone() };
            let mut inner = self.write();
            if let Some(id) = mapped.message.message_id().and_then(|id| inner.items.id_of_message(id)) {
                inner.items.change(id, |item| (item.kind, item.mapping) = (Some(kind), Some(made)));
            }
        }
        let mut ignored: BTreeMap<(Option<&str>, String), usize> = BTreeMap::new();
        for one in &mapping.ignored {
            *ignored.entry((one.event_type(), one.to_string())).or_default() += 1;
        }
        for ((kind, reason), times) in ignored {
            let mut item = self.without_message(arrival, State::Ignored, reason);
            (item.kind, item.times) = (kind.map(str::to_owned), times);
            self.add(item);
        }
    }

    pub(super) fn add(&self, item: Item) {
        let gone = self.write().items.add(item);
        drop(gone);
    }

    fn without_message(&self, arrival: &Arc<Arrival>, state: State, reason: String) -> Item {
        let mut item = Item::new(arrival.at, arrival.provider().unwrap_or(HTTP_API));
        item.ended = Some((state, reason));
        item.arrivals.push(arrival.clone());
        item
    }

    /// Records messages that the stand-in received, and sets their source. One that did not come from the
    /// queues is a new item.
    pub fn received_by_stand_in(&self, entries: &mut [stand_in::ReceivedMessage]) {
        if !self.is_on() {
            return;
        }
        let now = self.now();
        for entry in entries {
            let mut inner = self.write();
            let known = entry.message_id.as_ref().and_then(|id| inner.items.id_of_message(id));
            entry.source = known.and_then(|id| Some(inner.items.get(id)?.source.clone()));
            match (known, &entry.dropped) {
                (Some(id), Some(reason)) => {
                    let dropped = Some((State::Dropped, reason.clone()));
                    inner.items.change(id, |item| item.ended = dropped);
                }
                (Some(_), None) => {}
                (None, _) => {
                    inner.numbers.received(now, 1);
                    inner.numbers.delivered(now, None);
                    drop(inner);
                    let item = restore::received_item(entry, now, direct_source);
                    entry.source = Some(item.source.clone());
                    self.add(item);
                }
            }
        }
    }
}

/// Returns the source of a message that was sent to the stand-in directly. One that Segue made is a backfill's.
fn direct_source(summary: &Summary) -> String {
    match (summary.provider(), &summary.library) {
        (Some(provider), _) => format!("backfill {provider}"),
        (None, library) => library.clone().unwrap_or_else(|| "HTTP API".to_owned()),
    }
}

impl Destinations {
    /// Returns the display name of a destination.
    pub(super) fn label<'d>(&self, destination: &'d str) -> &'d str {
        if self.stand_in && destination == SEGMENT { STAND_IN } else { destination }
    }

    /// Returns the destinations of a new message.
    fn of_publication(&self, publication: &Publication, summary: &Summary) -> Vec<String> {
        let mut destinations = Vec::new();
        if for_segment(&publication.attributes) {
            destinations.push(SEGMENT.to_owned());
        }
        if self.regulations && for_regulations(&publication.attributes) {
            destinations.push(DELETION.to_owned());
        }
        if for_webhooks(&publication.attributes) {
            destinations.extend(self.webhooks_for(summary));
        }
        destinations
    }

    /// Returns the destinations of a queued message.
    pub fn of_entry(&self, kind: QueueKind, entry: &Entry, summary: &Summary) -> Vec<String> {
        match (kind, entry.attributes.get(WEBHOOK)) {
            (QueueKind::Segment, _) => vec![SEGMENT.to_owned()],
            (QueueKind::Deletion, _) => vec![DELETION.to_owned()],
            (QueueKind::Webhooks, Some(webhook)) => vec![webhook.clone()],
            (QueueKind::Webhooks, None) => self.webhooks_for(summary).collect(),
        }
    }

    fn webhooks_for(&self, summary: &Summary) -> impl Iterator<Item = String> {
        let message_type = summary.message_type.as_ref().and_then(|name| name.parse().ok());
        let wants =
            move |webhook: &&Webhook| message_type.is_some_and(|message_type| webhook.wants(message_type));
        self.webhooks.iter().filter(wants).map(|webhook| webhook.name.clone())
    }
}
