//! Auth0's three sources of events: logins that a rule or an Action posts, log streams, and Event Streams.
//! They share a member of the identity secret.

pub(super) mod events;
pub(super) mod login;
pub(super) mod logs;
mod person;
mod profile;
mod sapi;

use std::net::IpAddr;

use serde_json::{Map, Value};

/// Every field that the context of a message can have, for sources that also name an organization.
const CONTEXT: &[&str] = &["active", "ip", "userAgent", "groupId"];

/// Returns the context of a message that the person did not cause. In Segment, `active: false` means "update
/// the traits, but this person was not here". The device in Auth0's event belongs to somebody else, so it is
/// left out.
fn inactive_context() -> Map<String, Value> {
    [("active".to_owned(), false.into())].into_iter().collect()
}

/// Returns the person's device, as far as it is known.
fn device(ip: Option<&str>, user_agent: Option<&str>) -> Map<String, Value> {
    // A loopback address belongs to a machine of Auth0's or the customer's, not to a person.
    let ip = ip.filter(|ip| !ip.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback()));
    let user_agent = user_agent.filter(|user_agent| *user_agent != NO_USER_AGENT);
    let one = |(name, value): (&str, Option<&str>)| Some((name.to_owned(), value?.into()));
    [("ip", ip), ("userAgent", user_agent)].into_iter().filter_map(one).collect()
}

/// Auth0's value for a request without a user agent.
const NO_USER_AGENT: &str = "unknown";
