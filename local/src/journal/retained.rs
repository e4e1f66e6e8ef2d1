//! The newest items in memory, and the order of their changes.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::{Item, State, text::Texts};

/// The most items.
pub const MAX_ITEMS: usize = 10_000;

/// The most memory of all items with their texts, in bytes.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;

/// The most rejected requests among them. Strangers send those, and they must not evict accepted messages.
pub const MAX_REJECTED: usize = 1_000;

/// The most remembered changes. All but the last one of each item are forgotten then.
const MAX_CHANGES: usize = 4 * MAX_ITEMS;

/// The items by ascending id. Each change gives an item a new revision.
pub struct RetainedItems {
    entries: BTreeMap<u64, Box<Entry>>,
    by_message: HashMap<String, u64>,
    /// The revision of each change, and the id of its item. Only the last change of an item counts.
    changes: VecDeque<(u64, u64)>,
    rejected: VecDeque<u64>,
    last: u64,
    revision: u64,
    /// The size of all items without their texts.
    bytes: usize,
    texts: Texts,
}

struct Entry {
    item: Item,
    revision: u64,
    /// The counted size.
    bytes: usize,
}

impl RetainedItems {
    /// Creates an empty list of items that keep their texts in `texts`.
    pub fn new(texts: Texts) -> Self {
        Self {
            entries: BTreeMap::new(),
            by_message: HashMap::new(),
            changes: VecDeque::new(),
            rejected: VecDeque::new(),
            last: 0,
            revision: 0,
            bytes: 0,
            texts,
        }
    }

    /// Adds an item.
    pub fn add(&mut self, item: Item) {
        self.last += 1;
        let id = self.last;
        if let Some(message_id) = &item.message_id {
            self.by_message.insert(message_id.clone(), id);
        }
        if item.state() == State::Rejected {
            self.rejected.push_back(id);
        }
        self.entries.insert(id, Box::new(Entry { item, revision: 0, bytes: 0 }));
        self.changed(id);
    }

    /// Changes an item, if it is still retained.
    pub fn change<R>(&mut self, id: u64, change: impl FnOnce(&mut Item) -> R) -> Option<R> {
        let changed = change(&mut self.entries.get_mut(&id)?.item);
        self.changed(id);
        Some(changed)
    }

    /// Changes the items of these messages.
    pub fn change_each(&mut self, message_ids: &[String], mut change: impl FnMut(&mut Item)) {
        for message_id in message_ids {
            if let Some(id) = self.id_of_message(message_id) {
                self.change(id, &mut change);
            }
        }
    }

    /// Removes the oldest items above the limits.
    pub fn evict(&mut self) {
        let is_over = |items: &Self| {
            let (count, bytes) = (items.entries.len(), items.bytes + items.texts.bytes());
            count > MAX_ITEMS || (bytes > MAX_BYTES && count > 1)
        };
        while is_over(self) {
            self.shrink_to(self.entries.len() - 1);
        }
        while self.rejected.len() > MAX_REJECTED
            && let Some(oldest) = self.rejected.pop_front()
        {
            self.remove(oldest);
        }
    }

    /// Removes the oldest items above this number.
    pub fn shrink_to(&mut self, most: usize) {
        while self.entries.len() > most
            && let Some((oldest, _)) = self.entries.first_key_value()
        {
            self.remove(*oldest);
        }
    }

    /// Counts the size of a changed item, and gives it a new revision.
    fn changed(&mut self, id: u64) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        self.revision += 1;
        entry.revision = self.revision;
        let (bytes, before) = (entry.item.bytes(), entry.bytes);
        entry.bytes = bytes;
        self.bytes = self.bytes + bytes - before;
        self.changes.push_back((self.revision, id));
        if self.changes.len() > MAX_CHANGES {
            let changes = std::mem::take(&mut self.changes);
            self.changes = changes.into_iter().filter(|change| self.is_last(*change)).collect();
        }
        self.evict();
    }

    /// Whether this is the last change of its item.
    fn is_last(&self, (revision, id): (u64, u64)) -> bool {
        self.entries.get(&id).is_some_and(|entry| entry.revision == revision)
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
        let start = self.changes.partition_point(|(known, _)| *known <= revision);
        let changed = self.changes.range(start..).filter(|change| self.is_last(**change)).take(most);
        let changed = changed.filter_map(|(revision, id)| {
            last = *revision;
            Some((*id, self.get(*id)?))
        });
        (changed.collect(), last)
    }

    fn remove(&mut self, id: u64) {
        let Some(entry) = self.entries.remove(&id) else { return };
        self.bytes -= entry.bytes;
        if let Some(message_id) = &entry.item.message_id
            && self.by_message.get(message_id) == Some(&id)
        {
            self.by_message.remove(message_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::http::{Request, Response};
    use bytes::Bytes;
    use jiff::Timestamp;

    use super::{
        super::{Arrival, Source},
        *,
    };

    fn list() -> (RetainedItems, Texts) {
        let texts = Texts::default();
        (RetainedItems::new(texts.clone()), texts)
    }

    fn item(message_id: &str, message: &str, texts: &Texts) -> Item {
        let mut item = Item::new(Timestamp::UNIX_EPOCH, Source::Named("test".to_owned()));
        item.message_id = Some(message_id.to_owned());
        item.message = Some(texts.keep(message.to_owned()));
        item
    }

    fn ids(items: &[(u64, &Item)]) -> Vec<u64> {
        items.iter().map(|(id, _)| *id).collect()
    }

    #[test]
    fn only_the_newest_items_are_kept() {
        let (mut items, texts) = list();
        for number in 1..=MAX_ITEMS + 3 {
            items.add(item(&number.to_string(), "{}", &texts));
        }
        assert_eq!((items.len(), items.by_message.len()), (MAX_ITEMS, MAX_ITEMS));
        assert_eq!(items.id_of_message("3"), None);
        assert_eq!(items.id_of_message("4"), Some(4));
        assert_eq!(ids(&items.older_than(7, 10)), [6, 5, 4]);
        // Random bytes do not become smaller.
        let large = |_| (0..MAX_BYTES / 10).map(|_| fastrand::alphanumeric()).collect::<String>();
        (0..20).map(large).for_each(|large| items.add(item("large", &large, &texts)));
        let bytes = items.bytes + texts.bytes();
        assert!(items.len() <= 20 && bytes <= MAX_BYTES, "{} items, {bytes} bytes", items.len());
        items.shrink_to(0);
        assert_eq!((items.len(), items.bytes, texts.bytes()), (0, 0, 0));
    }

    fn arrival(body: usize, texts: &Texts) -> Arc<Arrival> {
        let body: String = (0..body).map(|_| fastrand::alphanumeric()).collect();
        let request = Request::post("/v1/batch").body(Bytes::from(body)).unwrap();
        Arc::new(Arrival::new(&request, Timestamp::UNIX_EPOCH, texts))
    }

    #[test]
    fn a_shared_request_counts_once_with_its_answer() {
        let (mut items, texts) = list();
        let shared = arrival(100_000, &texts);
        for number in 0..10 {
            let mut one = item(&number.to_string(), "{}", &texts);
            one.arrivals.push(shared.clone());
            items.add(one);
        }
        assert!((100_000..101_000).contains(&texts.bytes()), "{}", texts.bytes());
        shared.answered(&Response::new("y".repeat(50_000).into()), None, &texts);
        assert!((150_000..151_000).contains(&texts.bytes()), "{}", texts.bytes());
        drop(shared);
        items.shrink_to(0);
        assert_eq!((items.bytes, texts.bytes()), (0, 0));
    }

    #[test]
    fn large_answers_and_repeated_requests_evict_the_oldest_items() {
        let (mut items, texts) = list();
        for number in 0..300 {
            let mut one = item(&number.to_string(), "{}", &texts);
            let request = arrival(5_000, &texts);
            one.arrivals.push(request.clone());
            items.add(one);
            let answer: String = (0..100_000).map(|_| fastrand::alphanumeric()).collect();
            request.answered(&Response::new(answer.into()), None, &texts);
        }
        items.evict();
        let bytes = items.bytes + texts.bytes();
        assert!(bytes <= MAX_BYTES && items.len() < 250, "{} items, {bytes} bytes", items.len());
        let (mut items, texts) = list();
        (0..50).for_each(|number| items.add(item(&number.to_string(), "{}", &texts)));
        for number in 0..300 {
            let mut again = item("again", "{}", &texts);
            again.arrivals.push(arrival(127_000, &texts));
            items.change(1 + number % 50, |item| item.received_again(&again));
        }
        assert!(items.bytes + texts.bytes() <= MAX_BYTES, "{} bytes", texts.bytes());
    }

    #[test]
    fn rejected_requests_evict_only_each_other() {
        let (mut items, texts) = list();
        items.add(item("good", "{}", &texts));
        for _ in 0..MAX_REJECTED + 5 {
            let mut refused = Item::new(Timestamp::UNIX_EPOCH, Source::Named("test".to_owned()));
            refused.ended = Some((State::Rejected, "it is not authentic".to_owned()));
            items.add(refused);
        }
        assert_eq!(items.len(), MAX_REJECTED + 1);
        assert!(items.id_of_message("good").is_some());
    }

    #[test]
    fn each_changed_item_is_returned_once_with_its_last_change() {
        let (mut items, texts) = list();
        (1..=3).for_each(|number| items.add(item(&number.to_string(), "{}", &texts)));
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
        // Most changes are forgotten, but never the last one of an item.
        (0..3 * MAX_CHANGES).for_each(|_| items.change(2, |item| item.times += 1).unwrap());
        assert!(items.changes.len() <= MAX_CHANGES);
        let (changed, _) = items.changed_after(before, 10);
        assert_eq!(ids(&changed), [3, 1, 2]);
    }
}
