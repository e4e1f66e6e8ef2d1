//! What Segment sets on a message when it receives it.

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
};

use jiff::Timestamp;
use segment::timestamp;
use serde_json::{Map, Value};

use crate::merge::Shared;

/// The libraries whose messages come from an app.
const MOBILE: [&str; 7] = [
    "@segment/analytics-react-native",
    "analytics-android",
    "analytics-flutter",
    "analytics-ios",
    "analytics-kotlin",
    "analytics-react-native",
    "analytics-swift",
];

/// The circumstances under which a request was received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receipt {
    /// When.
    pub received_at: Timestamp,
    /// From which address, if that is known.
    pub caller: Option<IpAddr>,
    /// Whether a page in a browser sent it: only that has an `Origin` header.
    pub has_origin: bool,
}

impl Receipt {
    /// Sets what a message lacks. A field that is null lacks its value; nothing else is changed, apart from
    /// `timestamp`, from which the skew of the sender's clock is taken out, and `receivedAt`, which is ours.
    pub fn enrich(&self, message: &mut Map<String, Value>, shared: &Shared) {
        shared.apply(message);
        set_missing(message, "messageId", random_id);
        self.set_times(message, shared.sent_at.as_ref());
        set_missing(message, "version", || 1.into());
        let channel = self.channel(message);
        set_missing(message, "channel", || channel.into());
        self.set_ip(message);
    }

    fn set_times(&self, message: &mut Map<String, Value>, batch_sent_at: Option<&Value>) {
        let received_at = || Value::String(timestamp::format(self.received_at));
        set_missing(message, "sentAt", || batch_sent_at.cloned().unwrap_or_else(received_at));
        // The time of the event by the sender's clock. Without one it happened when it was sent. What is no time
        // stays where it came, and the check refuses it with its name.
        let by_sender = ["originalTimestamp", "timestamp", "sentAt"];
        if let Some(original) = by_sender.into_iter().find_map(|field| given(message, field)).cloned()
            && timestamp::parse(&original).is_some()
        {
            set_missing(message, "originalTimestamp", || original);
        }
        message.insert("receivedAt".to_owned(), received_at());
        let time = |field| given(message, field).map(timestamp::parse);
        if let (Some(Some(original)), Some(Some(sent_at)), None | Some(Some(_))) =
            (time("originalTimestamp"), time("sentAt"), time("timestamp"))
        {
            let corrected = timestamp::format(self.without_skew(original, sent_at));
            message.insert("timestamp".to_owned(), corrected.into());
        }
    }

    /// The time of the event by our clock (Segment spec, "Timestamps in Segment"): as long before the receipt
    /// as it was before the sending. A result that ISO 8601 cannot write means a clock that is of no use.
    fn without_skew(&self, original: Timestamp, sent_at: Timestamp) -> Timestamp {
        let age = sent_at.as_millisecond() - original.as_millisecond();
        timestamp::from_epoch_milliseconds(self.received_at.as_millisecond() - age).unwrap_or(original)
    }

    fn channel(&self, message: &Map<String, Value>) -> &'static str {
        let library =
            message.get("context").and_then(|context| context.get("library")?.get("name")?.as_str());
        match library {
            Some(name) if MOBILE.contains(&name) => "mobile",
            Some("analytics.js") => "browser",
            _ if self.has_origin => "browser",
            _ => "server",
        }
    }

    /// A library that runs at the user's says so with `direct`: the caller's address is then the user's, and
    /// otherwise that of somebody's server.
    fn set_ip(&self, message: &mut Map<String, Value>) {
        let Some(Value::Object(context)) = message.get_mut("context") else { return };
        if let Some(caller) = self.caller
            && context.get("direct") == Some(&Value::Bool(true))
            && !context.contains_key("ip")
        {
            context.insert("ip".to_owned(), caller.to_canonical().to_string().into());
        }
    }
}

fn given<'a>(message: &'a Map<String, Value>, field: &str) -> Option<&'a Value> {
    message.get(field).filter(|value| !value.is_null())
}

fn set_missing(message: &mut Map<String, Value>, field: &str, value: impl FnOnce() -> Value) {
    if given(message, field).is_none() {
        message.insert(field.to_owned(), value());
    }
}

/// An id for a message that came without one: 128 bits. Segment takes two messages with one id for one, across
/// all of its customers, so they come from hashers that the operating system's randomness keys: a generator
/// that is seeded from a clock could give two functions the same ids.
fn random_id() -> Value {
    let bits = || RandomState::new().hash_one("messageId");
    format!("segue-{:016x}{:016x}", bits(), bits()).into()
}

#[cfg(test)]
mod tests;
