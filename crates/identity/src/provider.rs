//! The description of a provider, as data: how it authenticates its requests and how its bodies are read.

use std::time::Duration;

use jiff::Timestamp;
use segment::json::{self, JsonError};
use serde_json::{Map, Value};

use crate::{credentials, error::MapError, event::ReadEvent};

/// Everything that Segue knows about a provider, outside the provider's module.
#[derive(Debug)]
pub struct Provider {
    /// The part of the URL after `/identity/`, and the name of its table in `mappings.toml`.
    pub route: &'static str,
    /// Its member of the identity secret, and the beginning of its message ids. Several routes may share one.
    pub name: &'static str,
    /// The provider's spelling of its name.
    pub title: &'static str,
    /// How its events arrive.
    pub entry_point: EntryPoint,
    /// How it signs a body, if it does.
    pub signature: Option<Signature>,
    /// Whether it creates the signing secret itself. A secret that is created elsewhere is then of no use.
    pub makes_its_secret: bool,
    /// The header of the GET request with which it verifies an address before it sends events there.
    pub challenge: Option<&'static str>,
    /// The longest time for publishing, and for a login the longest time in all. It is shorter than the time
    /// that the provider waits for an answer.
    pub deadline: Duration,
    /// Whether a 4xx loses the event permanently. Segue then never answers 4xx for a temporary problem.
    pub refusals_are_final: bool,
    /// Reads a body.
    pub(crate) parse: fn(&[u8]) -> Result<Value, JsonError>,
    /// Returns the events of a body. The second argument is the body as bytes.
    pub(crate) events: for<'a> fn(&'a Value, &'a [u8]) -> Result<Vec<ReadEvent<'a>>, MapError>,
    /// The event types that the provider documents beside those with a built-in rule, one a line. A tab may
    /// be followed by more text.
    pub(crate) event_types: &'static str,
    /// Whether that list may lack an event type of this form.
    pub(crate) may_be_new: fn(&str) -> bool,
    /// Returns the person's device, as far as [`Event::body`](crate::Event::body) shows it.
    pub(crate) context: fn(&Map<String, Value>) -> Map<String, Value>,
    /// Returns the user in Segment's names, made from [`Event::user`](crate::Event::user). It holds only the
    /// members that the provider's module lists, and no time that is implausible at the given one.
    pub(crate) profile: fn(&Map<String, Value>, Timestamp) -> Map<String, Value>,
    /// The paths of every field that this context can have.
    pub(crate) context_paths: &'static [&'static str],
    /// Returns the fields within a member of the profile. Most members are plain and have none.
    pub(crate) nested: fn(&str) -> Vec<&'static str>,
    /// The path of the user in the event.
    pub(crate) user_at: &'static [&'static str],
    /// The event types that describe an existing user. The first one for which the mapping makes an identify
    /// is used. Empty if users are not backfilled.
    pub(crate) existing: &'static [&'static str],
    /// The members with the user's last-modified time. The first one that holds a time is used.
    pub(crate) changed_at: &'static [&'static str],
    /// Members of the user that change without any action of a person. A change of these alone is no update.
    pub(crate) bookkeeping: &'static [&'static str],
    /// Members of the user and of its profile that are free-form: names in them have no fixed meaning, and
    /// any of them may be the name of a credential.
    pub(crate) free_form: &'static [&'static str],
}

impl Provider {
    /// Removes credentials from the free-form members of a profile. The other members are only those that the
    /// provider's module lists.
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
    /// A JWT in a header that holds the hash of the body, signed with a shared secret or a key pair.
    BodyHash(BodyHashToken),
    /// An HMAC over id, time and body in headers, with a shared secret.
    Message(SignedMessage),
}

/// A JWT that holds the hash of the body.
#[derive(Debug)]
pub struct BodyHashToken {
    /// The header with the JWT, in lower case.
    pub header: &'static str,
    /// The claim with the SHA-256 of the raw body, in standard base64 with padding.
    pub claim: &'static str,
    /// How far the sender's clock may be off, for the times between which the JWT is valid.
    pub leeway: Duration,
}

/// An HMAC-SHA256, in standard base64, over id, time and body joined by dots. Each header has several names;
/// the first one that is present counts.
#[derive(Debug)]
pub struct SignedMessage {
    /// The header with the id.
    pub id: [&'static str; 2],
    /// The header with the time, in seconds since 1970.
    pub timestamp: [&'static str; 2],
    /// The header with the signatures.
    pub signature: [&'static str; 2],
    /// The version before a signature, followed by a comma.
    pub version: &'static str,
    /// The beginning of a secret, before its bytes in base64.
    pub secret_prefix: &'static str,
    /// The largest difference between the time in the header and ours.
    pub tolerance: Duration,
}

/// [Standard Webhooks](https://www.standardwebhooks.com), as Svix implements them for Clerk, Stytch and
/// others. The first name of each header is Svix's own.
pub(crate) const STANDARD_WEBHOOKS: SignedMessage = SignedMessage {
    id: ["svix-id", "webhook-id"],
    timestamp: ["svix-timestamp", "webhook-timestamp"],
    signature: ["svix-signature", "webhook-signature"],
    version: "v1",
    secret_prefix: "whsec_",
    // "Webhook timestamp": five minutes.
    tolerance: Duration::from_secs(5 * 60),
};

/// How a provider's events arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryPoint {
    /// Webhooks.
    Webhook,
    /// Logins, for each of which somebody waits. The ledger finds the first login of a user.
    Login,
    /// A function that the provider invokes itself. There is no address.
    Invoke,
}

/// The most events in one body. The largest batch of a log stream, 6 MB, has about 4,000.
pub(crate) const MAX_EVENTS: usize = 10_000;

/// The values that most providers share.
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
