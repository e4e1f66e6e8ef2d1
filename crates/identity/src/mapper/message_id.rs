//! Message ids. The same event always has the same id.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest::{Context, SHA256};
use segment::MessageType;

use crate::event::Identity;

/// The parts of a message id.
pub(crate) struct Origin<'a> {
    pub provider: &'a str,
    /// The deployment. Segment removes duplicates across workspaces: two deployments that receive the same
    /// event must not suppress each other's copy.
    pub deployment: &'a str,
    pub write_key: &'a str,
    /// Part of the id because FusionAuth's example events of different types share one id.
    pub event_type: &'a str,
    pub identity: &'a Identity<'a>,
}

impl Origin<'_> {
    /// Returns the id of the message of type `call`, the `nth` of that type (from 0) for the event.
    pub fn message_id(&self, call: MessageType, nth: usize) -> String {
        let (kind, identity): (&[u8], &[u8]) = match self.identity {
            Identity::Event(id) => (b"event", id.as_bytes()),
            Identity::Body(body) => (b"body", body),
        };
        let mut context = Context::new(&SHA256);
        let parts = [self.deployment.as_bytes(), self.write_key.as_bytes(), self.event_type.as_bytes()];
        for part in parts.into_iter().chain([call.as_str().as_bytes(), kind, identity]) {
            // The length before each part makes the concatenation unambiguous.
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        if nth > 0 {
            context.update(&(nth as u64).to_be_bytes());
        }
        format!("{}-{}", self.provider, URL_SAFE_NO_PAD.encode(context.finish()))
    }
}

/// The length of a SHA-256 in base64 without padding, and of the hyphen before it.
const DIGEST: usize = "-".len() + 43;

/// Returns the name of the provider whose event made the message with this id.
pub fn provider_of_message(message_id: &str) -> Option<&str> {
    let (name, digest) = message_id.split_at_checked(message_id.len().checked_sub(DIGEST)?)?;
    (!name.is_empty() && digest.starts_with('-')).then_some(name)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_message_id_depends_on_each_of_its_parts_and_on_nothing_else() {
        let id = |deployment, write_key, event_type, call, identity: Identity<'_>| {
            Origin { provider: "fusionauth", deployment, write_key, event_type, identity: &identity }
                .message_id(call, 0)
        };
        let event = |id: &'static str| Identity::Event(id.into());
        let (track, identify) = (MessageType::Track, MessageType::Identify);
        let identity = event("1");
        let origin = Origin {
            provider: "fusionauth",
            deployment: "d",
            write_key: "k",
            event_type: "t",
            identity: &identity,
        };
        let ids = [
            id("d", "k", "t", track, event("1")),
            id("d2", "k", "t", track, event("1")),
            id("d", "k2", "t", track, event("1")),
            id("d", "k", "t2", track, event("1")),
            id("d", "k", "t", identify, event("1")),
            id("d", "k", "t", track, event("2")),
            id("d", "k", "t", track, Identity::Body(b"1")),
            id("dk", "", "t", track, event("1")),
            origin.message_id(track, 1),
            origin.message_id(track, 2),
        ];
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
        assert_eq!(ids[0], origin.message_id(track, 0));
        assert_eq!(ids[0].len(), "fusionauth-".len() + 43);
        assert_eq!(provider_of_message(&ids[0]), Some("fusionauth"));
    }
}
