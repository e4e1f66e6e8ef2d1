//! The keys of a provider's file. The reader knows only the keys that are listed here, and the JSON schema is
//! made from them.

use crate::schema::{Form, Key};

const EXPRESSION: Form = Form::Named("expression");
const PATH: Form = Form::Text("a path, such as event.data.id");
const PATHS: Form = Form::List(&PATH);
const TYPES: Form = Form::List(&Form::Text("an event type; one * in it stands for any text"));

/// The keys of `[provider]`, beside those of its rules.
pub(crate) const PROVIDER: &[Key] = &[
    Key("title", "The provider's spelling of its name.", Form::Text("a name")),
    Key(
        "deadline",
        "How many seconds the provider waits for an answer, from 1 to 30. 5 if not given.",
        Form::Number,
    ),
    Key("refusalsAreFinal", "Whether the provider never sends an event again after a 4xx.", Form::Flag),
    Key(
        "refusable",
        "Whether an event that cannot be used is refused with 422. If false, it is counted and left out, because \
         the provider would fail the person's own action after a refusal.",
        Form::Flag,
    ),
    Key("makesItsSecret", "Whether the provider creates the signing secret itself.", Form::Flag),
    Key(
        "types",
        "The event types that the provider documents, to find typos in rules. A family that the provider extends has a *: \"payment*\".",
        TYPES,
    ),
    Key(
        "bookkeeping",
        "Members of the user that change without any action of a person. A change of these alone is no update.",
        Form::List(&Form::Text("the name of a member")),
    ),
    Key("json", "Members of an event that hold JSON as a text. They are read as JSON.", Form::List(&PATH)),
    Key("never", "Members of an event that are never read. No rule can name them.", Form::List(&PATH)),
    Key(
        "answer",
        "The answer to a request whose messages are stored. 200 and the number of messages if not given.",
        Form::Table(ANSWER),
    ),
    Key("proof", "How a request proves that it is genuine.", Form::Table(PROOF)),
    Key("event", "Where the parts of an event are.", Form::Table(EVENT)),
    Key(
        "subject",
        "The person or the organization that an event is about. The first entry with a fitting type counts.",
        Form::Tables(SUBJECT),
    ),
    Key("context", "The person's device.", Form::Table(CONTEXT)),
    Key(
        "profile",
        "The user in Segment's names: all that a rule can send as profile.NAME.",
        Form::Map(&EXPRESSION),
    ),
];

/// The keys of `answer`.
pub(crate) const ANSWER: &[Key] = &[
    Key("status", "The status, from 200 to 204.", Form::Number),
    Key("body", "The body, which is sent as JSON. With 204 there is none.", Form::Any),
];

/// The keys of `proof`.
pub(crate) const PROOF: &[Key] = &[
    Key("kind", "The kind of proof.", Form::OneOf(&KINDS)),
    Key("header", "The header with the signature, the JWT or the value.", Form::Text("the name of a header")),
    Key(
        "form",
        "The form of that header: parts with commas between them, each with {signature} or {timestamp} at its end. \"{signature}\" if not given.",
        Form::Text("such as \"t={timestamp}, v1={signature}\""),
    ),
    Key(
        "content",
        "The signed content: {body}, {timestamp}, {id} and any text. \"{body}\" if not given.",
        Form::Text("such as \"{timestamp}.{body}\""),
    ),
    Key(
        "encoding",
        "How the signature, or the hash in a JWT, is written. hex if not given.",
        Form::OneOf(&ENCODINGS),
    ),
    Key("idHeader", "The header with the id of the request.", Form::Text("the name of a header")),
    Key("timestampHeader", "The header with the time of the request.", Form::Text("the name of a header")),
    Key("timestamp", "The unit of that time. seconds if not given.", Form::OneOf(&UNITS)),
    Key(
        "tolerance",
        "How many seconds the time of a request may differ from ours, from 1 to 3600. 300 if not given.",
        Form::Number,
    ),
    Key(
        "secret",
        "The form of the secret: the text itself, or bytes in base64. text if not given.",
        Form::OneOf(&SECRETS),
    ),
    Key("secretPrefix", "The text before the base64 of a secret.", Form::Text("such as whsec_")),
    Key(
        "bodyHash",
        "The claim of the JWT that holds the SHA-256 of the body.",
        Form::Text("the name of a claim"),
    ),
];

pub(crate) const KINDS: [&str; 9] = [
    "standard-webhooks",
    "hmac-sha256",
    "hmac-sha1",
    "hmac-sha512",
    "jwt",
    "jwt-body",
    "bearer",
    "basic",
    "header",
];

pub(crate) const ENCODINGS: [&str; 2] = ["hex", "base64"];
pub(crate) const UNITS: [&str; 2] = ["seconds", "milliseconds"];
pub(crate) const SECRETS: [&str; 2] = ["text", "base64"];

/// The keys of `event`.
pub(crate) const EVENT: &[Key] = &[
    Key(
        "list",
        "The names that lead to the list of events in a body, such as \"data.events\", or \"*\" if the body is an array of events. Without it, a body is one event.",
        Form::Text("names with dots between them"),
    ),
    Key("type", "The event type.", EXPRESSION),
    Key(
        "id",
        "The event's id, which is the same when the event is sent again. Without it, the whole event is its id.",
        EXPRESSION,
    ),
    Key("time", "When the event happened.", EXPRESSION),
    Key("tenant", "The tenant, which may have a separate write key.", PATH),
];

/// The keys of an entry of `subject`.
pub(crate) const SUBJECT: &[Key] = &[
    Key("types", "The event types. Every type if not given.", TYPES),
    Key("user", "The object with the user.", PATH),
    Key("previous", "The same object before the event.", PATH),
    Key("group", "The object with the organization.", PATH),
    Key("userId", "The user's id.", EXPRESSION),
    Key("anonymousId", "The id of an event that is not about a user, such as an organization's.", EXPRESSION),
    Key("groupId", "The organization's id.", EXPRESSION),
];

/// The keys of `context`.
pub(crate) const CONTEXT: &[Key] = &[
    Key(
        "types",
        "The types of events that the person causes on the own device. Every type if not given.",
        TYPES,
    ),
    Key(
        "inactive",
        "The types of events that somebody else causes. Their messages say that the person was not active.",
        TYPES,
    ),
    Key(
        "inactiveWhen",
        "Conditions as in a rule's `when`. If all of them hold, somebody else caused the event.",
        Form::Map(&Form::Named("condition")),
    ),
    Key("ip", "The address of the person's device.", EXPRESSION),
    Key(
        "userAgent",
        "The user agent of the person's device. A library's means that a server made the request.",
        EXPRESSION,
    ),
    Key("locale", "The person's language.", EXPRESSION),
    Key("timezone", "The person's time zone.", EXPRESSION),
];

/// The forms of an expression, apart from a path and an array of expressions. The first key of each makes the
/// form.
pub(crate) const EXPRESSIONS: &[&[Key]] = &[
    &[Key("value", "This value always.", Form::Any)],
    &[
        Key("join", "Those with a value, joined.", Form::List(&EXPRESSION)),
        Key("with", "The text between them. A space if not given.", Form::Text("any text")),
    ],
    &[
        Key("text", "A part of this text.", EXPRESSION),
        Key("after", "The text before the part. Its beginning if not given.", Form::Text("any text")),
        Key("before", "The text after the part. Its end if not given.", Form::Text("any text")),
        Key("without", "A text that the part must not have.", Form::Text("any text")),
    ],
    &[
        Key(
            "time",
            "A time, which is written as Segment expects it. One before 2000 or more than a day ahead has no value.",
            PATHS,
        ),
        Key(
            "format",
            "seconds, milliseconds or microseconds since 1970, or a format of strftime. Any common form if not given.",
            Form::Text("such as seconds, or %d.%m.%Y"),
        ),
    ],
    &[
        Key("date", "A date without a time, such as a birthday.", PATHS),
        Key("format", "As for a time.", Form::Text("such as %d.%m.%Y")),
    ],
    &[Key("number", "A number. A path alone takes only a text.", PATHS)],
    &[Key("boolean", "true or false.", PATHS)],
    &[Key("texts", "A list of texts.", PATHS)],
    &[Key("freeForm", "A whole object, without its credentials. Names in it have no fixed meaning.", PATH)],
    &[Key("fields", "An object with these members.", Form::Map(&EXPRESSION))],
    &[
        Key("list", "A list of objects, of which one is taken.", PATH),
        Key("take", "The member of that object.", Form::Text("a name")),
        Key(
            "where",
            "The members by which the object is found, each with where its value comes from. The first one that fits is taken. Without it, the object must be the only one.",
            Form::Map(&EXPRESSION),
        ),
        Key("is", "The members that the object has, each with its value.", Form::Map(&Form::Any)),
    ],
];
