//! Paging by row numbers through a sorted list that changes while it is read.
//!
//! A page begins at a row number. When an earlier entry is deleted, all later entries move up, and the next
//! page would skip one. So each page begins with the last entry of the page before. If that entry is not
//! there, the page is requested again from an earlier row.

/// Requests pages that overlap by one entry, and steps back when entries have moved up.
pub struct RowPager<K> {
    row: u64,
    last: Option<K>,
    back: u64,
    /// The first key of the page before, if that page had nothing new.
    nothing_new: Option<K>,
}

/// The result of a page.
#[derive(Debug, PartialEq, Eq)]
pub enum Page {
    /// All entries are new, except this many at the beginning.
    New(usize),
    /// Nothing new. Request another page.
    Again,
    /// There are no more entries.
    End,
}

/// Why a page cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not in order.
    NotInOrder,
    /// It is the page before again.
    Repeated,
}

impl Fault {
    /// Returns a sentence about pages of `what`, sorted by `by`.
    pub fn describe(&self, what: &str, by: &str) -> String {
        let fault = match self {
            Self::NotInOrder => {
                format!("does not sort {what} by {by} as requested, so some could be missed")
            }
            Self::Repeated => format!("returns the same page of {what} again instead of the next one"),
        };
        format!(
            "FusionAuth {fault}; check --url. If the address is right, please report this with FusionAuth's version"
        )
    }
}

impl<K: Ord + Clone> RowPager<K> {
    /// Continues after `last`, which was at `row` or near it.
    pub fn after(row: u64, last: Option<K>) -> Self {
        Self { row, last, back: 1, nothing_new: None }
    }

    /// Returns the row at which the next page begins.
    pub fn next(&self) -> u64 {
        self.row
    }

    /// Takes the keys of the page that begins there, and returns what to do with it.
    pub fn take(&mut self, keys: &[K]) -> Result<Page, Fault> {
        if !keys.is_sorted_by(|a, b| a < b) {
            return Err(Fault::NotInOrder);
        }
        let nothing_new = self.nothing_new.take();
        let begins_late = match (&self.last, keys.first()) {
            (Some(last), Some(first)) => first > last,
            (_, first) => first.is_none(),
        };
        if begins_late && self.row > 0 {
            self.row = self.row.saturating_sub(self.back);
            self.back *= 2;
            return Ok(Page::Again);
        }
        self.back = 1;
        let known = self.last.as_ref().map_or(0, |last| keys.partition_point(|key| key <= last));
        self.row += keys.len().saturating_sub(1) as u64;
        if known < keys.len() {
            self.last = keys.last().cloned();
            return Ok(Page::New(known));
        }
        if keys.len() <= 1 {
            return Ok(Page::End);
        }
        // A page from a later row begins later, unless it is the same page.
        if nothing_new.is_some() && keys.first() <= nothing_new.as_ref() {
            return Err(Fault::Repeated);
        }
        self.nothing_new = keys.first().cloned();
        Ok(Page::Again)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_page_that_is_repeated_is_a_fault() {
        let mut rows = RowPager::after(0, None);
        let page = [1, 2, 3];
        assert_eq!(rows.take(&page), Ok(Page::New(0)));
        assert_eq!(rows.take(&page), Ok(Page::Again), "entries may have moved");
        assert_eq!(rows.take(&page), Err(Fault::Repeated));
    }

    #[test]
    fn no_entry_is_missed_or_repeated_while_the_list_shrinks_and_grows() {
        for seed in 0..500 {
            let mut random = fastrand::Rng::with_seed(seed);
            let size = random.usize(2..6);
            let mut list: BTreeSet<u32> = (0..random.u32(0..40)).collect();
            let mut next = list.len() as u32;
            let (mut seen, mut deleted, mut rows) = (Vec::new(), BTreeSet::new(), RowPager::after(0, None));
            loop {
                let page: Vec<u32> =
                    list.iter().skip(usize::try_from(rows.next()).unwrap()).take(size).copied().collect();
                match rows.take(&page).unwrap() {
                    Page::New(known) => seen.extend_from_slice(&page[known..]),
                    Page::Again => {}
                    Page::End => break,
                }
                if random.bool() && seen.len() < 60 {
                    list.insert(next);
                    next += 1;
                }
                for _ in 0..random.usize(0..3) {
                    if let Some(gone) = random.choice(list.iter().copied().collect::<Vec<_>>()) {
                        list.remove(&gone);
                        deleted.insert(gone);
                    }
                }
                if random.u8(0..8) == 0 {
                    // A crash: the checkpoint holds the last entry and about its row.
                    rows = RowPager::after(random.u64(0..60), seen.last().copied());
                    if seen.is_empty() {
                        rows = RowPager::after(0, None);
                    }
                }
            }
            assert!(seen.is_sorted_by(|a, b| a < b), "seed {seed}: {seen:?}");
            for key in 0..next {
                assert!(seen.contains(&key) || deleted.contains(&key), "seed {seed}: {key} of {seen:?}");
            }
        }
    }

    #[test]
    fn a_page_out_of_order_is_refused() {
        assert_eq!(RowPager::after(0, None).take(&[2, 1]), Err(Fault::NotInOrder));
        assert_eq!(RowPager::after(0, None).take(&[1, 1]), Err(Fault::NotInOrder));
        assert_eq!(RowPager::<u8>::after(0, None).take(&[]), Ok(Page::End));
    }
}
