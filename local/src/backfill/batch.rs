//! What goes on its way together, and ends in one checkpoint.

use std::collections::BTreeSet;

use segment::Failure;

use super::{
    counts::Counts,
    make::{Made, Maker, Outgoing},
    refused::Refusal,
    source::{Position, Record},
};
use crate::error::CommandError;

/// What goes on its way together.
#[derive(Default)]
pub struct Batch {
    /// The messages.
    pub messages: Vec<Outgoing>,
    /// Where those were found that have messages.
    pub found: Vec<Position>,
    /// Who cannot be sent.
    pub refusals: Vec<Refusal>,
    /// What became of the records in it.
    pub counts: Counts,
    /// What is read already once the batch is done with.
    pub position: Option<Position>,
    /// How much of the source that is.
    pub done: u64,
}

impl Batch {
    /// Adds what a record comes to.
    ///
    /// # Errors
    /// As [`Maker::make`].
    pub fn add(&mut self, record: Record, maker: &Maker) -> Result<(), CommandError> {
        let (position, done) = (record.position.clone(), record.done);
        self.counts.read += 1;
        match maker.make(record)? {
            Made::Messages(messages) => {
                let record = self.found.len();
                self.found.push(position.clone());
                let outgoing = |(message, write_key)| Outgoing { message, write_key, record };
                self.messages.extend(messages.into_iter().map(outgoing));
            }
            Made::Nothing(reason) => self.counts.skip(reason),
            Made::Refused(refusal) => {
                self.counts.refuse(refusal.reason);
                self.refusals.push(refusal);
            }
        }
        self.position = Some(position);
        self.done = done;
        Ok(())
    }

    /// Counts all as sent but these, and keeps them with the reason.
    pub fn refused(&mut self, refused: Vec<(Outgoing, Failure)>) {
        let mut records = BTreeSet::new();
        for (outgoing, failure) in refused {
            self.counts.messages -= 1;
            if records.insert(outgoing.record) {
                self.counts.sent -= 1;
                self.counts.refuse(failure.code());
            }
            self.refusals.push(Refusal {
                place: self.found[outgoing.record].place(),
                reason: failure.code(),
                problem: failure.to_string(),
                message: Some(outgoing.message.as_object().clone().into()),
            });
        }
    }
}
