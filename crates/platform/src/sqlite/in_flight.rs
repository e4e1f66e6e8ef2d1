//! The messages that consumers hold. That a message is hidden is known only to this process, because the next process
//! sees all of them at once. On disk is only what the next process needs to count a death against the messages: each
//! poll writes their ids into one row, its slot. A write for each message would cost a third of the store's work.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rusqlite::{Connection, params};

/// The messages in flight. Cloning it is cheap.
#[derive(Clone, Default)]
pub(super) struct InFlight(Arc<Mutex<State>>);

/// A message's row, and how many times it was received. Together they are the receipt handle of SQS.
pub(super) type Receipt = (i64, u32);

#[derive(Default)]
struct State {
    held: HashMap<i64, Held>,
    slots: Vec<Slot>,
    /// The slots that no poll uses.
    free: Vec<usize>,
}

/// A row for the messages of one poll.
#[derive(Default)]
struct Slot {
    /// How many of its messages are still held.
    held: usize,
    /// Whether its poll has not ended.
    is_polling: bool,
}

/// A held message.
#[derive(Clone, Copy)]
pub(super) struct Held {
    pub queue: &'static str,
    /// How many times it was received, this time included.
    pub receive_count: u32,
    /// When it becomes visible again, in the queue's milliseconds.
    pub until: i64,
    pub slot: usize,
}

impl InFlight {
    /// Returns a slot for one poll. The poll gives it back with [`settle`](Self::settle) or
    /// [`cancel`](Self::cancel).
    pub fn slot(&self) -> usize {
        let mut state = self.state();
        let slot = state.free.pop().unwrap_or_else(|| {
            state.slots.push(Slot::default());
            state.slots.len() - 1
        });
        state.slots[slot].is_polling = true;
        slot
    }

    /// Returns the message if it is or was held, even for longer than its visibility timeout.
    pub fn get(&self, id: i64) -> Option<Held> {
        self.state().held.get(&id).copied()
    }

    /// Hides a message.
    pub fn hold(&self, id: i64, held: Held) {
        let mut state = self.state();
        state.slots[held.slot].held += 1;
        if let Some(before) = state.held.insert(id, held) {
            state.let_go(before.slot);
        }
    }

    /// Returns whether this consumer holds the message: by its id, and by how many times it was received then.
    pub fn is_held(&self, (id, receive_count): Receipt) -> bool {
        self.get(id).is_some_and(|held| held.receive_count == receive_count)
    }

    /// Forgets held messages that are no longer in the queue. Their removal must be on disk by now.
    pub fn release(&self, receipts: &[Receipt]) {
        let mut state = self.state();
        for (id, receive_count) in receipts {
            if let Entry::Occupied(held) = state.held.entry(*id)
                && held.get().receive_count == *receive_count
            {
                let slot = held.remove().slot;
                state.let_go(slot);
            }
        }
    }

    /// Ends a poll that is on disk.
    pub fn settle(&self, slot: usize) {
        self.state().end_poll(slot);
    }

    /// Undoes a poll that is not on disk: its messages are visible again.
    pub fn cancel(&self, slot: usize) {
        let mut state = self.state();
        state.held.retain(|_, held| held.slot != slot);
        state.slots[slot].held = 0;
        state.end_poll(slot);
    }

    /// Returns when the first hidden message of a queue becomes visible again.
    pub fn next_visible_at(&self, queue: &str) -> Option<i64> {
        let state = self.state();
        state.held.values().filter(|held| held.queue == queue).map(|held| held.until).min()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// One message of the slot is no longer held.
    fn let_go(&mut self, slot: usize) {
        self.slots[slot].held -= 1;
        self.free_if_unused(slot);
    }

    fn end_poll(&mut self, slot: usize) {
        self.slots[slot].is_polling = false;
        self.free_if_unused(slot);
    }

    fn free_if_unused(&mut self, slot: usize) {
        let Slot { held, is_polling } = self.slots[slot];
        if held == 0 && !is_polling {
            self.free.push(slot);
        }
    }
}

/// Writes the ids of a poll's messages into its slot.
pub(super) fn write(connection: &Connection, slot: usize, ids: &[i64]) -> rusqlite::Result<()> {
    let ids = serde_json::to_string(ids).unwrap_or_default();
    connection
        .prepare_cached("INSERT OR REPLACE INTO in_flight (slot, ids) VALUES (?1, ?2)")?
        .execute(params![i64::try_from(slot).unwrap_or(i64::MAX), ids])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_polls_never_share_a_slot() {
        let in_flight = InFlight::default();
        let held = |slot| Held { queue: "q", receive_count: 1, until: 0, slot };
        let first = in_flight.slot();
        in_flight.hold(7, held(first));
        // The message times out before its poll has ended, and another poll takes it.
        let second = in_flight.slot();
        in_flight.hold(7, held(second));
        in_flight.settle(first);
        in_flight.settle(second);
        let (third, fourth) = (in_flight.slot(), in_flight.slot());
        assert_eq!(third, first, "a slot without messages is used again");
        assert!(![first, second].contains(&fourth), "{fourth}");
        in_flight.cancel(third);
        in_flight.release(&[(7, 1)]);
        in_flight.settle(fourth);
        let mut slots = [in_flight.slot(), in_flight.slot(), in_flight.slot()];
        slots.sort_unstable();
        assert_eq!(slots, [0, 1, 2]);
    }
}
