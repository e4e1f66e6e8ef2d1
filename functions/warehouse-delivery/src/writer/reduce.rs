//! Narrows a message that PostgreSQL refuses down to the values that it refuses.

use serde_json::Value;

use super::{Failed, Writer, refused};
use crate::{
    failure::Cause,
    prepare::{Pending, Refused},
    record::{Row, Rows},
};

/// The bytes of a row that are left for values: a page of 8,192 without its header, and the row without its header, its map
/// of nulls and its standard columns (PostgreSQL docs, "Database Page Layout").
const ROW_BYTES: usize = 7_600;

/// The most bytes of a value in its row. PostgreSQL stores a longer one elsewhere, and keeps a pointer of 18 bytes.
const VALUE_BYTES: usize = 24;

impl Writer<'_> {
    /// Settles one message that PostgreSQL refuses. If it refuses a value, everything else of the message is written.
    pub(super) async fn reduce(&mut self, one: Pending<'_>, failed: Failed) -> Result<(), Failed> {
        let failed = match failed.cause {
            Cause::Value => match self.without_refused(one, failed).await? {
                Some(failed) => failed,
                None => return Ok(()),
            },
            _ => failed,
        };
        self.outcomes[one.index] = Some(refused(one, failed));
        Ok(())
    }

    /// Finds the values of a message that PostgreSQL refuses, and writes the message without them. Returns the failure if
    /// PostgreSQL refuses the row without any value too.
    async fn without_refused(&mut self, one: Pending<'_>, failed: Failed) -> Result<Option<Failed>, Failed> {
        let Some(rows) = one.rows() else { return Ok(Some(failed)) };
        if self.fits_without_last_values(one, rows, &failed).await? {
            return Ok(None);
        }
        let of_cells = |row: &Row| {
            rows.cells_of(row)
                // A rule of the user's own may need these.
                .filter(|cell| !row.kind.is_standard(&cell.column))
                .map(|cell| (row.table.to_string(), cell.column.to_string()))
                .collect::<Vec<_>>()
        };
        let all: Vec<(String, String)> = rows.rows.iter().flat_map(of_cells).collect();
        // A value is accepted as soon as PostgreSQL takes it together with those that were accepted before: some are
        // refused only together, because a row has a largest size.
        let mut refused: Refused = all.iter().map(|cell| (cell.clone(), failed.message.clone())).collect();
        let mut parts = vec![all];
        match self.trial(one, &refused).await? {
            Some(failed) => return Ok(Some(failed)),
            None if self.outcomes[one.index].is_some() => return Ok(None),
            None => {}
        }
        while let Some(part) = parts.pop() {
            let without: Refused = refused
                .iter()
                .filter(|(cell, _)| !part.contains(cell))
                .map(|(cell, why)| (cell.clone(), why.clone()))
                .collect();
            match (self.trial(one, &without).await?, part.as_slice()) {
                (None, _) => refused = without,
                (Some(failed), [cell]) => {
                    refused.insert(cell.clone(), failed.message);
                }
                (Some(_), part) => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second.to_vec(), first.to_vec()]);
                }
            }
        }
        match self.transaction(&[one], &refused, true).await {
            Ok(()) => Ok(None),
            Err(failed) if matches!(failed.cause, Cause::Value | Cause::Constraint) => Ok(Some(failed)),
            Err(failed) => Err(failed),
        }
    }

    /// Writes a message whose rows are too large without the values that have no room. Returns whether it is written. It
    /// takes one transaction for each table, where the search for single values takes hundreds.
    async fn fits_without_last_values(
        &mut self,
        one: Pending<'_>,
        rows: &Rows,
        failed: &Failed,
    ) -> Result<bool, Failed> {
        let (mut refused, mut cause) = (Refused::new(), (failed.table.clone(), failed.message.clone()));
        for _ in &rows.rows {
            let (Some((_, table)), message) = &cause else { return Ok(false) };
            if !message.starts_with("54000") {
                return Ok(false);
            }
            refused.extend(beyond_row(rows, table, message));
            match self.transaction(&[one], &refused, true).await {
                Ok(()) => return Ok(true),
                Err(failed) if failed.cause == Cause::Value => cause = (failed.table, failed.message),
                Err(failed) if failed.cause == Cause::Constraint => return Ok(false),
                Err(failed) => return Err(failed),
            }
        }
        Ok(false)
    }

    /// Returns why PostgreSQL refuses a message without these values, if it does.
    async fn trial(&mut self, one: Pending<'_>, refused: &Refused) -> Result<Option<Failed>, Failed> {
        match self.transaction(&[one], refused, false).await {
            Ok(()) => Ok(None),
            Err(failed) if matches!(failed.cause, Cause::Value | Cause::Constraint) => Ok(Some(failed)),
            Err(failed) => Err(failed),
        }
    }
}

/// Returns the values that have no room in a row of this table, if all before them are in it.
fn beyond_row(rows: &Rows, table: &str, message: &str) -> Refused {
    let mut bytes = 0;
    let mut refused = Refused::new();
    for row in rows.rows.iter().filter(|row| *row.table == *table) {
        for cell in rows.cells_of(row).filter(|cell| !row.kind.is_standard(&cell.column)) {
            let length = match &cell.value {
                Value::Bool(_) => 1,
                Value::String(text) => text.len() + 1,
                other => other.to_string().len().max(8),
            };
            bytes += length.min(VALUE_BYTES);
            if bytes > ROW_BYTES {
                refused.insert((table.to_owned(), cell.column.to_string()), message.to_owned());
            }
        }
    }
    refused
}
