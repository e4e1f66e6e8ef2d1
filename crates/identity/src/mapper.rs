//! Maps the events of a body to Segment messages by the rules of their provider.

mod message;
mod message_id;
mod replaced;
mod unchanged;

use jiff::Timestamp;
use segment::json::JsonError;

use self::message::MessageBuilder;
pub(crate) use self::message_id::Origin;
pub use self::message_id::provider_of_message;
use crate::{body::Events, config::Config, error::MapError, hash_key::HashKey, mapping::Mapping};

/// Applies the rules.
#[derive(Debug)]
pub struct Mapper<'a> {
    pub(crate) config: &'a Config,
    hash_key: Option<&'a HashKey>,
    /// The time of receipt.
    pub(crate) now: Timestamp,
}

/// The most bytes that the messages of one body may take as text. A genuine log stream's batch of 6 MB makes
/// messages of about the same size.
const MAX_MESSAGE_BYTES: usize = 16_000_000;

impl<'a> Mapper<'a> {
    /// Returns a mapper for events received at `now`, which hashes with this key.
    pub fn new(config: &'a Config, hash_key: Option<&'a HashKey>, now: Timestamp) -> Self {
        Self { config, hash_key, now }
    }

    /// Returns the time of receipt.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Maps events as the webhook does.
    pub fn map(&self, events: Events<'_>) -> Result<Mapping, MapError> {
        apply(&self.builder(&events), events)
    }

    /// Maps events for a dry run. Each message also lists the fields that were kept out of it. Without a key,
    /// hashes appear as `<hash>`.
    pub fn explain(&self, events: Events<'_>) -> Result<Mapping, MapError> {
        let (builder, shown) = (self.builder(&events), HashKey::placeholder());
        let hash_key = Some(builder.hash_key.unwrap_or(&shown));
        apply(&MessageBuilder { hash_key, explains: true, ..builder }, events)
    }

    fn builder(&self, events: &Events<'_>) -> MessageBuilder<'_> {
        let provider = events.provider;
        let rules = self.config.mappings.rules.get(provider.route).map(|rules| &**rules);
        let (config, hash_key, now) = (self.config, self.hash_key, self.now);
        MessageBuilder { provider, config, rules, hash_key, now, explains: false }
    }
}

fn apply(builder: &MessageBuilder<'_>, events: Events<'_>) -> Result<Mapping, MapError> {
    let (mut mapping, mut bytes) = (Mapping::default(), 0);
    for event in events.list {
        match event {
            Ok(event) => {
                let before = mapping.messages.len();
                builder.add(&event, &mut mapping)?;
                let made = mapping.messages[before..].iter();
                bytes += made.map(|mapped| mapped.message.as_json().len()).sum::<usize>();
                if bytes > MAX_MESSAGE_BYTES {
                    return Err(JsonError::TooManyValues.into());
                }
            }
            Err(ignored) => mapping.ignored.push(ignored),
        }
    }
    Ok(mapping)
}
