//! Receives messages from a queue, and dead-letters the ones that cannot be delivered.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{
    damage,
    in_flight::{self, Held, InFlight},
};
use crate::{
    delivery_state::{self, ATTEMPTS},
    queue::Received,
    topic::Attributes,
};

/// How many times a message is received, without being put back or deleted, before it goes to the dead-letter
/// queue: it crashes or blocks its consumers. The SQS redrive policy in `template.yaml` has the same number.
pub const MAX_RECEIVE_COUNT: u32 = 10;

/// The reason for a message that was received too often.
const RECEIVE_LIMIT: DeadLetterReason = DeadLetterReason {
    failure: "receive_limit",
    reason: "it was received ten times, and each time the process that delivers it ended or hung before it was done",
};

/// The reason for a row that cannot be read.
const DAMAGED: DeadLetterReason = DeadLetterReason { failure: damage::FAILURE, reason: damage::REASON };

/// The result of one poll.
#[derive(Default)]
pub(super) struct PollResult {
    pub received: Vec<Received>,
    /// The messages that went to the dead-letter queue, by the ids of their rows.
    pub dead_lettered: Vec<(i64, DeadLetterReason)>,
}

/// One poll of a queue.
pub(super) struct Poll {
    pub queue: &'static str,
    pub dead_letter: String,
    /// The queue's time, in milliseconds, as are the next two.
    pub now: i64,
    /// When the received messages become visible again.
    pub until: i64,
    /// No visibility timeout or delay ends after this time.
    pub too_late: i64,
    /// The time of day.
    pub today: Timestamp,
}

impl Poll {
    /// Receives messages, and holds them in this slot.
    pub fn receive(
        &self,
        connection: &Connection,
        in_flight: &InFlight,
        slot: usize,
        most: u32,
    ) -> rusqlite::Result<PollResult> {
        let mut result = PollResult::default();
        let mut ids = Vec::new();
        for row in self.visible(connection, in_flight, most)? {
            match row.deliverable() {
                Ok((receive_count, message)) => {
                    if row.timed_out.is_some() || row.visible_at.is_none_or(|at| at > self.now) {
                        connection
                            .prepare_cached(
                                "UPDATE message SET receive_count = ?2, visible_at = ?3 WHERE id = ?1",
                            )?
                            .execute(params![row.id, row.receive_count, self.now])?;
                    }
                    in_flight
                        .hold(row.id, Held { queue: self.queue, receive_count, until: self.until, slot });
                    ids.push(row.id);
                    result.received.push(message);
                }
                Err(reason) => {
                    self.dead_letter(connection, &row, &reason)?;
                    if let Some(receive_count) = row.timed_out {
                        in_flight.release(&[(row.id, receive_count)]);
                    }
                    result.dead_lettered.push((row.id, reason));
                }
            }
        }
        if !ids.is_empty() {
            in_flight::write(connection, slot, &ids)?;
        }
        Ok(result)
    }

    /// Dead-letters the messages of unknown queues. Returns their rows' ids with the reason.
    pub fn dead_letter_orphans(
        &self,
        connection: &Connection,
        known: &[String],
    ) -> rusqlite::Result<Vec<(i64, DeadLetterReason)>> {
        let known = serde_json::to_string(known).unwrap_or_default();
        // Steps from one name to the next in the index: a scan would read every message that waits.
        let mut select = connection.prepare_cached(
            "WITH RECURSIVE name (queue) AS (
               SELECT min(queue) FROM message
               UNION ALL SELECT (SELECT min(queue) FROM message WHERE queue > name.queue) FROM name
                         WHERE name.queue IS NOT NULL)
             SELECT id, body, attributes, sent_at, receive_count, visible_at FROM message
             WHERE queue IN (SELECT queue FROM name
                             WHERE queue IS NOT NULL AND queue NOT IN (SELECT value FROM json_each(?1)))",
        )?;
        let strays: Vec<Row> = select.query_map([known], Row::read)?.collect::<Result<_, _>>()?;
        strays.iter().try_for_each(|row| self.dead_letter(connection, row, &DAMAGED))?;
        Ok(strays.iter().map(|row| (row.id, DAMAGED)).collect())
    }

    /// Returns the messages to receive. A message that waits for longer than possible was put back while the
    /// clock was wrong, or its row is damaged: it is received now.
    fn visible(
        &self,
        connection: &Connection,
        in_flight: &InFlight,
        most: u32,
    ) -> rusqlite::Result<Vec<Row>> {
        let due = "SELECT id FROM message WHERE queue = ?1 AND visible_at <= ?2 ORDER BY visible_at, id";
        let too_late = "SELECT id FROM message WHERE queue = ?1 AND visible_at > ?2 ORDER BY visible_at, id";
        // The index alone has the ids, so the messages in flight are passed over without reading their rows.
        let mut row = connection.prepare_cached(
            "SELECT id, body, attributes, sent_at, receive_count, visible_at FROM message WHERE id = ?1",
        )?;
        let mut rows = Vec::new();
        for (select, time) in [(due, self.now), (too_late, self.too_late)] {
            let mut select = connection.prepare_cached(select)?;
            let mut ids = select.query(params![self.queue, time])?;
            while rows.len() < most as usize
                && let Some(next) = ids.next()?
            {
                let id = next.get(0)?;
                let held = in_flight.get(id);
                if held.is_some_and(|held| held.until > self.now) {
                    continue;
                }
                let mut row = row.query_row([id], Row::read)?;
                row.timed_out = held.map(|held| held.receive_count);
                row.receive_count = row.timed_out.or(row.receive_count);
                rows.push(row);
            }
        }
        Ok(rows)
    }

    /// Moves a message to the dead-letter queue, with the reason. Its body stays as it is, readable or not.
    fn dead_letter(
        &self,
        connection: &Connection,
        row: &Row,
        reason: &DeadLetterReason,
    ) -> rusqlite::Result<()> {
        let (Ok(known) | Err(known)) = &row.attributes;
        let mut attributes = known.clone();
        // Each receive may have led to an attempt.
        let attempts = delivery_state::attempts(&attributes).saturating_add(row.receive_count.unwrap_or(0));
        attributes.insert(ATTEMPTS.to_owned(), attempts.to_string());
        delivery_state::mark_dead_lettered(
            &mut attributes,
            reason.failure,
            reason.reason.to_owned(),
            None,
            self.today,
        );
        connection
            .prepare_cached(
                "UPDATE message SET queue = ?2, attributes = ?3, sent_at = ?4, visible_at = ?4, receive_count = 0
                 WHERE id = ?1",
            )?
            .execute(params![row.id, self.dead_letter, text(&attributes), self.now])?;
        Ok(())
    }
}

/// Returns attributes as their column holds them.
pub(super) fn text(attributes: &Attributes) -> String {
    // A map of strings always has a JSON form.
    serde_json::to_string(attributes).unwrap_or_default()
}

/// Why a message goes to the dead-letter queue without an attempt.
#[derive(Clone, Copy)]
pub(super) struct DeadLetterReason {
    pub failure: &'static str,
    pub reason: &'static str,
}

/// A message's row.
struct Row {
    id: i64,
    body: Option<String>,
    attributes: Result<Attributes, Attributes>,
    sent_at: Option<i64>,
    receive_count: Option<u32>,
    visible_at: Option<i64>,
    /// The receive count of a consumer that did not finish it within its visibility timeout.
    timed_out: Option<u32>,
}

impl Row {
    fn read(row: &rusqlite::Row) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            body: damage::text(row, 1)?,
            attributes: damage::attributes(row, 2)?,
            sent_at: damage::number(row, 3)?,
            receive_count: damage::number(row, 4)?.and_then(|count| count.try_into().ok()),
            visible_at: damage::number(row, 5)?,
            timed_out: None,
        })
    }

    /// Returns how many times the message was received, with this time, and the message; or why it cannot be
    /// delivered.
    fn deliverable(&self) -> Result<(u32, Received), DeadLetterReason> {
        let (Some(body), Ok(attributes), Some(sent_at), Some(count)) =
            (&self.body, &self.attributes, self.sent_at, self.receive_count)
        else {
            return Err(DAMAGED);
        };
        if count >= MAX_RECEIVE_COUNT {
            return Err(RECEIVE_LIMIT);
        }
        let message = Received {
            id: format!("{}/{}", self.id, count + 1),
            body: body.clone(),
            attributes: attributes.clone(),
            sent_at: Timestamp::from_millisecond(sent_at).map_err(|_| DAMAGED)?,
        };
        Ok((count + 1, message))
    }
}
