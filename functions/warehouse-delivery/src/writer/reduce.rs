//! Narrows a message that PostgreSQL refuses down to the values that it refuses.

use super::{Failed, Writer, refused};
use crate::{
    failure::Cause,
    prepare::{Pending, Refused},
    record::Row,
};

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

    /// Returns why PostgreSQL refuses a message without these values, if it does.
    async fn trial(&mut self, one: Pending<'_>, refused: &Refused) -> Result<Option<Failed>, Failed> {
        match self.transaction(&[one], refused, false).await {
            Ok(()) => Ok(None),
            Err(failed) if matches!(failed.cause, Cause::Value | Cause::Constraint) => Ok(Some(failed)),
            Err(failed) => Err(failed),
        }
    }
}
