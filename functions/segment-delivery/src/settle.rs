//! How each message ends.

use std::time::Duration;

use platform::{
    queue::{Queue, Received},
    settle::Settlement,
};
use segment::{Failure, Outcome};

use crate::{Handler, handler::DESTINATION};

/// What became of a message in this batch.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    /// An attempt was made.
    Tried(Outcome),
    /// None was made, because Segment is not to be called for this long.
    Held(Duration),
}

impl<Q: Queue> Handler<Q> {
    /// Settles every message and returns the ids of those that the queue did not take.
    pub(crate) async fn settle(&self, endings: Vec<(Received, Ending)>) -> Vec<String> {
        let mut settlement = Settlement::new(&self.clock, DESTINATION);
        for (mut message, ending) in endings {
            settlement.received(&mut message);
            match ending {
                Ending::Tried(Outcome::Delivered) => settlement.delivered(message),
                Ending::Tried(Outcome::Rejected(failure @ (Failure::WriteKey | Failure::NoWriteKey))) => {
                    settlement.without_credentials(message, &failure);
                }
                Ending::Tried(Outcome::Rejected(failure)) => settlement.reject(message, &failure),
                Ending::Tried(Outcome::Retry { failure, after }) => {
                    settlement.retry(message, failure, after, (self.random)());
                }
                Ending::Held(wait) => settlement.held(message, wait),
            }
        }
        settlement.finish(&self.queue).await
    }
}
