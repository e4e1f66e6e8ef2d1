//! Auth0 in three ways: a login as a rule or an Action sees it, log streams, and Event Streams. They share a member of
//! the identity secret.

pub(super) mod events;
pub(super) mod login;
pub(super) mod logs;
mod person;
mod profile;
mod sapi;

use std::net::IpAddr;

use serde_json::{Map, Value};

/// Every field that the context of a message can have, where an organization is known too.
const CONTEXT: &[&str] = &["active", "ip", "userAgent", "groupId"];

/// The context of a message of which the person is not the cause: Segment's word for "update the traits, but this
/// person was not here". The device that Auth0 names is somebody else's, and left out.
fn absent() -> Map<String, Value> {
    [("active".to_owned(), false.into())].into_iter().collect()
}

/// The person's device, as far as it is known.
fn device(ip: Option<&str>, user_agent: Option<&str>) -> Map<String, Value> {
    // A loopback address is a machine of Auth0's or of the customer's, and nobody's.
    let ip = ip.filter(|ip| !ip.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback()));
    let user_agent = user_agent.filter(|user_agent| *user_agent != NO_USER_AGENT);
    let one = |(name, value): (&str, Option<&str>)| Some((name.to_owned(), value?.into()));
    [("ip", ip), ("userAgent", user_agent)].into_iter().filter_map(one).collect()
}

/// Auth0's word where a request had no user agent.
const NO_USER_AGENT: &str = "unknown";
