//! Tables in which a statement takes too long. A trigger of the user may take its time for each row, and must take it from
//! no other table.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;

use crate::prepare::{Pending, TableName};

/// How long the messages of a slow table wait. Each attempt takes the longest time of a statement from the others.
const PAUSE: Duration = Duration::from_secs(60);

/// How long the messages wait that are too many for one batch.
const NEXT_BATCH: Duration = Duration::from_secs(1);

/// The most messages of any batch.
const MANY: usize = 1_000;

/// The slow tables.
#[derive(Debug, Default)]
pub struct SlowTables(HashMap<TableName, Slow>);

#[derive(Debug)]
struct Slow {
    /// When its messages may be tried again.
    free_at: Timestamp,
    /// The most messages that it gets in one batch.
    most: usize,
}

impl SlowTables {
    /// Leaves the messages out that must wait, and passes each to `hold` with its wait. Returns the others.
    pub fn without_held<'m>(
        &self,
        mut pending: Vec<Pending<'m>>,
        now: Timestamp,
        mut hold: impl FnMut(Pending<'m>, Duration),
    ) -> Vec<Pending<'m>> {
        for (table, slow) in &self.0 {
            let wait = Duration::try_from(slow.free_at.duration_since(now)).unwrap_or_default();
            let most = if wait.is_zero() { slow.most } else { 0 };
            let mut taken = 0;
            pending.retain(|one| {
                let is_held = one.is_in(table) && taken == most;
                taken += usize::from(one.is_in(table) && !is_held);
                if is_held {
                    hold(*one, wait.max(NEXT_BATCH));
                }
                !is_held
            });
        }
        pending
    }

    /// Notes that a statement with these messages took too long. The table gets half as many next time.
    pub fn add(&mut self, table: &TableName, group: &[Pending<'_>], now: Timestamp) {
        let most = (group.iter().filter(|one| one.is_in(table)).count() / 2).max(1);
        let free_at = now.saturating_add(PAUSE).unwrap_or(now);
        self.0.insert(table.clone(), Slow { free_at, most });
    }

    /// Notes that these messages were written. A table that took as many as it may gets twice as many next time.
    pub fn written(&mut self, group: &[Pending<'_>]) {
        self.0.retain(|table, slow| {
            if group.iter().filter(|one| one.is_in(table)).count() >= slow.most {
                slow.most *= 2;
            }
            slow.most < MANY
        });
    }
}
