//! The newest items in memory, and the order of their changes.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use super::{Arrival, Item, State};

/// The most items.
pub const MAX_ITEMS: usize = 10_000;

/// The most memory of all items with their requests, in bytes.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// The most rejected requests among them. Strangers send those, and they must not evict accepted messages.
const MAX_REJECTED: usize = 1_000;

/// The items by ascending id. Each change gives an item a new revision.
#[derive(Default)]
pub struct RetainedItems {
    entries: BTreeMap<u64, Entry>,
    by_message: HashMap<String, u64>,
    by_revision: BTreeMap<u64, u64>,
    /// The requests of the items, by memory address. Items can share one.
    arrivals: HashMap<usize, RetainedRequest>,
    rejected: VecDeque<u64>,
    last: u64,
    revision: u64,
    bytes: usize,
}

struct Entry {
    item: Item,
    revision: u64,
    /// The counted size.
    bytes: usize,
    arrivals: Vec<usize>,
}

/// The number of items that share a request, and its size in bytes.
#[derive(Default)]
struct RetainedRequest {
    items: usize,
    bytes: usize,
}

impl RetainedItems {
    /// Adds an item. Returns the evicted ones, so that the caller can drop them without holding the lock.
    #[must_use = "drop the evicted items after releasing the lock"]
    pub fn add(&mut self, item: Item) -> Vec<Item> {
        self.last += 1;
        let id = self.last;
        if let Some(message_id) = &item.summary.message_id {
            self.by_message.insert(message_id.clone(), id);
        }
        if item.state() == State::Rejected {
            self.rejected.push_back(id);
        }
        self.entries.insert(id, Entry { item, revision: 0, bytes: 0, arrivals: Vec::new() });
        self.count_bytes(id);
        self.new_revision(id);
        self.evict()
    }

    /// Changes an item, if it is still retained.
    pub fn change<R>(&mut self, id: u64, change: impl FnOnce(&mut Item) -> R) -> Option<R> {
        let changed = change(&mut self.entries.get_mut(&id)?.item);
        self.count_bytes(id);
        self.new_revision(id);
        drop(self.evict());
        Some(changed)
    }

    /// Updates the size of a request that got its answer.
    pub fn answered(&mut self, arrival: &Arc<Arrival>) {
        if let Some(held) = self.arrivals.get_mut(&address(arrival)) {
            self.bytes += arrival.bytes() - held.bytes;
            held.bytes = arrival.bytes();
            drop(self.evict());
        }
    }

    /// Removes and returns the oldest items above the limits.
    fn evict(&mut self) -> Vec<Item> {
        let mut gone = Vec::new();
        while self.entries.len() > MAX_ITEMS || (self.bytes > MAX_BYTES && self.entries.len() > 1) {
            let Some((oldest, _)) = self.entries.first_key_value() else { break };
            gone.extend(self.remove(*oldest));
        }
        while self.rejected.len() > MAX_REJECTED {
            let Some(oldest) = self.rejected.pop_front() else { break };
            gone.extend(self.remove(oldest));
        }
        gone
    }

    /// Updates the size of an item.
    fn count_bytes(&mut self, id: u64) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let bytes = entry.item.bytes();
        self.bytes = self.bytes + bytes - entry.bytes;
        entry.bytes = bytes;
        if !entry.item.arrivals.iter().map(address).eq(entry.arrivals.iter().copied()) {
            let before =
                std::mem::replace(&mut entry.arrivals, entry.item.arrivals.iter().map(address).collect());
            for arrival in &entry.item.arrivals {
                let held = self.arrivals.entry(address(arrival)).or_default();
                if held.items == 0 {
                    held.bytes = arrival.bytes();
                    self.bytes += held.bytes;
                }
                held.items += 1;
            }
            before.into_iter().for_each(|arrival| self.release(arrival));
        }
    }

    fn release(&mut self, arrival: usize) {
        let Some(held) = self.arrivals.get_mut(&arrival) else { return };
        held.items -= 1;
        if held.items == 0 {
            self.bytes -= held.bytes;
            self.arrivals.remove(&arrival);
        }
    }

    /// Returns the id of a message's item.
    pub fn id_of_message(&self, message_id: &str) -> Option<u64> {
        self.by_message.get(message_id).copied()
    }

    /// Returns an item.
    pub fn get(&self, id: u64) -> Option<&Item> {
        self.entries.get(&id).map(|entry| &entry.item)
    }

    /// Returns the number of items.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns the revision of the last change.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Returns the newest items older than `before`, newest first.
    pub fn older_than(&self, before: u64, most: usize) -> Vec<(u64, &Item)> {
        let older = self.entries.range(..before).rev().take(most);
        older.map(|(id, entry)| (*id, &entry.item)).collect()
    }

    /// Returns the items that changed after `revision`, in order, and the revision of the last of these
    /// changes.
    pub fn changed_after(&self, revision: u64, most: usize) -> (Vec<(u64, &Item)>, u64) {
        let mut last = revision;
        let changed = self.by_revision.range(revision + 1..).take(most).filter_map(|(revision, id)| {
            last = *revision;
            Some((*id, &self.entries.get(id)?.item))
        });
        (changed.collect(), last)
    }

    fn new_revision(&mut self, id: u64) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        self.revision += 1;
        self.by_revision.remove(&entry.revision);
        entry.revision = self.revision;
        self.by_revision.insert(self.revision, id);
    }

    fn remove(&mut self, id: u64) -> Option<Item> {
        let entry = self.entries.remove(&id)?;
        self.bytes -= entry.bytes;
        entry.arrivals.iter().for_each(|arrival| self.release(*arrival));
        self.by_revision.remove(&entry.revision);
        if let Some(message_id) = &entry.item.summary.message_id
            && self.by_message.get(message_id) == Some(&id)
        {
            self.by_message.remove(message_id);
        }
        Some(entry.item)
    }
}

fn address(arrival: &Arc<Arrival>) -> usize {
    Arc::as_ptr(arrival).addr()
}

#[cfg(test)]
mod tests {
    use axum::http::{Request, Response};
    use bytes::Bytes;
    use jiff::Timestamp;

    use super::*;

    fn item(message_id: &str, message: &str) -> Item {
        let mut item = Item::new(Timestamp::UNIX_EPOCH, "test");
        item.summary.message_id = Some(message_id.to_owned());
        item.message = Some(message.to_owned());
        item
    }

    fn ids(items: &[(u64, &Item)]) -> Vec<u64> {
        items.iter().map(|(id, _)| *id).collect()
    }

    #[test]
    fn only_the_newest_items_are_kept() {
        let mut items = RetainedItems::default();
        for number in 1..=MAX_ITEMS + 3 {
            drop(items.add(item(&number.to_string(), "{}")));
        }
        assert_eq!(
            (items.len(), items.by_message.len(), items.by_revision.len()),
            (MAX_ITEMS, MAX_ITEMS, MAX_ITEMS)
        );
        assert_eq!(items.id_of_message("3"), None);
        assert_eq!(items.id_of_message("4"), Some(4));
        assert_eq!(ids(&items.older_than(7, 10)), [6, 5, 4]);
        let large = "x".repeat(MAX_BYTES / 10);
        (0..20).for_each(|number| drop(items.add(item(&format!("l{number}"), &large))));
        assert!(
            items.len() <= 11 && items.bytes <= MAX_BYTES,
            "{} items, {} bytes",
            items.len(),
            items.bytes
        );
    }

    fn arrival(body: usize) -> Arc<Arrival> {
        let request = Request::post("/v1/batch").body(Bytes::from("x".repeat(body))).unwrap();
        Arc::new(Arrival::new(&request, Timestamp::UNIX_EPOCH))
    }

    #[test]
    fn a_shared_request_counts_once_with_its_answer() {
        let mut items = RetainedItems::default();
        let shared = arrival(100_000);
        for number in 0..10 {
            let mut one = item(&number.to_string(), "{}");
            one.arrivals.push(shared.clone());
            drop(items.add(one));
        }
        let before = items.bytes;
        assert!((100_000..150_000).contains(&before), "{before}");
        shared.answered(&Response::new("y".repeat(50_000).into()));
        items.answered(&shared);
        assert_eq!(items.bytes, before + 50_000);
        (1..=10).for_each(|id| drop(items.remove(id)));
        assert_eq!((items.bytes, items.arrivals.len()), (0, 0));
    }

    #[test]
    fn large_answers_and_repeated_requests_evict_the_oldest_items() {
        let mut items = RetainedItems::default();
        for number in 0..2_000 {
            let mut one = item(&number.to_string(), "{}");
            let request = arrival(5_000);
            one.arrivals.push(request.clone());
            drop(items.add(one));
            request.answered(&Response::new("y".repeat(170_000).into()));
            items.answered(&request);
        }
        assert!(
            items.bytes <= MAX_BYTES && items.len() < 400,
            "{} items, {} bytes",
            items.len(),
            items.bytes
        );
        let mut items = RetainedItems::default();
        (0..500).for_each(|number| drop(items.add(item(&number.to_string(), "{}"))));
        for number in 0..2_500 {
            let mut again = item("again", "{}");
            again.arrivals.push(arrival(127_000));
            items.change(1 + number % 500, |item| item.received_again(&again));
        }
        assert!(items.bytes <= MAX_BYTES, "{} bytes", items.bytes);
    }

    #[test]
    fn rejected_requests_evict_only_each_other() {
        let mut items = RetainedItems::default();
        drop(items.add(item("good", "{}")));
        for _ in 0..MAX_REJECTED + 5 {
            let mut refused = Item::new(Timestamp::UNIX_EPOCH, "test");
            refused.ended = Some((State::Rejected, "it is not authentic".to_owned()));
            drop(items.add(refused));
        }
        assert_eq!(items.len(), MAX_REJECTED + 1);
        assert!(items.id_of_message("good").is_some());
    }

    #[test]
    fn each_changed_item_is_returned_once_with_its_last_change() {
        let mut items = RetainedItems::default();
        (1..=3).for_each(|number| drop(items.add(item(&number.to_string(), "{}"))));
        let before = items.revision();
        items.change(1, |item| item.times += 1);
        items.change(3, |item| item.times += 1);
        items.change(1, |item| item.times += 1);
        assert_eq!(items.change(9, |item| item.times), None);
        let (changed, last) = items.changed_after(before, 1);
        assert_eq!(ids(&changed), [3]);
        let (changed, last) = items.changed_after(last, 10);
        assert_eq!((ids(&changed), changed[0].1.times), (vec![1], 3));
        assert_eq!(items.changed_after(last, 10).0.len(), 0);
    }
}
