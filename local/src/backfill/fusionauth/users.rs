//! FusionAuth's users, through its search API.
//!
//! They are read in the order of their making and, where that is the same millisecond, of their ids: both of
//! FusionAuth's search engines sort by these, and whoever is made meanwhile comes last. With Elasticsearch pages beyond
//! the first 10,000 users are had with the `nextResults` of the page before (FusionAuth 1.48 and later); where that is
//! not taken, as after a crash, the search begins anew at the time of the last user. The database engine has neither
//! that nor a search by time, but no limit of rows.

use http::Method;
use serde_json::{Map, Value, json};

use super::rows::{Fault, Page, Rows};
use crate::{
    backfill::{
        api::Api,
        progress::thousands,
        source::{Content, Position, Record, Source},
    },
    error::CommandError,
};

/// How many users are asked for at once.
const PAGE: u64 = 500;

type Key = (i64, String);

/// How to ask for the next page.
enum Way {
    /// From a row on: the first page, and every page of the database engine.
    Rows,
    /// What follows the page before.
    Token(String),
    /// From the time of the last user on.
    Time,
}

/// All users.
pub struct Users {
    api: Api,
    way: Way,
    rows: Rows<Key>,
    last: Option<Key>,
    elastic: bool,
    seen: u64,
    total: Option<u64>,
    /// The last one of the page whose token is used next.
    page_end: Option<Key>,
    /// How often the search began anew since somebody new was found.
    restarts: u32,
}

/// How often that may happen before it is no use.
const MAX_RESTARTS: u32 = 10;

impl Users {
    /// Those after `position`.
    pub fn after(api: Api, position: Option<&Position>) -> Self {
        let Some(Position::Users { instant, id, row, seen, elastic }) = position else {
            return Self::at(api, Way::Rows, Rows::after(0, None), None);
        };
        let last = Some((*instant, id.clone()));
        let way = if *elastic { Way::Time } else { Way::Rows };
        let rows = Rows::after(*row, last.clone());
        Self { elastic: *elastic, seen: *seen, ..Self::at(api, way, rows, last) }
    }

    fn at(api: Api, way: Way, rows: Rows<Key>, last: Option<Key>) -> Self {
        let (elastic, seen, total, page_end, restarts) = (false, 0, None, None, 0);
        Self { api, way, rows, last, elastic, seen, total, page_end, restarts }
    }

    fn search(&self) -> Value {
        let query = match (&self.way, &self.last) {
            (Way::Token(token), _) => return json!({"nextResults": token, "numberOfResults": PAGE}),
            // With a colon in it the query is passed to Elasticsearch as it is.
            (Way::Time, Some((instant, _))) => format!("insertInstant:[{instant} TO *]"),
            _ => "*".to_owned(),
        };
        let row = if matches!(self.way, Way::Rows) { self.rows.next() } else { 0 };
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

    /// The users of a page who come after the last one, and whether there can be more.
    fn new_ones(&mut self, answer: &mut Value) -> Result<(Vec<Map<String, Value>>, bool), CommandError> {
        let users: Vec<Map<String, Value>> = match answer["users"].take() {
            Value::Array(users) => users.into_iter().filter_map(into_object).collect(),
            _ => Vec::new(),
        };
        let keys: Vec<Key> = users.iter().map(key).collect();
        let token = answer["nextResults"].as_str().map(str::to_owned);
        let told = |fault: Fault| fault.of("users", "insertInstant and id");
        if let (Way::Rows, None) = (&self.way, &token) {
            let page = self.rows.take(&keys).map_err(told)?;
            let known = match page {
                Page::New(known) => known,
                Page::Again | Page::End => users.len(),
            };
            return Ok((users.into_iter().skip(known).collect(), page != Page::End));
        }
        // Elasticsearch: these pages depend on nobody before them.
        self.elastic = true;
        if !keys.is_sorted_by(|a, b| a < b) {
            return Err(told(Fault::NotInOrder).into());
        }
        let continues = matches!(self.way, Way::Token(_));
        let before = std::mem::replace(&mut self.page_end, keys.last().cloned());
        if continues && !keys.is_empty() && keys.last() <= before.as_ref() {
            return Err(told(Fault::Repeated).into());
        }
        let known = self.last.as_ref().map_or(0, |last| keys.partition_point(|key| key <= last));
        let stuck = token.is_none() && known == users.len();
        let more = !users.is_empty() && !stuck;
        self.way = token.map_or(Way::Time, Way::Token);
        if known < users.len() {
            self.restarts = 0;
        }
        Ok((users.into_iter().skip(known).collect(), more))
    }

    fn record(&mut self, user: Map<String, Value>, row: u64) -> Record {
        let (instant, id) = key(&user);
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
                // The token is from another FusionAuth, or too old.
                Err(_)
                    if matches!(self.way, Way::Token(_))
                        && self.last.is_some()
                        && self.restarts < MAX_RESTARTS =>
                {
                    self.way = Way::Time;
                    self.restarts += 1;
                    continue;
                }
                Err(status) => {
                    return Err(format!(
                        "FusionAuth answered {status} to a search of users from row {}; is --url FusionAuth's address? \
                         Beyond 10,000 users FusionAuth has to be 1.48 or later",
                        self.rows.next()
                    )
                    .into());
                }
            };
            if !answer["total"].is_number() {
                return Err(
                    "what is at --url answered something else than users; is it FusionAuth's address?".into(),
                );
            }
            if self.total.is_none() {
                self.total = answer["total"].as_u64();
            }
            let (users, more) = self.new_ones(&mut answer)?;
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
                "FusionAuth counts {} users more than were read. Who was imported meanwhile with an earlier \
                 insertInstant is not among them; --restart reads everybody again.",
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

fn key(user: &Map<String, Value>) -> Key {
    let instant = user.get("insertInstant").and_then(Value::as_i64);
    let id = user.get("id").and_then(Value::as_str).unwrap_or_default();
    // Who has none comes last.
    (instant.unwrap_or(i64::MAX), id.to_ascii_lowercase())
}
