//! FusionAuth's users, through its search API.
//!
//! They are read in the order of their creation time, and of their ids within a millisecond. Both of
//! FusionAuth's search engines can sort like this, and users created during the run come last. With
//! Elasticsearch, pages beyond the first 10,000 users need the `nextResults` of the page before (FusionAuth
//! 1.48 and later). If FusionAuth no longer accepts it, as after a crash, the search starts over at the time
//! of the last user. The database engine has neither `nextResults` nor a search by time, but also no limit on
//! rows.

use http::Method;
use serde_json::{Map, Value, json};

use super::row_pager::{Fault, Page, RowPager};
use crate::{
    backfill::{
        api::Api,
        progress::thousands,
        source::{Content, Position, Record, Source},
    },
    error::CommandError,
};

/// How many users are requested at once.
const PAGE: u64 = 500;

type SortKey = (i64, String);

/// How to request the next page.
enum Paging {
    /// From a row number: the first page, and every page of the database engine.
    Rows,
    /// With the `nextResults` of the page before.
    Token(String),
    /// From the creation time of the last user.
    Time,
}

/// Reads all users.
pub struct Users {
    api: Api,
    paging: Paging,
    rows: RowPager<SortKey>,
    last: Option<SortKey>,
    elastic: bool,
    seen: u64,
    total: Option<u64>,
    /// The last user of the page whose token is used next.
    page_end: Option<SortKey>,
    /// How often the search started over since the last new user.
    restarts: u32,
}

/// How often the search may start over without a new user.
const MAX_RESTARTS: u32 = 10;

impl Users {
    /// Returns a reader of the users after `position`.
    pub fn after(api: Api, position: Option<&Position>) -> Self {
        let Some(Position::Users { instant, id, row, seen, elastic }) = position else {
            return Self::at(api, Paging::Rows, RowPager::after(0, None), None);
        };
        let last = Some((*instant, id.clone()));
        let paging = if *elastic { Paging::Time } else { Paging::Rows };
        let rows = RowPager::after(*row, last.clone());
        Self { elastic: *elastic, seen: *seen, ..Self::at(api, paging, rows, last) }
    }

    fn at(api: Api, paging: Paging, rows: RowPager<SortKey>, last: Option<SortKey>) -> Self {
        let (elastic, seen, total, page_end, restarts) = (false, 0, None, None, 0);
        Self { api, paging, rows, last, elastic, seen, total, page_end, restarts }
    }

    fn search(&self) -> Value {
        let query = match (&self.paging, &self.last) {
            (Paging::Token(token), _) => return json!({"nextResults": token, "numberOfResults": PAGE}),
            // FusionAuth passes a query with a colon to Elasticsearch as it is.
            (Paging::Time, Some((instant, _))) => format!("insertInstant:[{instant} TO *]"),
            _ => "*".to_owned(),
        };
        let row = if matches!(self.paging, Paging::Rows) { self.rows.next() } else { 0 };
        json!({
            "queryString": query,
            "sortFields": [{"name": "insertInstant", "order": "asc"}, {"name": "id", "order": "asc"}],
            "startRow": row,
            "numberOfResults": PAGE,
            "accurateTotal": true,
        })
    }

    async fn ask(&mut self, search: Value) -> Result<Result<Value, u16>, CommandError> {
        self.api.call(Method::POST, "/api/user/search", Some(&json!({"search": search}))).await
    }

    async fn count(&mut self) -> Result<Option<u64>, CommandError> {
        let search = json!({"queryString": "*", "numberOfResults": 1, "accurateTotal": true});
        Ok(self.ask(search).await?.ok().and_then(|answer| answer["total"].as_u64()))
    }

    /// Returns the users of a page that come after the last one, and whether there can be more.
    fn new_users(&mut self, answer: &mut Value) -> Result<(Vec<Map<String, Value>>, bool), CommandError> {
        let users: Vec<Map<String, Value>> = match answer["users"].take() {
            Value::Array(users) => users.into_iter().filter_map(into_object).collect(),
            _ => Vec::new(),
        };
        let keys: Vec<SortKey> = users.iter().map(sort_key).collect();
        let token = answer["nextResults"].as_str().map(str::to_owned);
        let describe = |fault: Fault| fault.describe("users", "insertInstant and id");
        if let (Paging::Rows, None) = (&self.paging, &token) {
            let page = self.rows.take(&keys).map_err(describe)?;
            let known = match page {
                Page::New(known) => known,
                Page::Again | Page::End => users.len(),
            };
            return Ok((users.into_iter().skip(known).collect(), page != Page::End));
        }
        // Elasticsearch: deletions do not move these pages.
        self.elastic = true;
        if !keys.is_sorted_by(|a, b| a < b) {
            return Err(describe(Fault::NotInOrder).into());
        }
        let continues = matches!(self.paging, Paging::Token(_));
        let before = std::mem::replace(&mut self.page_end, keys.last().cloned());
        if continues && !keys.is_empty() && keys.last() <= before.as_ref() {
            return Err(describe(Fault::Repeated).into());
        }
        let known = self.last.as_ref().map_or(0, |last| keys.partition_point(|key| key <= last));
        let stuck = token.is_none() && known == users.len();
        let more = !users.is_empty() && !stuck;
        self.paging = token.map_or(Paging::Time, Paging::Token);
        if known < users.len() {
            self.restarts = 0;
        }
        Ok((users.into_iter().skip(known).collect(), more))
    }

    fn record(&mut self, user: Map<String, Value>, row: u64) -> Record {
        let (instant, id) = sort_key(&user);
        self.last = Some((instant, id.clone()));
        self.seen += 1;
        let position = Position::Users { instant, id, row, seen: self.seen, elastic: self.elastic };
        Record { content: Content::User(user), position, done: self.seen }
    }
}

impl Source for Users {
    async fn read(&mut self) -> Result<Vec<Record>, CommandError> {
        if self.total.is_none() && self.last.is_some() {
            self.total = self.count().await?;
        }
        loop {
            let search = self.search();
            let mut answer = match self.ask(search).await? {
                Ok(answer) => answer,
                // The token is too old, or from another FusionAuth.
                Err(_)
                    if matches!(self.paging, Paging::Token(_))
                        && self.last.is_some()
                        && self.restarts < MAX_RESTARTS =>
                {
                    self.paging = Paging::Time;
                    self.restarts += 1;
                    continue;
                }
                Err(status) => {
                    return Err(format!(
                        "FusionAuth answered {status} to a search of users from row {}; check that --url is FusionAuth's \
                         address. More than 10,000 users need FusionAuth 1.48 or later",
                        self.rows.next()
                    )
                    .into());
                }
            };
            if !answer["total"].is_number() {
                return Err(
                    "the server at --url did not answer with users; check that --url is FusionAuth's address"
                        .into(),
                );
            }
            if self.total.is_none() {
                self.total = answer["total"].as_u64();
            }
            let (users, more) = self.new_users(&mut answer)?;
            if !users.is_empty() {
                let row = self.rows.next();
                return Ok(users.into_iter().map(|user| self.record(user, row)).collect());
            }
            if !more {
                return Ok(Vec::new());
            }
        }
    }

    fn total(&self) -> Option<u64> {
        self.total
    }

    async fn finish(&mut self) -> Result<Option<String>, CommandError> {
        let missing = self.count().await?.and_then(|total| total.checked_sub(self.seen));
        Ok(missing.filter(|missing| *missing > 0).map(|missing| {
            format!(
                "FusionAuth reports {} more users than were read. Users imported during the run with an earlier \
                 insertInstant are missed. To read all users again, use --restart.",
                thousands(missing)
            )
        }))
    }
}

fn into_object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

fn sort_key(user: &Map<String, Value>) -> SortKey {
    let instant = user.get("insertInstant").and_then(Value::as_i64);
    let id = user.get("id").and_then(Value::as_str).unwrap_or_default();
    // A user without a time comes last.
    (instant.unwrap_or(i64::MAX), id.to_ascii_lowercase())
}
