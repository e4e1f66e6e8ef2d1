//! Identifies an existing user, for a backfill. The result is the identify that the mapping makes of a new
//! user.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use segment::{Message, MessageType, json, timestamp};
use serde_json::{Map, Value};

use crate::{
    body::Body,
    config::Config,
    error::{Ignored, MapError, Unusable},
    event::Identity,
    mapper::{Mapper, Origin},
    mapping::{Mapped, Mapping},
    provider::Provider,
    time::Time,
};

impl Mapper<'_> {
    /// Returns the identify that the mapping makes of a user, with `context.active: false` and the time of
    /// the user's last change. `provider` must have events with such a user: `fusionauth` or `auth0/events`.
    /// Other calls that the mapping makes of a new user are left out, because nobody signs up now.
    ///
    /// The `messageId` depends on the content of the message. The same user in the same state is the same
    /// message, even if it is read twice or from another kind of file. A changed user, or another mapping,
    /// gives another message.
    pub fn identify(
        &self,
        provider: &'static Provider,
        user: Map<String, Value>,
    ) -> Result<Mapping, MapError> {
        if provider.existing.is_empty() {
            let with_users = self.config.providers().all().filter(|provider| !provider.existing.is_empty());
            return Err(MapError::unknown_provider(
                provider.route,
                with_users.map(|provider| provider.route),
            ));
        }
        let event_type = event_type(provider, self.config);
        let changed_at = provider.last_change(&user, self.now);
        let body = Body::parsed(provider, event(provider, event_type, user), b"");
        let mut events = body.events()?;
        for event in events.list.iter_mut().flatten() {
            event.time = changed_at.map_or(Time::Missing, Time::At);
            event.identity = Identity::Event("".into());
        }
        let mut mapping = self.map(events)?;
        mapping.messages.retain(|mapped| mapped.message.message_type() == MessageType::Identify);
        if mapping.messages.is_empty() && mapping.ignored.is_empty() {
            mapping.ignored.push(Ignored::Condition(event_type.to_owned()));
        }
        for mapped in &mut mapping.messages {
            mapped.message = without_activity(provider, mapped, &self.config.deployment, changed_at)?;
        }
        Ok(mapping)
    }
}

impl Provider {
    /// Returns the time of the user's last change, if the provider states it. Times that are not plausible at
    /// `now` are ignored.
    pub fn last_change(&self, user: &Map<String, Value>, now: Timestamp) -> Option<Timestamp> {
        let plausible = |time: &Timestamp| timestamp::plausible(*time, now);
        self.changed_at.iter().find_map(|member| timestamp::parse(user.get(*member)?).filter(plausible))
    }
}

/// Returns the event type whose rules describe the user: the first one with an identify.
fn event_type(provider: &Provider, config: &Config) -> &'static str {
    let identifies = |event_type: &&&str| {
        let rules = config.mappings.rules.get(provider.route).and_then(|rules| rules.on.get(**event_type));
        rules.is_some_and(|rules| rules.rules.iter().any(|rule| rule.call == MessageType::Identify))
    };
    let mut types = provider.existing.iter();
    types.find(identifies).or(provider.existing.first()).copied().unwrap_or_default()
}

/// Returns the event that would have described the user.
fn event(provider: &Provider, event_type: &str, user: Map<String, Value>) -> Map<String, Value> {
    let nest =
        |inner: Map<String, Value>, name: &&str| [((*name).to_owned(), inner.into())].into_iter().collect();
    let mut event = provider.user_at.iter().rev().fold(user, nest);
    event.insert("type".to_owned(), event_type.into());
    event
}

/// Marks the message so that it does not count as activity of the user, and sets its id.
fn without_activity(
    provider: &Provider,
    mapped: &Mapped,
    deployment: &str,
    changed_at: Option<Timestamp>,
) -> Result<Message, Unusable> {
    let mut object = mapped.message.as_object().clone();
    object.shift_remove("messageId");
    if changed_at.is_none() {
        // With the time of reading, the same user would become another message each time.
        object.shift_remove("timestamp");
    }
    let context = object.entry("context").or_insert_with(|| Value::Object(Map::new()));
    let library = match context {
        Value::Object(context) => {
            context.insert("active".to_owned(), false.into());
            context.shift_remove("library")
        }
        _ => None,
    };
    // Without the library, so that another version of Segue does not send every user again.
    let content = URL_SAFE_NO_PAD.encode(digest(&SHA256, json::encode(&object).as_bytes()));
    let origin = Origin {
        provider: provider.name,
        deployment,
        write_key: &mapped.write_key,
        event_type: "existing user",
        identity: &Identity::Event(content.into()),
    };
    object.insert("messageId".to_owned(), origin.message_id(MessageType::Identify, 0).into());
    if let (Some(Value::Object(context)), Some(library)) = (object.get_mut("context"), library) {
        context.insert("library".to_owned(), library);
    }
    Ok(Message::from_object(object)?)
}
