//! The ledger of sign-ups.

use rusqlite::params;
use segment::timestamp;

use super::{Store, StoreError};
use crate::ledger::{Claim, Ledger, LedgerError};

/// The ledger in SQLite. Cloning it is cheap.
#[derive(Clone)]
pub struct SqliteLedger {
    store: Store,
}

impl SqliteLedger {
    pub(super) fn new(store: Store) -> Self {
        Self { store }
    }

    /// Adds the user's row if there is none. Returns whether the sign-up is confirmed.
    async fn remember(&self, user: &str, signed_up_before: bool) -> Result<bool, StoreError> {
        let (user, now) = (user.to_owned(), timestamp::format(self.store.clock.now()));
        self.store
            .accept(move |connection| {
                connection
                    .prepare_cached(
                        "INSERT INTO ledger (user, confirmed, claimed_at) VALUES (?1, ?2, ?3)
                         ON CONFLICT (user) DO NOTHING",
                    )?
                    .execute(params![user, signed_up_before, now])?;
                connection
                    .prepare_cached("SELECT confirmed FROM ledger WHERE user = ?1")?
                    .query_row([user], |row| row.get(0))
            })
            .await
    }
}

impl Ledger for SqliteLedger {
    async fn claim(&self, user: &str, signed_up_before: bool) -> Result<Claim, LedgerError> {
        let confirmed =
            self.remember(user, signed_up_before).await.map_err(|error| LedgerError(error.into()))?;
        Ok(if confirmed { Claim::Login } else { Claim::SignUp })
    }

    async fn confirm(&self, user: &str) -> Result<(), LedgerError> {
        let (user, now) = (user.to_owned(), timestamp::format(self.store.clock.now()));
        let confirmed = self.store.run(move |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO ledger (user, confirmed, claimed_at) VALUES (?1, TRUE, ?2)
                     ON CONFLICT (user) DO UPDATE SET confirmed = TRUE",
                )?
                .execute(params![user, now])
        });
        confirmed.await.map(|_| ()).map_err(|error| LedgerError(error.into()))
    }
}
