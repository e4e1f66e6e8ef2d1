//! What comes in: messages for the topic, requests that made none, and what reached the stand-in by another way.

use std::{collections::BTreeMap, sync::Arc};

use axum::http::Response;
use jiff::Timestamp;
use platform::{
    queue::Entry,
    topic::{Publication, WRITE_KEY, for_regulations, for_segment, for_webhooks},
};
use serde_json::Value;
use webhook_delivery::{WEBHOOK, Webhook};

use super::{
    Arrival, DELETION, Destinations, Head, Item, Journal, Mapping, SEGMENT, State, Toward, kept::Kept, seed,
};
use crate::stand_in;

/// The source of what neither a provider nor a library names itself for.
const HTTP_API: &str = "HTTP API";

impl Journal {
    /// Messages are about to be stored in the topic. Returns their ids.
    pub fn published(&self, publications: &[Publication], arrival: Option<&Arc<Arrival>>) -> Vec<String> {
        let now = self.0.clock.now();
        let heads: Vec<Head> = publications.iter().map(|publication| Head::of(&publication.body)).collect();
        let ids = heads.iter().filter_map(|head| head.message_id.clone()).collect();
        let mut inner = self.write();
        inner.numbers.received(now, u32::try_from(publications.len()).unwrap_or(u32::MAX));
        for (publication, head) in publications.iter().zip(heads) {
            self.publish(&mut inner.kept, now, publication, head, arrival);
        }
        ids
    }

    fn publish(
        &self,
        kept: &mut Kept,
        now: Timestamp,
        publication: &Publication,
        head: Head,
        arrival: Option<&Arc<Arrival>>,
    ) {
        let queued = |item: &mut Item| {
            for destination in self.0.destinations.of(publication, &item.head) {
                item.delivery(&destination).queued();
            }
            if item.deliveries.is_empty() {
                item.ended = Some((State::Ignored, "no destination wants it".to_owned()));
            }
        };
        if let Some(known) = head.message_id.as_ref().and_then(|id| kept.of_message(id)) {
            let arrival = arrival.cloned();
            kept.change(known, |item| {
                item.came_again(arrival);
                item.ended = None;
                queued(item);
            });
            return;
        }
        let provider = arrival.and_then(|arrival| arrival.provider()).map(str::to_owned);
        let source = provider.or_else(|| head.library.clone());
        let mut item = Item::new(now, source.as_deref().unwrap_or(HTTP_API));
        item.head = head;
        item.message = Some(publication.body.clone());
        item.write_key = publication.attributes.get(WRITE_KEY).cloned();
        item.arrivals.extend(arrival.cloned());
        queued(&mut item);
        kept.add(item, arrival.map_or(0, |arrival| arrival.brought_another()));
    }

    /// These messages were not stored after all.
    pub fn not_stored(&self, message_ids: &[String]) {
        let reason = "it could not be stored; the sender was told to send it again";
        self.each(message_ids, |item| {
            if item.times == 1 {
                item.deliveries.clear();
                item.ended = Some((State::Rejected, reason.to_owned()));
            }
        });
    }

    /// A request was answered: what its messages were made by, and why there are none of the rest.
    pub fn answered(&self, arrival: &Arc<Arrival>, response: &Response<String>) {
        arrival.answered(response);
        let mut inner = self.write();
        if response.status().is_client_error() || response.status().is_server_error() {
            let answer: Value = serde_json::from_str(response.body()).unwrap_or_default();
            let reason = answer["message"].as_str().unwrap_or("the request was refused").to_owned();
            let mut item = self.without_message(arrival, State::Rejected, reason);
            item.times = answer["invalid"].as_array().map_or(1, Vec::len);
            inner.kept.add(item, arrival.brought_another());
        }
        let Some(mapping) = response.extensions().get::<identity_webhook::Mapping>() else { return };
        for mapped in &mapping.messages {
            let Some(id) = mapped.message.message_id().and_then(|id| inner.kept.of_message(id)) else {
                continue;
            };
            inner.kept.change(id, |item| {
                item.kind = Some(mapped.event_type.to_string());
                item.mapping =
                    Some(Mapping { rule: mapped.rule.to_string(), left_out: mapped.left_out.clone() });
            });
        }
        let mut ignored: BTreeMap<(Option<&str>, String), usize> = BTreeMap::new();
        for one in &mapping.ignored {
            *ignored.entry((one.event_type(), one.to_string())).or_default() += 1;
        }
        for ((kind, reason), times) in ignored {
            let mut item = self.without_message(arrival, State::Ignored, reason);
            (item.kind, item.times) = (kind.map(str::to_owned), times);
            inner.kept.add(item, arrival.brought_another());
        }
    }

    fn without_message(&self, arrival: &Arc<Arrival>, state: State, reason: String) -> Item {
        let mut item = Item::new(arrival.at, arrival.provider().unwrap_or(HTTP_API));
        item.ended = Some((state, reason));
        item.arrivals.push(arrival.clone());
        item
    }

    /// The stand-in received these. Those that came from elsewhere than our own queues are news.
    pub fn received_by_stand_in(&self, entries: &[stand_in::Entry]) {
        if !self.is_on() {
            return;
        }
        let now = self.0.clock.now();
        let mut inner = self.write();
        for entry in entries {
            let known = entry.message_id.as_ref().and_then(|id| inner.kept.of_message(id));
            if let Some(id) = known {
                if let Some(reason) = &entry.dropped {
                    inner.kept.change(id, |item| item.ended = Some((State::Dropped, reason.clone())));
                }
                continue;
            }
            inner.numbers.received(now, 1);
            inner.numbers.delivered(now, None);
            inner.kept.add(seed::received(entry, now), 0);
        }
    }
}

impl Destinations {
    /// Where a message goes.
    fn of(&self, publication: &Publication, head: &Head) -> Vec<String> {
        let mut destinations = Vec::new();
        if for_segment(&publication.attributes) {
            destinations.push(SEGMENT.to_owned());
        }
        if self.regulations && for_regulations(&publication.attributes) {
            destinations.push(DELETION.to_owned());
        }
        if for_webhooks(&publication.attributes) {
            destinations.extend(self.webhooks_for(head));
        }
        destinations
    }

    /// Where a message goes that is in a queue.
    pub fn behind(&self, queue: Toward, entry: &Entry, head: &Head) -> Vec<String> {
        match (queue, entry.attributes.get(WEBHOOK)) {
            (Toward::Segment, _) => vec![SEGMENT.to_owned()],
            (Toward::Deletion, _) => vec![DELETION.to_owned()],
            (Toward::Webhooks, Some(webhook)) => vec![webhook.clone()],
            (Toward::Webhooks, None) => self.webhooks_for(head).collect(),
        }
    }

    fn webhooks_for(&self, head: &Head) -> impl Iterator<Item = String> {
        let message_type = head.message_type.as_ref().and_then(|name| name.parse().ok());
        let wants =
            move |webhook: &&Webhook| message_type.is_some_and(|message_type| webhook.wants(message_type));
        self.webhooks.iter().filter(wants).map(|webhook| webhook.name.clone())
    }
}
