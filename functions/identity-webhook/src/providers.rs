//! The table of providers. A new one is a file beside the others, a row here, its rules in `mappings.toml`,
//! sample events and a page in `docs/`.

mod auth0;
mod clerk;
mod cognito;
mod email;
mod fusionauth;
mod okta;
mod only_one;
mod time;
mod user_agent;

use std::time::Duration;

use jiff::Timestamp;
use segment::json::{self, JsonError};
use serde_json::{Map, Value};

use crate::{
    authentication::Signature,
    credentials,
    mapping::{MapError, event::Read},
};

/// What sets a provider apart: all that is known of it outside its file.
#[derive(Debug)]
pub(crate) struct Provider {
    /// The URL's part after `/identity/`, and the name of its table in `mappings.toml`.
    pub route: &'static str,
    /// Its member of the identity secret, and how its message ids begin. Several routes may share one.
    pub name: &'static str,
    /// How its requests come in.
    pub entrance: Entrance,
    /// How it signs a body, when it does.
    pub signature: Option<Signature>,
    /// The header of the GET with which it checks an address before it sends anything there.
    pub challenge: Option<&'static str>,
    /// How long publishing may take, and for a login all of it: less than the provider waits for an answer.
    pub deadline: Duration,
    /// Whether a 4xx loses the event for good, so that one must never be given for what may pass.
    pub refusals_are_final: bool,
    /// Reads a body.
    pub parse: fn(&[u8]) -> Result<Value, JsonError>,
    /// The events of a body, which also comes as the bytes that it was.
    pub events: for<'a> fn(&'a Value, &'a [u8]) -> Result<Vec<Read<'a>>, MapError>,
    /// The event types that it documents beside those with a built-in rule, one a line; behind a tab may be more.
    pub event_types: &'static str,
    /// Whether that list may lack an event type of this form.
    pub may_be_new: fn(&str) -> bool,
    /// What is known of the person's device, from [`Event::body`](crate::mapping::event::Event::body).
    pub context: fn(&Map<String, Value>) -> Map<String, Value>,
    /// The user in Segment's words, from [`Event::user`](crate::mapping::event::Event::user). It holds only what is
    /// listed in the provider's file, and no time that cannot be true at the given one.
    pub profile: fn(&Map<String, Value>, Timestamp) -> Map<String, Value>,
    /// Every field that this context can have, as a path.
    pub context_paths: &'static [&'static str],
    /// The fields within a member of the profile. Most members are plain and have none.
    pub nested: fn(&str) -> Vec<&'static str>,
    /// Where the user is in the event.
    pub user_at: &'static [&'static str],
    /// The event types by which a user who exists already is told of: the first that the mapping makes an identify of.
    /// None where users are not backfilled.
    pub existing: &'static [&'static str],
    /// When the user became what it is: the first of these members that holds a time.
    pub changed_at: &'static [&'static str],
    /// Members of the user that move without a person's doing: they alone make no update.
    pub bookkeeping: &'static [&'static str],
    /// Members of the user, and of its profile, that are free-form: no name in them has a meaning, and any may be that
    /// of a credential.
    pub free_form: &'static [&'static str],
}

impl Provider {
    /// Takes credentials out of the free-form members of a profile. The others hold only what the provider's file lists.
    pub fn strip(&self, profile: &mut Map<String, Value>) {
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

/// How a provider's events come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entrance {
    /// Webhooks.
    Webhook,
    /// Logins, each with somebody waiting for it. The ledger tells the first one of a user from the others.
    Login,
    /// A function that the provider invokes itself: there is no address.
    Invoke,
}

/// The most events in one body. A log stream's batch of 6 MB, the largest, has some 4,000.
const MAX_EVENTS: usize = 10_000;

/// What most providers have in common.
pub(crate) const WEBHOOK: Provider = Provider {
    route: "",
    name: "",
    entrance: Entrance::Webhook,
    signature: None,
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

static PROVIDERS: &[Provider] = &[
    fusionauth::PROVIDER,
    auth0::login::PROVIDER,
    auth0::logs::PROVIDER,
    auth0::events::PROVIDER,
    clerk::PROVIDER,
    okta::PROVIDER,
    cognito::PROVIDER,
];

/// Those that send to an address.
fn webhooks() -> impl Iterator<Item = &'static Provider> {
    PROVIDERS.iter().filter(|provider| provider.entrance != Entrance::Invoke)
}

/// The provider whose route, and table in `mappings.toml`, is of that name.
pub(crate) fn named(route: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| provider.route == route)
}

/// The provider that sends to the address `/identity/` and this.
pub(crate) fn at_address(route: &str) -> Option<&'static Provider> {
    webhooks().find(|provider| provider.route == route)
}

/// Every route: also those that have no address.
pub(crate) fn routes() -> Vec<&'static str> {
    PROVIDERS.iter().map(|provider| provider.route).collect()
}

/// How the providers sign that share this member of the identity secret: a route has its own, or goes by its name.
/// The outer None means that there is no such member.
#[allow(
    clippy::option_option,
    reason = "no such provider, and a provider that does not sign, are two things"
)]
pub(crate) fn signature_of(member: &str) -> Option<Option<&'static Signature>> {
    let provider = webhooks().find(|provider| provider.route == member || provider.name == member)?;
    Some(provider.signature.as_ref())
}

/// The members of the identity secret.
pub(crate) fn secret_members() -> Vec<&'static str> {
    let mut members: Vec<&str> = webhooks().map(|provider| provider.name).collect();
    members.dedup();
    members
}

/// The part after `/identity/` of every address that takes webhooks.
pub fn addresses() -> Vec<&'static str> {
    webhooks().map(|provider| provider.route).collect()
}
