//! The quota in SQLite: one row for each period.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Store, StoreError};
use crate::quota::{PERIOD_RETENTION, Quota, QuotaError};

/// The quota in SQLite. Cloning it is cheap.
#[derive(Clone)]
pub struct SqliteQuota {
    store: Store,
}

impl SqliteQuota {
    pub(super) fn new(store: Store) -> Self {
        Self { store }
    }
}

impl Quota for SqliteQuota {
    async fn take(&self, period: &str, amount: u64, limit: u64) -> Result<u64, QuotaError> {
        let (amount, limit) = (as_sql_integer(amount), as_sql_integer(limit));
        let (period, now) = (period.to_owned(), self.store.clock.now().as_second());
        let taken = self.store.run(move |connection| {
            // DynamoDB deletes expired items by itself.
            connection.prepare_cached("DELETE FROM quota WHERE expires_at <= ?1")?.execute([now])?;
            let granted = amount.min(limit - used(connection, &period)?).max(0);
            if granted > 0 {
                let expires_at = now.saturating_add_unsigned(PERIOD_RETENTION.as_secs());
                connection
                    .prepare_cached(
                        "INSERT INTO quota (period, used, expires_at) VALUES (?1, ?2, ?3)
                         ON CONFLICT (period) DO UPDATE SET used = used + excluded.used",
                    )?
                    .execute(params![period, granted, expires_at])?;
            }
            Ok(granted.unsigned_abs())
        });
        taken.await.map_err(quota_error)
    }

    async fn give_back(&self, period: &str, amount: u64) -> Result<(), QuotaError> {
        let (period, amount) = (period.to_owned(), as_sql_integer(amount));
        let given_back = self.store.run(move |connection| {
            connection
                .prepare_cached("UPDATE quota SET used = used - ?2 WHERE period = ?1 AND used >= ?2")?
                .execute(params![period, amount])
        });
        given_back.await.map(|_| ()).map_err(quota_error)
    }
}

/// Returns how much of the period's limit is taken.
fn used(connection: &Connection, period: &str) -> rusqlite::Result<i64> {
    let mut select = connection.prepare_cached("SELECT used FROM quota WHERE period = ?1")?;
    Ok(select.query_row([period], |row| row.get(0)).optional()?.unwrap_or(0))
}

/// Returns a number as SQLite can store it. Its range is enough for any service.
fn as_sql_integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn quota_error(error: StoreError) -> QuotaError {
    QuotaError(error.into())
}
