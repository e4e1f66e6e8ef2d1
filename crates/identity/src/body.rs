//! A body that a provider sent, and the events in it.

use serde_json::{Map, Value};

use crate::{error::MapError, event::ReadEvent, provider::Provider};

/// A body that a provider sent, parsed.
#[derive(Debug)]
pub struct Body<'b> {
    provider: &'static Provider,
    document: Value,
    /// As it came: where an event has no id, this tells it from others.
    bytes: &'b [u8],
}

/// The events of a body.
#[derive(Debug)]
pub struct Events<'a> {
    /// The provider that sent them.
    pub provider: &'static Provider,
    /// Each event, or why there is none.
    pub list: Vec<ReadEvent<'a>>,
}

impl Provider {
    /// Reads a body of this provider.
    pub fn read<'b>(&'static self, bytes: &'b [u8]) -> Result<Body<'b>, MapError> {
        Ok(Body { provider: self, document: (self.parse)(bytes)?, bytes })
    }
}

impl<'b> Body<'b> {
    /// The body that was parsed as `object` already, and came as `bytes`.
    pub fn parsed(provider: &'static Provider, object: Map<String, Value>, bytes: &'b [u8]) -> Self {
        Self { provider, document: object.into(), bytes }
    }

    /// The events in it.
    pub fn events(&self) -> Result<Events<'_>, MapError> {
        let list = (self.provider.events)(&self.document, self.bytes)?;
        Ok(Events { provider: self.provider, list })
    }
}
