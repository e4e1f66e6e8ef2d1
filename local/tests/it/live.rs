//! The live list of a running server.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use reqwest::{Method, Response};
use serde_json::Value;
use tokio::time::timeout;

use crate::process::Server;

/// The deadline for any event.
const DEADLINE: Duration = Duration::from_secs(30);

/// An open connection with its rows.
pub struct Live {
    response: Response,
    unread: Vec<u8>,
    events: VecDeque<(String, Value)>,
    rows: BTreeMap<u64, Value>,
    synced: bool,
}

impl Live {
    pub async fn connect(server: &Server) -> Self {
        let response = server.api(Method::GET, "live").send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, unread: Vec::new(), events: VecDeque::new(), rows: BTreeMap::new(), synced: false }
    }

    /// Returns the rows by id, once `until` accepts them.
    pub async fn rows(&mut self, until: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let come = async {
            loop {
                let rows: Vec<Value> = self.rows.values().cloned().collect();
                if self.synced && until(&rows) {
                    return rows;
                }
                self.next().await;
            }
        };
        match timeout(DEADLINE, come).await {
            Ok(rows) => rows,
            Err(_) => panic!("the rows did not come to be: {:#?}", self.rows),
        }
    }

    /// Returns the next numbers that `until` accepts.
    pub async fn numbers(&mut self, until: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let come = async {
            while !until(&last) {
                let (name, data) = self.next().await;
                if name == "numbers" {
                    last = data;
                }
            }
        };
        assert!(timeout(DEADLINE, come).await.is_ok(), "the numbers did not come to be: {last}");
        last
    }

    /// Returns the next event, or none when the server ends the list.
    pub async fn end(mut self) -> Option<Value> {
        while timeout(DEADLINE, self.response.chunk()).await.unwrap().ok()?.is_some() {}
        None
    }

    async fn next(&mut self) -> (String, Value) {
        loop {
            if let Some((name, data)) = self.events.pop_front() {
                match (&*name, &data) {
                    ("rows", Value::Array(rows)) => {
                        self.rows.extend(rows.iter().map(|row| (row["id"].as_u64().unwrap(), row.clone())));
                    }
                    ("synced", _) => self.synced = true,
                    _ => {}
                }
                return (name, data);
            }
            let chunk = self.response.chunk().await.unwrap().unwrap_or_default();
            assert!(!chunk.is_empty(), "the list ended");
            self.unread.extend_from_slice(&chunk);
            while let Some(end) = self.unread.windows(2).position(|two| two == b"\n\n") {
                let event: Vec<u8> = self.unread.drain(..end + 2).collect();
                let event = String::from_utf8(event).unwrap();
                let (name, data) = event.trim().split_once('\n').unwrap();
                let data = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
                self.events.push_back((name.strip_prefix("event: ").unwrap().to_owned(), data));
            }
        }
    }
}
