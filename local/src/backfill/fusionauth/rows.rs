//! Paging by row numbers through a list that changes meanwhile.
//!
//! A list in a fixed order, of which a page begins at a row number: when somebody before that row is deleted, all
//! others move up, and the next page would begin behind the one who is next. So each page begins with the last one of
//! the page before; where that one or anybody before is gone, it is asked for again from further up.

/// Where to read on.
pub struct Rows<K> {
    row: u64,
    last: Option<K>,
    back: u64,
    /// Where the page before began, when it had nothing new.
    fruitless: Option<K>,
}

/// What a page comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Page {
    /// All but so many at its beginning are new.
    New(usize),
    /// Nothing, and another has to be asked for.
    Again,
    /// There are no more.
    End,
}

/// Why nothing can be told from a page.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not in order.
    NotInOrder,
    /// It is the page before again, where another one was asked for.
    Repeated,
}

impl Fault {
    /// The sentence for people about pages of `what`, which are sorted by `by`.
    pub fn of(&self, what: &str, by: &str) -> String {
        let fault = match self {
            Self::NotInOrder => {
                format!("does not sort {what} by {by} as it was asked to, so that some could be missed")
            }
            Self::Repeated => format!("gives the same page of {what} again where the next one was asked for"),
        };
        format!("FusionAuth {fault}; is --url its address? If so, please report it with FusionAuth's version")
    }
}

impl<K: Ord + Clone> Rows<K> {
    /// Goes on after `last`, which was at `row` or somewhere near.
    pub fn after(row: u64, last: Option<K>) -> Self {
        Self { row, last, back: 1, fruitless: None }
    }

    /// The row that the next page begins with.
    pub fn next(&self) -> u64 {
        self.row
    }

    /// What to do with the page that begins there.
    pub fn take(&mut self, keys: &[K]) -> Result<Page, Fault> {
        if !keys.is_sorted_by(|a, b| a < b) {
            return Err(Fault::NotInOrder);
        }
        let fruitless = self.fruitless.take();
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
        if fruitless.is_some() && keys.first() <= fruitless.as_ref() {
            return Err(Fault::Repeated);
        }
        self.fruitless = keys.first().cloned();
        Ok(Page::Again)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_page_that_comes_again_and_again_is_a_fault() {
        let mut rows = Rows::after(0, None);
        let page = [1, 2, 3];
        assert_eq!(rows.take(&page), Ok(Page::New(0)));
        assert_eq!(rows.take(&page), Ok(Page::Again), "it may have moved");
        assert_eq!(rows.take(&page), Err(Fault::Repeated));
    }

    #[test]
    fn nobody_is_missed_or_repeated_however_the_list_shrinks_and_grows() {
        for seed in 0..500 {
            let mut random = fastrand::Rng::with_seed(seed);
            let size = random.usize(2..6);
            let mut list: BTreeSet<u32> = (0..random.u32(0..40)).collect();
            let mut next = list.len() as u32;
            let (mut seen, mut deleted, mut rows) = (Vec::new(), BTreeSet::new(), Rows::after(0, None));
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
                    // A crash: what is kept is the last one and about where it was.
                    rows = Rows::after(random.u64(0..60), seen.last().copied());
                    if seen.is_empty() {
                        rows = Rows::after(0, None);
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
        assert_eq!(Rows::after(0, None).take(&[2, 1]), Err(Fault::NotInOrder));
        assert_eq!(Rows::after(0, None).take(&[1, 1]), Err(Fault::NotInOrder));
        assert_eq!(Rows::<u8>::after(0, None).take(&[]), Ok(Page::End));
    }
}
