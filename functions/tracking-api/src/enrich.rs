//! Sets the fields that Segment sets on a message when it receives it.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use platform::encoding::random_id;
use segment::{
    Channel,
    timestamp::{self, TimeFault},
};
use serde_json::{Map, Value};

use crate::merge::BatchFields;

/// The longest time by which an event may be later than its sending, because a clock may be set in between.
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// The circumstances of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receipt {
    /// The time of receipt.
    pub received_at: Timestamp,
    /// The sender's address, if it is known.
    pub caller: Option<IpAddr>,
    /// Whether the request looks like one of a browser or an app. Only a page in a browser sends an `Origin`,
    /// only client libraries use calls of one letter, and servers put the write key into the head.
    pub from_client: bool,
}

impl Receipt {
    /// Sets the missing fields of a message that is already tidy. A null field counts as missing. Nothing
    /// else changes, except `timestamp`, which is corrected by the skew of the sender's clock, and
    /// `receivedAt`, which is the time of receipt. Returns why a time was replaced, if it was.
    pub fn enrich(&self, message: &mut Map<String, Value>, shared: &BatchFields) -> Option<TimeFault> {
        shared.apply(message);
        // Across all of its customers, Segment takes two messages with the same id as one.
        set_missing(message, "messageId", || format!("segue-{}", random_id()).into());
        let corrected = self.set_times(message, shared.sent_at.as_ref());
        set_missing(message, "version", || 1.into());
        let channel = Channel::of(message, self.from_client);
        set_missing(message, "channel", || channel.as_str().into());
        self.set_ip(message, channel);
        corrected
    }

    fn set_times(
        &self,
        message: &mut Map<String, Value>,
        batch_sent_at: Option<&Value>,
    ) -> Option<TimeFault> {
        let received_at = Value::String(timestamp::format(self.received_at));
        let sent_at = self.sent_at(message, batch_sent_at).cloned();
        message.insert("sentAt".to_owned(), sent_at.clone().unwrap_or_else(|| received_at.clone()));
        // The time of the event by the sender's clock. Without it, the event happened when it was sent. The
        // second field is used if the first cannot be read; somebody may have changed it.
        let own = ["originalTimestamp", "timestamp"].map(|field| present(message, field).cloned());
        let mut own = own.into_iter().flatten();
        let first = own.next().or_else(|| sent_at.clone());
        let second = own.next();
        let (time, corrected) = match first.as_ref() {
            None => (self.received_at, None),
            Some(first) => match (self.plausible_time(first, sent_at.as_ref()), second) {
                (Ok(time), _) => (time, None),
                (Err(fault), Some(second)) => self
                    .plausible_time(&second, None)
                    .map_or((self.received_at, Some(fault)), |time| (time, None)),
                (Err(fault), None) => (self.received_at, Some(fault)),
            },
        };
        set_missing(message, "originalTimestamp", || first.unwrap_or_else(|| received_at.clone()));
        message.insert("receivedAt".to_owned(), received_at);
        message.insert("timestamp".to_owned(), timestamp::format(time).into());
        corrected
    }

    /// Returns when a message was sent, by its sender's clock. Some libraries write the year 1 for no time.
    /// So an implausible time counts only if the time of the event is implausible too: then the clock is
    /// wrong, and the two show its skew.
    fn sent_at<'a>(&self, message: &'a Map<String, Value>, batch: Option<&'a Value>) -> Option<&'a Value> {
        let plausible = |value: &&Value| {
            timestamp::parse(value).is_some_and(|time| timestamp::plausible(time, self.received_at))
        };
        let given_times = || [present(message, "sentAt"), batch].into_iter().flatten();
        let of_event =
            ["originalTimestamp", "timestamp"].into_iter().filter_map(|field| present(message, field));
        let is_off = of_event.filter_map(read).next().is_some_and(|time| !plausible(&time));
        given_times().find(plausible).or_else(|| given_times().find_map(read).filter(|_| is_off))
    }

    /// Returns the time of the event by our clock, if it is plausible.
    fn plausible_time(&self, original: &Value, sent_at: Option<&Value>) -> Result<Timestamp, TimeFault> {
        let plausible = |time: &Timestamp| timestamp::plausible(*time, self.received_at);
        let time = timestamp::parse(original).ok_or(TimeFault::Unreadable)?;
        let sent = sent_at.and_then(timestamp::parse);
        // Beside a time with an offset, a time without one is local (Flutter's library sends such times), in
        // an unknown zone.
        let [is_local, sent_local] =
            [Some(original), sent_at].map(|value| value.is_some_and(timestamp::is_local));
        if is_local && !sent_local && sent.is_some_and(|sent| time.duration_since(sent) > MINUTE) {
            return Err(TimeFault::Implausible);
        }
        let sent = sent.filter(|_| is_local || !sent_local);
        let corrected = sent.and_then(|sent| self.without_skew(time, sent));
        corrected.into_iter().chain([time]).find(plausible).ok_or(TimeFault::Implausible)
    }

    /// Returns the time of the event by our clock: as long before the receipt as it was before the sending
    /// (Segment spec, "Timestamps in Segment"). Returns `None` for a time that ISO 8601 cannot write.
    fn without_skew(&self, original: Timestamp, sent_at: Timestamp) -> Option<Timestamp> {
        let age = sent_at.as_millisecond() - original.as_millisecond();
        timestamp::from_epoch_milliseconds(self.received_at.as_millisecond() - age)
    }

    /// Sets the sender's address as the user's, if a client sends or a library says so with `direct`.
    /// Otherwise the sender is a server.
    fn set_ip(&self, message: &mut Map<String, Value>, channel: Channel) {
        let Some(caller) = self.caller else { return };
        let context = message.get("context").and_then(Value::as_object);
        let is_direct = context.is_some_and(|context| context.get("direct") == Some(&Value::Bool(true)));
        if !(channel.is_client() || is_direct) {
            return;
        }
        set_missing(message, "context", || Value::Object(Map::new()));
        if let Some(Value::Object(context)) = message.get_mut("context") {
            if context.get("ip").and_then(Value::as_str).is_some_and(|ip| ip.trim().is_empty()) {
                context.shift_remove("ip");
            }
            set_missing(context, "ip", || caller.to_canonical().to_string().into());
        }
    }
}

/// Returns a value that is a time.
fn read(value: &Value) -> Option<&Value> {
    timestamp::parse(value).map(|_| value)
}

fn present<'a>(message: &'a Map<String, Value>, field: &str) -> Option<&'a Value> {
    message.get(field).filter(|value| !value.is_null())
}

fn set_missing(message: &mut Map<String, Value>, field: &str, value: impl FnOnce() -> Value) {
    if present(message, field).is_none() {
        message.insert(field.to_owned(), value());
    }
}

#[cfg(test)]
mod tests;
