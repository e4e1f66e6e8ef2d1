//! The dead-letter queue of a queue: what is in it, and how it leaves.

use rusqlite::{Connection, params};

use super::{EmbeddedQueue, StoreError, queue::count};
use crate::topic::Attributes;

/// A message in a dead-letter queue.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// The store's own id of it, which no other message ever has.
    pub id: i64,
    /// The message, or a list of those that were sent together, as JSON.
    pub body: String,
    /// What was published with it, and why it is here.
    pub attributes: Attributes,
}

impl EmbeddedQueue {
    /// How many messages the dead-letter queue holds.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed.
    pub async fn dead_letter_depth(&self) -> Result<u64, StoreError> {
        count(&self.store, self.dead_letter_name()).await
    }

    /// The newest messages of the dead-letter queue, `most` of them at most, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed.
    pub async fn dead_letters(&self, most: u32) -> Result<Vec<DeadLetter>, StoreError> {
        let name = self.dead_letter_name();
        let order = "SELECT id, body, attributes FROM message WHERE queue = ?1 ORDER BY id DESC LIMIT ?2";
        self.store
            .run(move |connection| {
                let mut select = connection.prepare_cached(order)?;
                let newest = select.query_map(params![name, most], read)?;
                let mut letters: Vec<DeadLetter> = newest.collect::<Result<_, _>>()?;
                letters.reverse();
                Ok(letters)
            })
            .await
    }

    /// Moves the messages of the dead-letter queue that are `wanted` back into the queue, as AWS's own redrive does,
    /// and returns them. With `dry_run` they stay where they are.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed; nothing is moved then.
    pub async fn redrive(
        &self,
        dry_run: bool,
        wanted: impl Fn(&DeadLetter) -> bool + Send + 'static,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let (name, now) = (self.name, self.store.now());
        let back = "UPDATE message SET queue = ?2, visible_at = ?3, sent_at = ?3 WHERE id = ?1";
        let redriven = self.each_dead_letter(wanted, move |connection, letter| {
            if !dry_run {
                connection.prepare_cached(back)?.execute(params![letter.id, name, now])?;
            }
            Ok(())
        });
        let redriven = redriven.await?;
        self.store.arrived.notify_waiters();
        Ok(redriven)
    }

    /// Removes the messages of the dead-letter queue that are `wanted`, for good, and returns them. With `dry_run` they
    /// stay where they are.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed; nothing is removed then.
    pub async fn purge(
        &self,
        dry_run: bool,
        wanted: impl Fn(&DeadLetter) -> bool + Send + 'static,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let purged = self.each_dead_letter(wanted, move |connection, letter| {
            if !dry_run {
                connection.prepare_cached("DELETE FROM message WHERE id = ?1")?.execute([letter.id])?;
            }
            Ok(())
        });
        purged.await
    }

    /// Does something with each that is wanted, oldest first, and returns those.
    async fn each_dead_letter(
        &self,
        wanted: impl Fn(&DeadLetter) -> bool + Send + 'static,
        act: impl Fn(&Connection, &DeadLetter) -> rusqlite::Result<()> + Send + 'static,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let name = self.dead_letter_name();
        self.store
            .run(move |connection| {
                let mut select = connection.prepare_cached(
                    "SELECT id, body, attributes FROM message WHERE queue = ?1 ORDER BY id",
                )?;
                let letters: Vec<DeadLetter> = select.query_map([name], read)?.collect::<Result<_, _>>()?;
                let letters: Vec<DeadLetter> = letters.into_iter().filter(|letter| wanted(letter)).collect();
                letters.iter().try_for_each(|letter| act(connection, letter))?;
                Ok(letters)
            })
            .await
    }
}

fn read(row: &rusqlite::Row) -> rusqlite::Result<DeadLetter> {
    let attributes: String = row.get(2)?;
    let attributes = serde_json::from_str(&attributes).unwrap_or_default();
    Ok(DeadLetter { id: row.get(0)?, body: row.get(1)?, attributes })
}
