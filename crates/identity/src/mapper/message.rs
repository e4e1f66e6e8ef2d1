//! Turns an event into messages by the rules for its type.

use jiff::Timestamp;
use segment::{MAX_MESSAGE_BYTES, Message, MessageType, json};
use serde_json::{Map, Value};
use settings::LIBRARY;

use super::{message_id::Origin, replaced, unchanged::unchanged};
use crate::{
    config::Config,
    credentials,
    error::{Ignored, MapError, Unusable},
    event::{Event, Subject},
    hash_key::HashKey,
    mapping::{Mapped, Mapping},
    mappings::{EventRules, Field, Fields, Rule, Rules, Source},
    path::{Path, Root, is_empty},
    provider::Provider,
};

/// Builds the messages for the events of a body. It holds the values that are the same for all of them.
pub(super) struct MessageBuilder<'a> {
    pub provider: &'static Provider,
    pub config: &'a Config,
    pub rules: Option<&'a Rules>,
    pub hash_key: Option<&'a HashKey>,
    /// The time of receipt.
    pub now: Timestamp,
    /// Whether to record, for people, the fields that are left out of each message.
    pub explains: bool,
}

impl MessageBuilder<'_> {
    /// Adds the messages of an event to `mapping`, and the reasons why others are missing.
    pub fn add(&self, event: &Event<'_>, mapping: &mut Mapping) -> Result<(), MapError> {
        let event_rules = match self.rules.and_then(|rules| rules.on.get(&*event.event_type)) {
            Some(event_rules) if !event_rules.rules.is_empty() => event_rules,
            Some(EventRules { event_type, at, .. }) => {
                mapping.ignored.push(Ignored::ByRule { event_type: event_type.to_string(), at: at.clone() });
                return Ok(());
            }
            None => {
                mapping.ignored.push(Ignored::unmapped(&event.event_type));
                return Ok(());
            }
        };
        let user = event.user.filter(|_| event_rules.read_profile);
        let mut profile = user.map(|user| self.provider.profile(event, user, self.now)).unwrap_or_default();
        let hidden = match self.explains {
            true => credentials::paths_in(&profile.clone().into(), "profile"),
            false => Vec::new(),
        };
        self.provider.strip(&mut profile);
        let unchanged = unchanged(self.provider, event, event_rules, &profile, self.now);
        let (mut mapped, mut unusable): (Vec<Mapped>, _) = (Vec::new(), None);
        for rule in &event_rules.rules {
            // A soft delete is an update, and may change nothing that is sent.
            if unchanged && rule.call != MessageType::Delete
                || !rule.when.iter().all(|condition| condition.holds(event.body, &profile))
            {
                continue;
            }
            let nth = mapped.iter().filter(|mapped| mapped.message.message_type() == rule.call).count();
            match self.message(event, event_rules, rule, &profile, nth) {
                Ok(message) => mapped.push(message),
                // Other rules for the event can still succeed.
                Err(MapError::Unusable(error)) => unusable = Some(error),
                Err(error) => return Err(error),
            }
        }
        match unusable {
            Some(error) if mapped.is_empty() && event.refusable => return Err(error.into()),
            Some(error) => mapping.ignored.push(Ignored::Unusable(error)),
            None if mapped.is_empty() && unchanged => {
                mapping.ignored.push(Ignored::Unchanged(event.event_type.to_string()));
            }
            None if mapped.is_empty() => {
                mapping.ignored.push(Ignored::Condition(event.event_type.to_string()));
            }
            None => {}
        }
        for one in &mut mapped {
            one.hidden.extend_from_slice(&hidden);
        }
        if !mapped.is_empty() {
            mapping.times.extend(event.time.fault(self.now));
        }
        mapping.messages.append(&mut mapped);
        Ok(())
    }

    fn message(
        &self,
        event: &Event<'_>,
        event_rules: &EventRules,
        rule: &Rule,
        profile: &Map<String, Value>,
        nth: usize,
    ) -> Result<Mapped, MapError> {
        let write_key = self.config.write_key(event.tenant);
        let origin = Origin {
            provider: self.provider.name,
            deployment: &self.config.deployment,
            write_key,
            event_type: &event.event_type,
            identity: &event.identity,
        };
        let mut hidden = Vec::new();
        let mut object = Map::new();
        let mut set = |name: &str, value: Value| drop(object.insert(name.to_owned(), value));
        set("type", rule.call.as_str().into());
        let name = (rule.call == MessageType::Track).then_some(&*event.name);
        if let Some(name) = rule.event.as_deref().or(name) {
            set("event", name.into());
        }
        set("messageId", origin.message_id(rule.call, nth).into());
        match (&rule.user_id, &event.subject) {
            (Some(path), _) => set("userId", id_at(path, event, profile)?.into()),
            (None, Subject::User(id)) => set("userId", id.as_ref().into()),
            (None, Subject::Anonymous(id)) => set("anonymousId", id.as_ref().into()),
            (None, Subject::Unknown(error)) => return Err(error.clone().into()),
        }
        if rule.call == MessageType::Group {
            let id = match (&rule.group_id, &event.group_id) {
                (Some(path), _) => id_at(path, event, profile)?,
                (None, Some(id)) => id.clone().into_owned(),
                (None, None) => return Err(Unusable::new("groupId", "is not known for this event").into()),
            };
            set("groupId", id.into());
        }
        event.time.stamp(&mut object, self.now);
        let mut set = |name: &str, value: Value| drop(object.insert(name.to_owned(), value));
        let mut context = Map::new();
        context.insert("channel".to_owned(), "server".into());
        // The last device of a deleted user is no longer needed.
        if rule.call != MessageType::Delete {
            context.append(&mut self.provider.context(event));
        }
        context.append(&mut self.fields(&rule.context, event, profile, &mut hidden));
        set("context", context.into());
        let of_provider = self.rules.map(|rules| &rules.integrations);
        if let Some(integrations) = rule.integrations.as_ref().or(of_provider).filter(|one| !one.is_empty()) {
            set("integrations", integrations.clone().into());
        }
        match rule.call {
            MessageType::Identify | MessageType::Group => {
                set("traits", self.fields(&rule.traits, event, profile, &mut hidden).into());
            }
            MessageType::Track => {
                set("properties", self.fields(&rule.properties, event, profile, &mut hidden).into());
            }
            _ => {}
        }
        LIBRARY.stamp(&mut object);
        for protection in &self.config.mappings.fields {
            let applied = protection.apply(&mut object, self.hash_key).ok_or(MapError::NoHashKey)?;
            if applied && self.explains {
                hidden.push(format!("{} ({} by [fields])", protection.path.join("."), protection.action));
            }
        }
        let left_out = fit(&mut object);
        Ok(Mapped {
            message: Message::from_object(object).map_err(Unusable::from)?,
            write_key: write_key.to_owned(),
            event_type: event_rules.event_type.clone(),
            rule: rule.at.clone(),
            left_out,
            replaces: if self.explains { replaced::by(self.provider, event_rules, rule) } else { None },
            hidden,
        })
    }

    fn fields(
        &self,
        fields: &Fields,
        event: &Event<'_>,
        profile: &Map<String, Value>,
        hidden: &mut Vec<String>,
    ) -> Map<String, Value> {
        let mut values = Map::with_capacity(fields.len());
        for field in fields.iter() {
            let value = match &field.source {
                Source::Constant(value) => Some(value.clone()),
                Source::Paths(paths) => {
                    paths.iter().find_map(|path| self.value(field, path, event, profile, hidden))
                }
            };
            values.extend(value.map(|value| (field.name.clone(), value)));
        }
        values
    }

    fn value(
        &self,
        field: &Field,
        path: &Path,
        event: &Event<'_>,
        profile: &Map<String, Value>,
        hidden: &mut Vec<String>,
    ) -> Option<Value> {
        let mut value = path.find(event.body, profile)?.clone();
        // The profile has been stripped already.
        if path.root == Root::Event && (value.is_object() || value.is_array()) {
            if self.explains {
                hidden.extend(credentials::paths_in(&value, &field.name));
            }
            credentials::strip(&mut value);
        }
        (!is_empty(&value)).then_some(value)
    }
}

/// Returns an id that a rule takes from another path than the provider's module does.
fn id_at(path: &Path, event: &Event<'_>, profile: &Map<String, Value>) -> Result<String, Unusable> {
    match path.find(event.body, profile) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(_) => Err(Unusable::new(path.segments.join("."), "must be a string")),
        None => Err(Unusable::new(path.segments.join("."), "is missing")),
    }
}

/// Removes the largest fields from a message above Segment's limit, and lists them in `context.leftOut`.
/// Otherwise the whole message would be lost. Returns their paths.
fn fit(object: &mut Map<String, Value>) -> Vec<String> {
    let mut left_out: Vec<String> = Vec::new();
    while json::encode(object).len() > MAX_MESSAGE_BYTES {
        let part = if object.contains_key("traits") { "traits" } else { "properties" };
        let Some(Value::Object(fields)) = object.get_mut(part) else { break };
        let size = |value: &Value| serde_json::to_string(value).map_or(0, |text| text.len());
        let Some(largest) = fields.iter().max_by_key(|(_, value)| size(value)).map(|(name, _)| name.clone())
        else {
            break;
        };
        fields.shift_remove(&largest);
        left_out.push(format!("{part}.{largest}"));
        if let Some(Value::Object(context)) = object.get_mut("context") {
            context.insert("leftOut".to_owned(), left_out.clone().into());
        }
    }
    left_out
}
