//! The row of a provider: how it proves itself and how its bodies are read, as data.

use std::time::Duration;

use jiff::Timestamp;
use segment::json::{self, JsonError};
use serde_json::{Map, Value};

use crate::{credentials, error::MapError, event::ReadEvent};

/// Everything that is known of a provider outside its file.
#[derive(Debug)]
pub struct Provider {
    /// The URL's part after `/identity/`, and the name of its table in `mappings.toml`.
    pub route: &'static str,
    /// Its member of the identity secret, and how its message ids begin. Several routes may share one.
    pub name: &'static str,
    /// How it writes its name itself.
    pub title: &'static str,
    /// How its requests come in.
    pub entry_point: EntryPoint,
    /// How it signs a body, when it does.
    pub signature: Option<Signature>,
    /// Whether it makes the secret itself that it signs with, so that one that is made elsewhere is of no use.
    pub makes_its_secret: bool,
    /// The header of the GET with which it checks an address before it sends anything there.
    pub challenge: Option<&'static str>,
    /// How long publishing may take, and for a login all of it: less than the provider waits for an answer.
    pub deadline: Duration,
    /// Whether a 4xx loses the event for good, so that one must never be given for what may pass.
    pub refusals_are_final: bool,
    /// Reads a body.
    pub(crate) parse: fn(&[u8]) -> Result<Value, JsonError>,
    /// The events of a body, which also comes as the bytes that it was.
    pub(crate) events: for<'a> fn(&'a Value, &'a [u8]) -> Result<Vec<ReadEvent<'a>>, MapError>,
    /// The event types that it documents beside those with a built-in rule, one a line; behind a tab may be more.
    pub(crate) event_types: &'static str,
    /// Whether that list may lack an event type of this form.
    pub(crate) may_be_new: fn(&str) -> bool,
    /// The person's device, as far as it is known, from [`Event::body`](crate::Event::body).
    pub(crate) context: fn(&Map<String, Value>) -> Map<String, Value>,
    /// The user in Segment's words, from [`Event::user`](crate::Event::user). It holds only what is
    /// listed in the provider's file, and no time that cannot be true at the given one.
    pub(crate) profile: fn(&Map<String, Value>, Timestamp) -> Map<String, Value>,
    /// Every field that this context can have, as a path.
    pub(crate) context_paths: &'static [&'static str],
    /// The fields within a member of the profile. Most members are plain and have none.
    pub(crate) nested: fn(&str) -> Vec<&'static str>,
    /// Where the user is in the event.
    pub(crate) user_at: &'static [&'static str],
    /// The event types by which a user who exists already is told of: the first that the mapping makes an identify of.
    /// None where users are not backfilled.
    pub(crate) existing: &'static [&'static str],
    /// When the user became what it is: the first of these members that holds a time.
    pub(crate) changed_at: &'static [&'static str],
    /// Members of the user that move without a person's doing: they alone make no update.
    pub(crate) bookkeeping: &'static [&'static str],
    /// Members of the user, and of its profile, that are free-form: no name in them has a meaning, and any may be that
    /// of a credential.
    pub(crate) free_form: &'static [&'static str],
}

impl Provider {
    /// Takes credentials out of the free-form members of a profile. The others hold only what the provider's file lists.
    pub(crate) fn strip(&self, profile: &mut Map<String, Value>) {
        for (name, value) in profile {
            if self.free_form.contains(&name.as_str()) {
                credentials::strip(value);
            } else {
                self.strip_value(value);
            }
        }
    }

    fn strip_value(&self, value: &mut Value) {
        match value {
            Value::Object(object) => self.strip(object),
            Value::Array(items) => items.iter_mut().for_each(|item| self.strip_value(item)),
            _ => {}
        }
    }
}

/// How a provider signs a body.
#[derive(Debug)]
pub enum Signature {
    /// A JWT in a header that holds the hash of the body, by a shared secret or by a key pair.
    BodyHash(BodyHashToken),
    /// An HMAC of id, time and body in headers, by a shared secret.
    Message(SignedMessage),
}

/// A JWT that holds the hash of the body.
#[derive(Debug)]
pub struct BodyHashToken {
    /// The header with the JWT, in lower case.
    pub header: &'static str,
    /// The claim with the SHA-256 of the raw body, in standard base64 with padding.
    pub claim: &'static str,
    /// How far the sender's clock may be off where the JWT says from when and until when it holds.
    pub leeway: Duration,
}

/// An HMAC-SHA256, in standard base64, of id, time and body with a dot between them. Each header has several names, of
/// which the first that is there counts.
#[derive(Debug)]
pub struct SignedMessage {
    /// The header with the id.
    pub id: [&'static str; 2],
    /// The header with the time, in seconds since 1970.
    pub timestamp: [&'static str; 2],
    /// The header with the signatures.
    pub signature: [&'static str; 2],
    /// The version that stands before a signature, with a comma after it.
    pub version: &'static str,
    /// How a secret begins, before its bytes in base64.
    pub secret_prefix: &'static str,
    /// How far the time may be from ours.
    pub tolerance: Duration,
}

/// [Standard Webhooks](https://www.standardwebhooks.com), as Svix does it for Clerk, Stytch and many more. The first
/// names are Svix's own.
pub(crate) const STANDARD_WEBHOOKS: SignedMessage = SignedMessage {
    id: ["svix-id", "webhook-id"],
    timestamp: ["svix-timestamp", "webhook-timestamp"],
    signature: ["svix-signature", "webhook-signature"],
    version: "v1",
    secret_prefix: "whsec_",
    // "Webhook timestamp": five minutes.
    tolerance: Duration::from_secs(5 * 60),
};

/// How a provider's events come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryPoint {
    /// Webhooks.
    Webhook,
    /// Logins, each with somebody waiting for it. The ledger tells the first one of a user from the others.
    Login,
    /// A function that the provider invokes itself: there is no address.
    Invoke,
}

/// The most events in one body. A log stream's batch of 6 MB, the largest, has some 4,000.
pub(crate) const MAX_EVENTS: usize = 10_000;

/// The values that most providers have in common.
pub(crate) const WEBHOOK: Provider = Provider {
    route: "",
    name: "",
    title: "",
    entry_point: EntryPoint::Webhook,
    signature: None,
    makes_its_secret: false,
    challenge: None,
    deadline: Duration::from_secs(5),
    refusals_are_final: false,
    parse: json::parse,
    events: |_, _| Ok(Vec::new()),
    event_types: "",
    may_be_new: |_| false,
    context: |_| Map::new(),
    profile: |_, _| Map::new(),
    context_paths: &["active", "ip", "userAgent"],
    nested: |_| Vec::new(),
    user_at: &[],
    existing: &[],
    changed_at: &[],
    bookkeeping: &[],
    free_form: &[],
};
