//! Reads Clerk's events.
//!
//! The body is one event: `type`, `timestamp`, and the object in `data` that it is about. A user's addresses
//! are lists that contain the primary one. A deleted object is little more than its id. The event has no id,
//! so the whole body identifies it: Svix, which delivers for Clerk, repeats a body unchanged.

use jiff::Timestamp;
use segment::json::JsonError;
use serde_json::{Map, Value};

use crate::{
    error::{MapError, Unusable},
    event::{Event, Identity, ReadEvent, Subject},
    members::{object, renamed, required_text, text},
    provider::{Provider, STANDARD_WEBHOOKS, Signature, WEBHOOK},
    providers::shared::{insert_created_at, is_library, only_one},
    time::Time,
};

pub(super) const PROVIDER: Provider = Provider {
    route: "clerk",
    name: "clerk",
    title: "Clerk",
    signature: Some(Signature::Message(STANDARD_WEBHOOKS)),
    makes_its_secret: true,
    events,
    event_types: include_str!("clerk/event_types.txt"),
    // Billing has many types, and Clerk adds more each year.
    may_be_new: |name| name.starts_with("subscription") || name.starts_with("payment"),
    context,
    profile,
    nested: |member| match member {
        "organization" => ORGANIZATION.iter().map(|(_, name)| *name).chain(["createdAt"]).collect(),
        _ => Vec::new(),
    },
    free_form: &["public_metadata", "publicMetadata"],
    ..WEBHOOK
};

fn events<'a>(document: &'a Value, body: &'a [u8]) -> Result<Vec<ReadEvent<'a>>, MapError> {
    let Value::Object(envelope) = document else { return Err(JsonError::NotAnObject.into()) };
    let event_type = required_text(envelope, "type", "type")?;
    let kind = DataType::of(envelope);
    let data = object(envelope, "data");
    Ok(vec![Ok(Event {
        identity: Identity::Body(body),
        group_id: data.and_then(|data| group_id(kind, data)).map(Into::into),
        time: Time::read(envelope.get("timestamp")),
        // The profile is built from several parts of it.
        user: Some(envelope),
        ..Event::new(event_type, envelope, data.map_or_else(no_data, |data| subject(kind, data)))
    })])
}

/// The type of the object in `data`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum DataType {
    User,
    Session,
    Organization,
    Membership,
    Other,
}

impl DataType {
    fn of(envelope: &Map<String, Value>) -> Self {
        match text(envelope, "type").and_then(|name| name.split('.').next()) {
            Some("user") => Self::User,
            Some("session") => Self::Session,
            Some("organization") => Self::Organization,
            Some("organizationMembership") => Self::Membership,
            _ => Self::Other,
        }
    }
}

fn no_data<'a>() -> Subject<'a> {
    Subject::Unknown(Unusable::new("data", "must be an object"))
}

fn subject(kind: DataType, data: &Map<String, Value>) -> Subject<'_> {
    match kind {
        DataType::User => Subject::user(data, "id", "data.id"),
        // The creator of an organization is not its subject, and may have left it. Members have separate
        // events.
        DataType::Organization => match required_text(data, "id", "data.id") {
            Ok(id) => Subject::Anonymous(id.into()),
            Err(unusable) => Subject::Unknown(unusable),
        },
        DataType::Membership => match object(data, "public_user_data") {
            Some(user) => Subject::user(user, "user_id", "data.public_user_data.user_id"),
            None => Subject::Unknown(Unusable::new("data.public_user_data", "must be an object")),
        },
        DataType::Session | DataType::Other => Subject::user(data, "user_id", "data.user_id"),
    }
}

fn group_id(kind: DataType, data: &Map<String, Value>) -> Option<&str> {
    match kind {
        DataType::Organization => text(data, "id"),
        DataType::Membership => text(object(data, "organization")?, "id"),
        _ => text(data, "organization_id"),
    }
}

/// Events whose request comes from the person's own device, unless a server made it. Clerk does not say who
/// changed a user, revoked a session, or changed a membership or an organization: often it is an
/// administrator.
const OWN: [&str; 4] = ["user.created", "session.created", "session.ended", "session.removed"];

fn context(envelope: &Map<String, Value>) -> Map<String, Value> {
    let mut context = Map::new();
    let own = text(envelope, "type").is_some_and(|name| OWN.contains(&name));
    let request = object(envelope, "event_attributes").and_then(|all| object(all, "http_request"));
    let Some(request) = request else { return context };
    if text(request, "user_agent").is_some_and(is_library) {
        // In Segment, `active: false` means "update the traits, but this person was not here".
        context.insert("active".to_owned(), false.into());
    } else if own {
        context = renamed(request, &[("client_ip", "ip"), ("user_agent", "userAgent")]);
        // Clerk's examples show this where there is no address.
        context.retain(|_, value| value != "0.0.0.0");
    }
    context
}

/// Returns the user in Segment's names, and in `organization` the organization of the event. Never reads the
/// private and the unsafe metadata, because they are internal to the customer.
fn profile(envelope: &Map<String, Value>, now: Timestamp) -> Map<String, Value> {
    let mut profile = Map::new();
    let Some(data) = object(envelope, "data") else { return profile };
    let (user, organization) = match DataType::of(envelope) {
        DataType::User => (Some(data), None),
        DataType::Session => (object(data, "user"), None),
        DataType::Organization => (None, Some(data)),
        DataType::Membership => (None, object(data, "organization")),
        DataType::Other => (None, None),
    };
    if let Some(user) = user {
        for (list, primary, member, to) in [
            ("email_addresses", "primary_email_address_id", "email_address", "email"),
            ("phone_numbers", "primary_phone_number_id", "phone_number", "phone"),
        ] {
            if let Some(address) = primary_of(user, list, primary, member) {
                profile.insert(to.to_owned(), address.into());
            }
        }
        profile.append(&mut renamed(user, USER));
        insert_created_at(user, "created_at", &mut profile, now);
        if let Some(metadata) = object(user, "public_metadata") {
            profile.insert("publicMetadata".to_owned(), metadata.clone().into());
        }
    }
    if let Some(organization) = organization {
        let mut traits = renamed(organization, ORGANIZATION);
        insert_created_at(organization, "created_at", &mut traits, now);
        profile.insert("organization".to_owned(), traits.into());
    }
    profile
}

const USER: &[(&str, &str)] = &[
    ("first_name", "firstName"),
    ("last_name", "lastName"),
    ("username", "username"),
    ("image_url", "avatar"),
    ("external_id", "externalId"),
];

const ORGANIZATION: &[(&str, &str)] =
    &[("id", "id"), ("name", "name"), ("slug", "slug"), ("image_url", "avatar"), ("created_by", "createdBy")];

/// Returns the primary address of a list. If no entry has the primary id, returns the only address.
fn primary_of<'a>(user: &'a Map<String, Value>, list: &str, primary: &str, member: &str) -> Option<&'a str> {
    let entries = user.get(list)?.as_array()?.iter().filter_map(Value::as_object);
    let addresses: Vec<_> = entries.filter_map(|entry| Some((entry, text(entry, member)?))).collect();
    let primary = text(user, primary);
    let is_primary = |entry: &Map<String, Value>| primary.is_some() && text(entry, "id") == primary;
    let named = addresses.iter().find(|(entry, _)| is_primary(entry)).map(|(_, address)| *address);
    named.or_else(|| only_one(addresses.iter().map(|(entry, address)| (*address, is_verified(entry)))))
}

fn is_verified(entry: &Map<String, Value>) -> bool {
    object(entry, "verification").and_then(|verification| text(verification, "status")) == Some("verified")
}
