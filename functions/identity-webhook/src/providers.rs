//! The table of providers. A new one is a file beside `fusionauth.rs` and a row here.

mod fusionauth;

use crate::{
    Config,
    authentication::BodyHashToken,
    mapping::{MapError, Mapping},
};

/// What sets a provider apart.
#[derive(Debug)]
pub(crate) struct Provider {
    /// The URL's part after `/identity/`.
    pub route: &'static str,
    /// Its member of the identity secret. Several routes may share one.
    pub name: &'static str,
    /// How it signs a body, when it does.
    pub signature: Option<BodyHashToken>,
    /// Its mapping.
    pub map: fn(&[u8], &Config) -> Result<Mapping, MapError>,
}

const PROVIDERS: &[Provider] = &[fusionauth::PROVIDER];

/// The provider of a route.
pub(crate) fn find(route: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| provider.route == route)
}

/// The provider of a member of the identity secret.
pub(crate) fn named(name: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| provider.name == name)
}

/// Every route, for error texts.
pub(crate) fn names() -> Vec<&'static str> {
    PROVIDERS.iter().map(|provider| provider.route).collect()
}
