//! From a queue's message to Segment's, each for itself: one that cannot be read spoils no other.

use std::panic::{AssertUnwindSafe, catch_unwind};

use platform::queue::Received;
use segment::{Failure, Message};

/// Reads the body and checks it again: what an older version published, or somebody put there by hand, may
/// not be what Segment takes.
pub(crate) fn decode(received: &Received) -> Result<Message, Failure> {
    Message::from_json(received.body.as_bytes()).map_err(|error| Failure::Invalid(error.to_string()))
}

/// Runs `decode`; a panic in it fails this message alone.
pub(crate) fn contained(
    decode: impl Fn(&Received) -> Result<Message, Failure>,
    received: &Received,
) -> Result<Message, Failure> {
    catch_unwind(AssertUnwindSafe(|| decode(received))).unwrap_or(Err(Failure::Panic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_fails_the_message_that_caused_it() {
        let received = Received {
            id: "1".to_owned(),
            body: String::new(),
            attributes: [].into(),
            sent_at: jiff::Timestamp::UNIX_EPOCH,
        };
        assert_eq!(contained(|_| panic!("a bug"), &received), Err(Failure::Panic));
    }
}
