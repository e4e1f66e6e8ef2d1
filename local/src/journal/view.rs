//! The JSON of an item for the page: a row of the list, and the details.

use std::{borrow::Cow, sync::Arc};

use identity::{Config, Mapped, Mapper};
use identity_webhook::Authentication;
use jiff::Timestamp;
use segment::{Client, Message, timestamp};
use serde_json::{Value, json};

use super::{
    Delivery, Destinations, Item, RecordedFailure, SEGMENT, arrival, item::Attempt, request::Parts,
    text::Reader,
};
use crate::console::redact;

/// The headers whose values are shown. Others may hold configured secrets.
const VISIBLE_HEADERS: &[&str] = &[
    "content-type",
    "user-agent",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
    "x-signature",
    "x-signature-previous",
];

/// The context that the details of an item need.
pub struct ViewContext {
    /// The client for Segment.
    pub client: Client,
    /// The settings of the identity webhook.
    pub config: Config,
    /// The identity secret, for the hash key.
    pub authentication: Arc<Authentication>,
}

/// Returns the row of the list.
pub(super) fn row(id: u64, item: &Item, destinations: &Destinations, reader: &mut Reader) -> Value {
    let summary = item.summary(reader);
    let kind = item.kind.as_deref().or_else(|| item.mapped().map(|mapped| &*mapped.kind));
    let destination = |delivery: &Delivery| {
        json!({
            "name": destinations.label(&delivery.destination),
            "state": delivery.state,
            "attempts": delivery.attempts,
            "due": time(delivery.due),
            "failure": delivery.failure.as_ref().map(|why| &why.code),
            "reason": delivery.failure.as_ref().map(|why| &why.reason),
        })
    };
    json!({
        "id": id,
        "at": timestamp::format(item.at),
        "source": item.source(&summary),
        "kind": truncated(kind),
        "type": summary.message_type,
        "user": truncated(summary.user.as_deref()),
        "event": truncated(summary.event.as_deref()),
        "messageId": item.message_id,
        "times": item.times,
        "state": item.state(),
        "reason": item.reason(),
        "destinations": item.deliveries.iter().map(destination).collect::<Vec<_>>(),
    })
}

/// The longest text in a row, in characters. The details have the whole text.
const MAX_CHARACTERS: usize = 300;

fn truncated(text: Option<&str>) -> Option<Cow<'_, str>> {
    let text = text?;
    match text.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => Some(format!("{}…", &text[..end]).into()),
        None => Some(text.into()),
    }
}

/// Returns the details of an item.
pub(super) fn details(id: u64, item: &Item, context: &ViewContext, destinations: &Destinations) -> Value {
    let mut reader = Reader::default();
    let mut delivery = |delivery: &Delivery| {
        json!({
            "destination": destinations.label(&delivery.destination),
            "state": delivery.state,
            "due": time(delivery.due),
            "request": request(item, delivery, &context.client, &mut reader),
            "attempts": delivery.log.iter().map(attempt).collect::<Vec<_>>(),
        })
    };
    let deliveries: Vec<Value> = item.deliveries.iter().map(&mut delivery).collect();
    json!({
        "row": row(id, item, destinations, &mut reader),
        "arrivals": item.arrivals.iter().map(|arrival| arrival.as_json(&mut reader, context.config.providers())).collect::<Vec<_>>(),
        "mapping": item.mapped().map(|mapped| mapping(item, mapped, context, &mut reader)),
        "message": item.message.as_ref().map(|message| message.read(&mut reader)),
        "writeKey": item.write_key,
        "deliveries": deliveries,
    })
}

fn mapping(item: &Item, mapped: &arrival::Mapped, context: &ViewContext, reader: &mut Reader) -> Value {
    json!({
        "rule": mapped.rule.to_string(),
        "hidden": hidden(item, mapped, context, reader),
        "leftOut": mapped.left_out,
    })
}

/// Returns the fields that the mapping dropped, hashed or masked. Explaining is slow, so the body is mapped
/// again here instead of at receipt.
fn hidden(item: &Item, mapped: &arrival::Mapped, context: &ViewContext, reader: &mut Reader) -> Vec<String> {
    let mapper = Mapper::new(&context.config, context.authentication.hash_key(), item.at);
    let explained = item.arrivals.first().and_then(|arrival| {
        let body = arrival.body(reader);
        let provider = context.config.providers().named(arrival.provider()?);
        let body = provider.and_then(|provider| provider.read(&body)).ok()?;
        mapper.explain(body.events().ok()?).ok()
    });
    let messages = explained.map_or_else(Vec::new, |explained| explained.messages);
    let same_id = |one: &&Mapped| one.message.message_id() == item.message_id.as_deref();
    // A login gets a different id each time.
    let same_rule = |one: &&Mapped| one.rule == mapped.rule;
    let same = messages.iter().find(same_id).or_else(|| messages.iter().find(same_rule));
    same.map_or_else(Vec::new, |same| same.hidden.clone())
}

fn attempt(attempt: &Attempt) -> Value {
    let why = |part: fn(&RecordedFailure) -> &String| attempt.failure.as_ref().map(part);
    json!({
        "at": timestamp::format(attempt.at),
        "milliseconds": attempt.milliseconds,
        "status": attempt.status,
        "failure": why(|why| &why.code),
        "reason": why(|why| &why.reason).or(attempt.note.as_ref()),
    })
}

/// Returns the last request.
fn request(item: &Item, delivery: &Delivery, client: &Client, reader: &mut Reader) -> Value {
    if let Some(request) = &delivery.request {
        let request = request.read(reader);
        let Parts { url, headers, body } = Parts::of(&request);
        let shown = |(name, value)| [name, if VISIBLE_HEADERS.contains(&name) { value } else { "***" }];
        let headers: Vec<[&str; 2]> = headers.into_iter().map(shown).collect();
        return json!({"method": "POST", "url": redact::url(url), "headers": headers, "body": body});
    }
    let (Some(message), Some(last)) = (&item.message, delivery.log.last()) else { return Value::Null };
    if delivery.destination != SEGMENT {
        return Value::Null;
    }
    // It was sent in a batch with others. Each row shows its own message.
    let Ok(message) = Message::from_json(message.read(reader).as_bytes()) else { return Value::Null };
    let Some((url, body)) = client.batch_of(&message, last.at) else { return Value::Null };
    let headers = [["content-type", "application/json"], ["authorization", "***"]];
    json!({"method": "POST", "url": url, "headers": headers, "body": body})
}

fn time(time: Option<Timestamp>) -> Value {
    time.map_or(Value::Null, |time| timestamp::format(time).into())
}
