//! The keys of a mapping. The reader knows only the keys that are listed here, and the JSON schema is made from
//! them.

use crate::schema::{Form, Key};

const PATH: Form = Form::Text("a path, such as event.user.id or profile.email");
const FIELDS: Form = Form::Named("fields");

const WHEN: Key = Key(
    "when",
    "Conditions, all of which must hold: a path, and what its value must be.",
    Form::Map(&Form::Named("condition")),
);
const NAME: Key = Key(
    "event",
    "The name of the event. Without it, a track has the name that the provider gives the event.",
    Form::Named("eventName"),
);
const USER_ID: Key = Key("userId", "A path, if the id is not the provider's.", PATH);
const GROUP_ID: Key = Key("groupId", "A path, if the id is not the provider's.", PATH);
const TRAITS: Key =
    Key("traits", "The fields to send: the name of a set, a table of fields, or an array of these.", FIELDS);
const PROPERTIES: Key = Key(
    "properties",
    "The fields to send: the name of a set, a table of fields, or an array of these.",
    FIELDS,
);
const CONTEXT: Key =
    Key("context", "Fields to send beside those of the device, which are always sent.", FIELDS);
const INTEGRATIONS: Key = Key("integrations", "As in Segment's spec.", Form::Map(&Form::Any));

/// The keys of a mapping, beside the tables of providers.
pub(crate) const MAPPING: &[Key] = &[
    Key("naming", "Whose names events have.", Form::OneOf(&super::event_rules::NAMINGS)),
    Key(
        "fields",
        "The protection of a field in every message, no matter which rule sets it.",
        Form::Map(&Form::OneOf(&super::protection::Action::NAMES)),
    ),
];

/// The keys of a provider's rules.
pub(crate) const RULES: &[Key] = &[
    Key("on", "The calls that each event type makes.", Form::Map(&Form::Table(EVENT_TYPE))),
    Key("sets", "Sets of fields.", Form::Map(&Form::Named("set"))),
    Key("integrations", "The integrations of every message that has none.", Form::Map(&Form::Any)),
];

/// The keys of an event type.
pub(crate) const EVENT_TYPE: &[Key] = &[
    Key("ignore", "Make no call of this event type.", Form::Flag),
    Key("identify", "Update the user's traits.", Form::Tables(IDENTIFY)),
    Key("track", "Send an event.", Form::Tables(TRACK)),
    Key("group", "Update a group's traits.", Form::Tables(GROUP)),
    Key("delete", "Delete the user.", Form::Tables(DELETE)),
];

pub(crate) const IDENTIFY: &[Key] = &[WHEN, NAME, USER_ID, TRAITS, CONTEXT, INTEGRATIONS];
pub(crate) const TRACK: &[Key] = &[WHEN, NAME, USER_ID, PROPERTIES, CONTEXT, INTEGRATIONS];
pub(crate) const GROUP: &[Key] = &[WHEN, USER_ID, GROUP_ID, TRAITS, CONTEXT, INTEGRATIONS];
pub(crate) const DELETE: &[Key] = &[WHEN, USER_ID, CONTEXT, INTEGRATIONS];
