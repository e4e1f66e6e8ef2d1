//! FusionAuth's webhook event log: the events that its webhooks failed to deliver.
//!
//! An entry's `eventResult` does not tell whether it was delivered: events that are not transactional are `Succeeded`
//! whatever the receivers answered, and `Failed` means that the change was taken back, so that there is nothing to tell
//! (FusionAuth docs, "Webhook Event Log API"). The attempts do tell.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Value, json};

use super::rows::{Fault, Page, Rows};
use crate::{
    backfill::{
        api::Api,
        source::{Content, Position, Record, Source},
    },
    error::CommandError,
};

/// How many entries are asked for at once. Each holds its event.
const PAGE: u64 = 100;

/// Which entries to take.
pub struct Choice {
    /// Also those that were delivered.
    pub all: bool,
    /// Only what was to go to this address.
    pub webhook: Option<String>,
    /// From this time on, in milliseconds since 1970,
    pub start: i64,
    /// up to this one. Without both FusionAuth tells of the last hour.
    pub end: i64,
}

/// The log.
pub struct EventLog {
    api: Api,
    choice: Choice,
    rows: Rows<i64>,
    total: Option<u64>,
}

impl EventLog {
    /// The entries after `position`.
    pub fn after(api: Api, choice: Choice, position: Option<&Position>) -> Self {
        let rows = match position {
            Some(Position::EventLog { sequence, row }) => Rows::after(*row, Some(*sequence)),
            _ => Rows::after(0, None),
        };
        Self { api, choice, rows, total: None }
    }

    async fn page(&mut self) -> Result<Vec<Value>, CommandError> {
        let search = json!({
            "start": self.choice.start,
            "end": self.choice.end,
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
                "FusionAuth answered {status} to a search of its webhook event log; it has one from version 1.53 on"
            )
            .into()),
        }
    }

    /// The event as the webhook had it. A page may tell less of it.
    async fn event(&mut self, entry: &Value) -> Result<Content, CommandError> {
        let id = entry["id"].as_str().unwrap_or_default();
        let path = format!("/api/system/webhook-event-log/{id}");
        let mut answer = match self.api.call(Method::GET, &path, None).await? {
            Ok(answer) => answer,
            Err(404) => {
                return Ok(Content::Unreadable("gone", "FusionAuth has deleted it meanwhile".to_owned()));
            }
            Err(status) => {
                return Err(
                    format!("FusionAuth answered {status} about an entry of its webhook event log").into()
                );
            }
        };
        let body = answer["webhookEventLog"]["event"].take();
        if body["event"]["id"].as_str().or(body["id"].as_str()).is_none() {
            let problem = "the event has no id, so that its message ids cannot be those of the webhook";
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
            let (page, sequences) = taken.map_err(|fault| fault.of("its webhook event log", "sequence"))?;
            let known = match page {
                Page::New(known) => known,
                Page::Again => continue,
                Page::End => return Ok(Vec::new()),
            };
            let row = self.rows.next();
            // The row is that of the last one.
            let before = (row + 1).saturating_sub(sequences.len() as u64);
            let mut records = Vec::with_capacity(entries.len());
            for (done, (entry, sequence)) in (before + 1..).zip(entries.iter().zip(sequences)).skip(known) {
                let content = match nothing_to_send(entry, &self.choice) {
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

/// Why an entry is left out, if it is.
fn nothing_to_send(entry: &Value, choice: &Choice) -> Option<&'static str> {
    if entry["eventResult"] == "Failed" {
        return Some("taken_back");
    }
    if choice.all {
        return None;
    }
    let attempts = entry["attempts"].as_array().map_or(&[][..], Vec::as_slice);
    let mut taken_by: BTreeMap<&str, bool> = BTreeMap::new();
    for attempt in attempts {
        let response = &attempt["webhookCallResponse"];
        let url = response["url"].as_str().or(attempt["url"].as_str()).unwrap_or_default();
        if choice.webhook.as_ref().is_none_or(|wanted| same_address(wanted, url)) {
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
    fn an_entry_is_taken_when_somebody_did_not_get_it_and_the_change_was_made() {
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
            let choice = Choice { all, webhook: webhook.map(str::to_owned), start: 0, end: 0 };
            assert_eq!(nothing_to_send(&entry, &choice), expected, "{entry} {webhook:?}");
        }
    }
}
