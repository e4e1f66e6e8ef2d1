//! What became of the users, so that none is unaccounted for: read is sent, skipped and refused.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How many users, or events of the event log, ended in which way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All of them.
    pub read: u64,
    /// Segment took every message of theirs.
    pub sent: u64,
    /// The messages that Segment took.
    pub messages: u64,
    /// There was nothing to send, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// They cannot be sent, by reason. Each is in the file of the refused.
    pub refused: BTreeMap<String, u64>,
}

impl Counts {
    /// One more for which there was nothing to send.
    pub fn skip(&mut self, reason: &str) {
        *self.skipped.entry(reason.to_owned()).or_default() += 1;
    }

    /// One more that cannot be sent.
    pub fn refuse(&mut self, reason: &str) {
        *self.refused.entry(reason.to_owned()).or_default() += 1;
    }

    /// How many cannot be sent.
    pub fn refused(&self) -> u64 {
        self.refused.values().sum()
    }

    /// Adds those of a batch.
    pub fn add(&mut self, other: &Self) {
        self.read += other.read;
        self.sent += other.sent;
        self.messages += other.messages;
        for (all, some) in [(&mut self.skipped, &other.skipped), (&mut self.refused, &other.refused)] {
            for (reason, count) in some {
                *all.entry(reason.clone()).or_default() += count;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_by_reason() {
        let mut all = Counts { read: 3, sent: 1, messages: 2, ..Counts::default() };
        all.skip("a");
        all.refuse("b");
        let again = all.clone();
        all.add(&again);
        assert_eq!((all.read, all.sent, all.messages, all.skipped["a"], all.refused()), (6, 2, 4, 2, 2));
    }
}
