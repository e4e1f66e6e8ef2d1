//! The table of providers. A new one is a file beside the others, a row here, its rules in `mappings.toml`,
//! sample events and a page in `docs/`.

mod auth0;
mod clerk;
mod cognito;
mod fusionauth;
mod okta;
mod shared;

use crate::{
    error::MapError,
    provider::{EntryPoint, Provider},
};

/// Every provider: also those that have no address.
pub static ALL: &[Provider] = &[
    fusionauth::PROVIDER,
    auth0::login::PROVIDER,
    auth0::logs::PROVIDER,
    auth0::events::PROVIDER,
    clerk::PROVIDER,
    okta::PROVIDER,
    cognito::PROVIDER,
];

/// Amazon Cognito, whose events have no address that they could be told by.
pub static COGNITO: &Provider = &cognito::PROVIDER;

impl Provider {
    /// The provider whose route, and table in `mappings.toml`, is of that name.
    pub fn named(route: &str) -> Result<&'static Self, MapError> {
        let found = ALL.iter().find(|provider| provider.route == route);
        found.ok_or_else(|| MapError::unknown_provider(ALL.iter().map(|provider| provider.route)))
    }
}

/// The providers that send to an address.
pub fn webhooks() -> impl Iterator<Item = &'static Provider> {
    ALL.iter().filter(|provider| provider.entry_point != EntryPoint::Invoke)
}

/// The part after `/identity/` of every address that takes webhooks.
pub fn addresses() -> Vec<&'static str> {
    webhooks().map(|provider| provider.route).collect()
}

/// The provider that sends to the address `/identity/` and this.
pub fn at_address(route: &str) -> Option<&'static Provider> {
    webhooks().find(|provider| provider.route == route)
}

/// A provider whose proofs are in this member of the identity secret: a route has its own, or shares the one of its name.
pub fn with_secret_member(member: &str) -> Option<&'static Provider> {
    webhooks().find(|provider| provider.route == member || provider.name == member)
}

/// The members of the identity secret that hold proofs: the names, and the routes that may have one of their own.
pub fn secret_members() -> Vec<&'static str> {
    let mut members: Vec<&str> = webhooks().map(|provider| provider.name).collect();
    members.dedup();
    members.extend(addresses().into_iter().filter(|address| address.contains('/')));
    members
}
