//! The table of providers. To add one, write a module, a row here, its rules in `mappings.toml`, sample
//! events, and a page in `docs/`.

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

/// All providers, including those without an address.
pub static ALL: &[Provider] = &[
    fusionauth::PROVIDER,
    auth0::login::PROVIDER,
    auth0::logs::PROVIDER,
    auth0::events::PROVIDER,
    clerk::PROVIDER,
    okta::PROVIDER,
    cognito::PROVIDER,
];

/// Amazon Cognito. It has no address, so it is named here.
pub static COGNITO: &Provider = &cognito::PROVIDER;

impl Provider {
    /// Returns the provider with this route, which is also its table in `mappings.toml`.
    pub fn named(route: &str) -> Result<&'static Self, MapError> {
        let found = ALL.iter().find(|provider| provider.route == route);
        found.ok_or_else(|| MapError::unknown_provider(ALL.iter().map(|provider| provider.route)))
    }
}

/// Returns the providers that send to an address.
pub fn webhooks() -> impl Iterator<Item = &'static Provider> {
    ALL.iter().filter(|provider| provider.entry_point != EntryPoint::Invoke)
}

/// Returns the part after `/identity/` of every webhook address.
pub fn addresses() -> Vec<&'static str> {
    webhooks().map(|provider| provider.route).collect()
}

/// Returns the provider that sends to the address `/identity/{route}`.
pub fn at_address(route: &str) -> Option<&'static Provider> {
    webhooks().find(|provider| provider.route == route)
}

/// Returns a provider that uses this member of the identity secret. A route has its own member, or shares the
/// one of its name.
pub fn with_secret_member(member: &str) -> Option<&'static Provider> {
    webhooks().find(|provider| provider.route == member || provider.name == member)
}

/// Returns the members of the identity secret that hold credentials: the names, and the routes that may have
/// a separate member.
pub fn secret_members() -> Vec<&'static str> {
    let mut members: Vec<&str> = webhooks().map(|provider| provider.name).collect();
    members.dedup();
    members.extend(addresses().into_iter().filter(|address| address.contains('/')));
    members
}
