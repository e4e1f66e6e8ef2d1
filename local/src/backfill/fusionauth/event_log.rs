//! FusionAuth's webhook event log: the events that its webhooks failed to deliver.
//!
//! An entry's `eventResult` does not show whether the event was delivered. An event that is not transactional
//! is `Succeeded` whatever the receivers answered, and `Failed` means that FusionAuth rolled the change back,
//! so that there is nothing to send (FusionAuth docs, "Webhook Event Log API"). The attempts show it.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Value, json};

use super::row_pager::{Fault, Page, RowPager};
use crate::{
    backfill::{
        api::Api,
        source::{Content, Position, Record, Source},
    },
    error::CommandError,
};

/// How many entries are requested at once. Each holds its event.
const PAGE: u64 = 100;

/// Selects entries.
pub struct EntryFilter {
    /// Also entries that were delivered.
    pub all: bool,
    /// Only entries of the webhook at this address.
    pub webhook: Option<String>,
    /// Only entries from this time on, in milliseconds since 1970. Without both times, FusionAuth lists the
    /// last hour.
    pub start: i64,
    /// Only entries up to this time, in milliseconds since 1970.
    pub end: i64,
}

/// Reads the log.
pub struct EventLog {
    api: Api,
    filter: EntryFilter,
    rows: RowPager<i64>,
    total: Option<u64>,
}

impl EventLog {
    /// Returns a reader of the entries after `position`.
    pub fn after(api: Api, filter: EntryFilter, position: Option<&Position>) -> Self {
        let rows = match position {
            Some(Position::EventLog { sequence, row }) => RowPager::after(*row, Some(*sequence)),
            _ => RowPager::after(0, None),
        };
        Self { api, filter, rows, total: None }
    }

    async fn page(&mut self) -> Result<Vec<Value>, CommandError> {
        let search = json!({
            "start": self.filter.start,
            "end": self.filter.end,
            "orderBy": "sequence ASC",
            "startRow": self.rows.next(),
            "numberOfResults": PAGE,
        });
        let body = json!({"search": search});
        match self.api.call(Method::POST, "/api/system/webhook-event-log/search", Some(&body)).await? {
            Ok(mut answer) => {
                self.total = answer["total"].as_u64();
                match answer["webhookEventLogs"].take() {
                    Value::Array(entries) => Ok(entries),
                    _ => Ok(Vec::new()),
                }
            }
            Err(status) => Err(format!(
                "FusionAuth answered {status} to a search of its webhook event log; the log needs FusionAuth 1.53 or later"
            )
            .into()),
        }
    }

    /// Fetches the event as the webhook sent it. A search result may hold less of it.
    async fn event(&mut self, entry: &Value) -> Result<Content, CommandError> {
        let id = entry["id"].as_str().unwrap_or_default();
        let path = format!("/api/system/webhook-event-log/{id}");
        let mut answer = match self.api.call(Method::GET, &path, None).await? {
            Ok(answer) => answer,
            Err(404) => {
                return Ok(Content::Unreadable(
                    "gone",
                    "FusionAuth has deleted it in the meantime".to_owned(),
                ));
            }
            Err(status) => {
                return Err(
                    format!("FusionAuth answered {status} about an entry of its webhook event log").into()
                );
            }
        };
        let body = answer["webhookEventLog"]["event"].take();
        if body["event"]["id"].as_str().or(body["id"].as_str()).is_none() {
            let problem = "the event has no id, so its message ids cannot match those of the webhook";
            return Ok(Content::Unreadable("unusable", problem.to_owned()));
        }
        Ok(Content::Event(body.to_string().into_bytes()))
    }
}

impl Source for EventLog {
    async fn read(&mut self) -> Result<Vec<Record>, CommandError> {
        loop {
            let entries = self.page().await?;
            let sequences: Option<Vec<i64>> =
                entries.iter().map(|entry| entry["sequence"].as_i64()).collect();
            let sequences = sequences.ok_or(Fault::NotInOrder);
            let taken = sequences.and_then(|sequences| Ok((self.rows.take(&sequences)?, sequences)));
            let (page, sequences) =
                taken.map_err(|fault| fault.describe("its webhook event log", "sequence"))?;
            let known = match page {
                Page::New(known) => known,
                Page::Again => continue,
                Page::End => return Ok(Vec::new()),
            };
            let row = self.rows.next();
            // `row` is the row of the last entry.
            let before = (row + 1).saturating_sub(sequences.len() as u64);
            let mut records = Vec::with_capacity(entries.len());
            for (done, (entry, sequence)) in (before + 1..).zip(entries.iter().zip(sequences)).skip(known) {
                let content = match skip_reason(entry, &self.filter) {
                    Some(reason) => Content::Nothing(reason),
                    None => self.event(entry).await?,
                };
                records.push(Record { content, position: Position::EventLog { sequence, row }, done });
            }
            return Ok(records);
        }
    }

    fn total(&self) -> Option<u64> {
        self.total
    }

    async fn finish(&mut self) -> Result<Option<String>, CommandError> {
        Ok(None)
    }
}

/// Returns why an entry is skipped, if it is.
fn skip_reason(entry: &Value, filter: &EntryFilter) -> Option<&'static str> {
    if entry["eventResult"] == "Failed" {
        return Some("taken_back");
    }
    if filter.all {
        return None;
    }
    let attempts = entry["attempts"].as_array().map_or(&[][..], Vec::as_slice);
    let mut taken_by: BTreeMap<&str, bool> = BTreeMap::new();
    for attempt in attempts {
        let response = &attempt["webhookCallResponse"];
        let url = response["url"].as_str().or(attempt["url"].as_str()).unwrap_or_default();
        if filter.webhook.as_ref().is_none_or(|wanted| same_address(wanted, url)) {
            let success = attempt["attemptResult"] == "Success"
                || response["statusCode"].as_u64().is_some_and(|status| (200..300).contains(&status));
            *taken_by.entry(url).or_default() |= success;
        }
    }
    if taken_by.is_empty() {
        return Some("not_attempted");
    }
    taken_by.values().all(|taken| *taken).then_some("delivered")
}

fn same_address(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(url: &str, result: &str, status: u16) -> Value {
        json!({"attemptResult": result, "webhookCallResponse": {"url": url, "statusCode": status}})
    }

    #[test]
    fn an_entry_is_sent_when_a_webhook_did_not_get_it_and_the_change_was_not_rolled_back() {
        let (ours, other) = ("https://segue.example.com/identity/fusionauth", "https://other.example.com/");
        let failed = || attempt(ours, "Failure", 503);
        let never = json!({"attemptResult": "Unknown", "url": ours});
        for (result, attempts, all, webhook, expected) in [
            ("Succeeded", vec![failed()], false, None, None),
            ("Running", vec![failed()], false, None, None),
            ("Failed", vec![failed()], false, None, Some("taken_back")),
            ("Failed", vec![failed()], true, None, Some("taken_back")),
            (
                "Succeeded",
                vec![failed(), failed(), attempt(ours, "Success", 200)],
                false,
                None,
                Some("delivered"),
            ),
            ("Succeeded", vec![never], false, None, None),
            ("Succeeded", vec![attempt(ours, "Success", 200)], true, None, None),
            ("Succeeded", vec![], false, None, Some("not_attempted")),
            ("Succeeded", vec![], true, None, None),
            ("Succeeded", vec![failed(), attempt(other, "Success", 200)], false, None, None),
            (
                "Succeeded",
                vec![attempt(ours, "Success", 200), attempt(other, "Failure", 500)],
                false,
                Some(ours),
                Some("delivered"),
            ),
            (
                "Succeeded",
                vec![failed(), attempt(other, "Success", 200)],
                false,
                Some(other),
                Some("delivered"),
            ),
            ("Succeeded", vec![failed()], false, Some("https://other.example.com"), Some("not_attempted")),
        ] {
            let entry = json!({"eventResult": result, "attempts": attempts});
            let filter = EntryFilter { all, webhook: webhook.map(str::to_owned), start: 0, end: 0 };
            assert_eq!(skip_reason(&entry, &filter), expected, "{entry} {webhook:?}");
        }
    }
}
