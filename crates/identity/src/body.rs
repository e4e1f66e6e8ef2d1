//! The body of a provider's request, and its events.

use serde_json::{Map, Value};

use crate::{error::MapError, event::ReadEvent, provider::Provider};

/// The parsed body of a provider's request.
#[derive(Debug)]
pub struct Body<'b> {
    provider: &'static Provider,
    document: Value,
    /// The body as it was received. It identifies an event that has no id.
    bytes: &'b [u8],
}

/// The events of a body.
#[derive(Debug)]
pub struct Events<'a> {
    /// The provider that sent them.
    pub provider: &'static Provider,
    /// Each event, or the reason why there is none.
    pub list: Vec<ReadEvent<'a>>,
}

impl Provider {
    /// Reads a body of this provider.
    pub fn read<'b>(&'static self, bytes: &'b [u8]) -> Result<Body<'b>, MapError> {
        Ok(Body { provider: self, document: self.parse(bytes)?, bytes })
    }
}

impl<'b> Body<'b> {
    /// Returns the body for an `object` that was already parsed from `bytes`.
    pub fn parsed(provider: &'static Provider, object: Map<String, Value>, bytes: &'b [u8]) -> Self {
        Self { provider, document: object.into(), bytes }
    }

    /// Returns the events in the body.
    pub fn events(&self) -> Result<Events<'_>, MapError> {
        let list = self.provider.events(&self.document, self.bytes)?;
        Ok(Events { provider: self.provider, list })
    }
}
