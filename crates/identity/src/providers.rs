//! The providers: those that are code, the built-in files, and the files of the user.

mod auth0;
mod cognito;
mod fusionauth;
mod okta;
mod shared;

use std::sync::{Arc, LazyLock};

pub(crate) use self::shared::is_library;
use crate::{
    built_in::FILES,
    document,
    error::MapError,
    provider::{EntryPoint, Provider},
};

/// The providers whose bodies need code.
static CODE: &[&Provider] = &[
    &fusionauth::PROVIDER,
    &auth0::login::PROVIDER,
    &auth0::logs::PROVIDER,
    &auth0::events::PROVIDER,
    &okta::PROVIDER,
    &cognito::PROVIDER,
];

/// Amazon Cognito. It has no address, so it is named here.
pub static COGNITO: &Provider = &cognito::PROVIDER;

/// Auth0's logins. They alone need the ledger of sign-ups.
pub static LOGINS: &Provider = &auth0::login::PROVIDER;

/// The providers of a process.
#[derive(Clone, Debug)]
pub struct Providers(Arc<[Entry]>);

/// A provider. A built-in file is read when its provider is needed.
#[derive(Clone, Copy, Debug)]
enum Entry {
    Read(&'static Provider),
    File(&'static str, &'static LazyLock<&'static Provider>),
}

impl Entry {
    fn provider(self) -> &'static Provider {
        match self {
            Self::Read(provider) => provider,
            Self::File(_, provider) => provider,
        }
    }

    fn route(self) -> &'static str {
        match self {
            Self::Read(provider) => provider.route,
            Self::File(route, _) => route,
        }
    }

    /// Returns its member of the identity secret.
    fn name(self) -> &'static str {
        match self {
            Self::Read(provider) => provider.name,
            Self::File(name, _) => name,
        }
    }

    /// Whether it sends to an address.
    fn has_address(self) -> bool {
        match self {
            Self::Read(provider) => provider.entry_point != EntryPoint::Invoke,
            Self::File(..) => true,
        }
    }
}

impl Providers {
    /// Returns the built-in providers.
    pub fn built_in() -> Self {
        static BUILT_IN: LazyLock<Providers> = LazyLock::new(|| {
            let code = CODE.iter().map(|provider| Entry::Read(provider));
            let files = FILES.iter().filter_map(|file| Some(Entry::File(file.name, file.provider.as_ref()?)));
            Providers(code.chain(files).collect())
        });
        BUILT_IN.clone()
    }

    /// Returns these providers with others, each of which replaces the one of the same route.
    pub(crate) fn with(&self, others: &[&'static Provider]) -> Self {
        let replaced = |entry: &Entry| others.iter().any(|other| other.route == entry.route());
        let kept = self.0.iter().filter(|entry| !replaced(entry)).copied();
        Self(kept.chain(others.iter().map(|provider| Entry::Read(provider))).collect())
    }

    /// Returns all providers, including those without an address.
    pub fn all(&self) -> impl Iterator<Item = &'static Provider> {
        self.0.iter().map(|entry| entry.provider())
    }

    /// Returns the route of each provider. A route is also the provider's table in a mapping.
    pub fn routes(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|entry| entry.route())
    }

    /// Returns the provider with this route.
    ///
    /// # Errors
    /// [`MapError::UnknownProvider`], which names the known ones.
    pub fn named(&self, route: &str) -> Result<&'static Provider, MapError> {
        let found = self.0.iter().find(|entry| entry.route() == route);
        found.map(|entry| entry.provider()).ok_or_else(|| MapError::unknown_provider(route, self.routes()))
    }

    /// Returns the providers that send to an address.
    pub fn webhooks(&self) -> impl Iterator<Item = &'static Provider> {
        self.0.iter().filter(|entry| entry.has_address()).map(|entry| entry.provider())
    }

    /// Returns the part after `/identity/` of every webhook address.
    pub fn addresses(&self) -> Vec<&'static str> {
        self.0.iter().filter(|entry| entry.has_address()).map(|entry| entry.route()).collect()
    }

    /// Returns the provider that sends to the address `/identity/{route}`.
    pub fn at_address(&self, route: &str) -> Option<&'static Provider> {
        let found = self.0.iter().find(|entry| entry.has_address() && entry.route() == route);
        found.map(|entry| entry.provider())
    }

    /// Returns a provider that uses this member of the identity secret. A route has its own member, or shares
    /// the one of its name.
    pub fn with_secret_member(&self, member: &str) -> Option<&'static Provider> {
        let uses =
            |entry: &&Entry| entry.has_address() && (entry.route() == member || entry.name() == member);
        self.0.iter().find(uses).map(|entry| entry.provider())
    }

    /// Returns the members of the identity secret that hold credentials: the names, and the routes that may
    /// have a separate member.
    pub fn secret_members(&self) -> Vec<&'static str> {
        let entries = || self.0.iter().filter(|entry| entry.has_address());
        let mut members: Vec<&str> = entries().map(|entry| entry.name()).collect();
        members.dedup();
        members.extend(entries().map(|entry| entry.route()).filter(|address| address.contains('/')));
        members
    }
}

/// Returns why a provider cannot have this name, which is a part of its URL and of each message id.
pub fn name_fault(name: &str) -> Option<String> {
    let mut keys = document::UNITS.iter().chain(&document::OF_UNITS).chain(&document::ADDITIVE);
    if keys.any(|key| *key == name) {
        return Some(format!("{name:?} is a key of a provider, so no provider can have this name"));
    }
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fits = name.len() <= 40
        && name.bytes().all(plain)
        && name.starts_with(|first: char| first.is_ascii_lowercase());
    (!fits).then(|| {
        format!("{name:?} is no name of a provider: a letter, and then at most 39 lower-case letters, digits and hyphens")
    })
}

impl Default for Providers {
    fn default() -> Self {
        Self::built_in()
    }
}
