//! Remembers the messages of browsers and apps that were stored recently. Their libraries keep a batch until
//! they get an answer, and send all of it again.

use std::{
    collections::{HashSet, VecDeque},
    hash::{BuildHasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

/// How long Segment takes a message with the same id as the same message.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

/// The most messages that are remembered. With their times they take about 5 MB.
const MOST: usize = 100_000;

/// The messages of the last day that this process remembers. A forgotten one is delivered again with the same
/// id.
#[derive(Default)]
pub(crate) struct RecentMessages {
    hashers: [RandomState; 2],
    stored: Mutex<Stored>,
}

#[derive(Default)]
struct Stored {
    known: HashSet<Fingerprint>,
    /// The same messages in order of arrival.
    order: VecDeque<(Timestamp, Fingerprint)>,
}

/// The fingerprint of a message as it was received: 128 bits under two random keys, so that two messages
/// never have the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Fingerprint([u64; 2]);

impl RecentMessages {
    /// Returns the fingerprint of a message for the write key of that name. It also depends on whether the
    /// message is `good`: a message that is too large beside its batch's context can be good without it.
    pub fn fingerprint(&self, good: bool, write_key: &str, text: &str) -> Fingerprint {
        Fingerprint([0, 1].map(|place: usize| self.hashers[place].hash_one((good, write_key, text))))
    }

    /// Whether a message was stored within the last day.
    pub fn has(&self, message: Fingerprint, now: Timestamp) -> bool {
        let mut stored = self.stored();
        while let Some((at, oldest)) = stored.order.front().copied()
            && (stored.order.len() > MOST || now.duration_since(at).unsigned_abs() > REMEMBERED)
        {
            stored.order.pop_front();
            stored.known.remove(&oldest);
        }
        stored.known.contains(&message)
    }

    /// Remembers messages that are now stored.
    pub fn add(&self, messages: impl IntoIterator<Item = Fingerprint>, now: Timestamp) {
        let mut stored = self.stored();
        for message in messages {
            if stored.known.insert(message) {
                stored.order.push_back((now, message));
            }
        }
    }

    fn stored(&self) -> MutexGuard<'_, Stored> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_remembered_for_a_day_and_for_its_write_key() {
        let (recent, now) = (RecentMessages::default(), Timestamp::UNIX_EPOCH);
        let [message, other] = ["default", "shop"].map(|key| recent.fingerprint(true, key, "{}"));
        assert!(!recent.has(message, now));
        recent.add([message, message], now);
        assert!(recent.has(message, now + REMEMBERED) && !recent.has(other, now));
        assert!(!recent.has(message, now + REMEMBERED + Duration::from_millis(1)));
    }

    #[test]
    fn the_newest_are_remembered() {
        let (recent, now) = (RecentMessages::default(), Timestamp::UNIX_EPOCH);
        let fingerprints: Vec<_> =
            (0..MOST + 10).map(|number| recent.fingerprint(true, "", &number.to_string())).collect();
        recent.add(fingerprints.clone(), now);
        let known: Vec<bool> = fingerprints.iter().map(|one| recent.has(*one, now)).collect();
        assert!(known[..10].iter().all(|known| !known) && known[10..].iter().all(|known| *known));
    }
}
