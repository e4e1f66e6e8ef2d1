//! A fake FusionAuth: its user search with either engine, and its webhook event log. It fails now and then.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use serde_json::{Value, json};
use testkit::{Answer, FakeServer, Request};

use super::{NEVER, sink::kill};

pub const KEY: &str = "never-send-api-key";

/// The last row that Elasticsearch can page to.
const WINDOW: u64 = 10_000;

type Meanwhile = Box<dyn FnMut(&mut Vec<Value>) + Send>;

/// Its users and its event log.
#[derive(Default)]
pub struct Held {
    pub users: Vec<Value>,
    pub log: Vec<Value>,
    /// Whether it searches with Elasticsearch.
    pub elastic: bool,
    /// One in this many requests fails; 0 is never.
    pub one_in: u32,
    /// One in this many `nextResults` is rejected; 0 is never.
    pub expires: u32,
    /// Called before each search.
    pub meanwhile: Option<Meanwhile>,
}

/// A running fake FusionAuth.
#[derive(Clone)]
pub struct FusionAuth {
    pub server: FakeServer,
    pub held: Arc<Mutex<Held>>,
    /// The process to kill, and after how many requests.
    pub victim: Arc<AtomicU32>,
    pub kill_in: Arc<AtomicU32>,
}

/// A user created in that millisecond.
pub fn user(number: usize, instant: i64) -> Value {
    json!({
        "id": id(number),
        "email": format!("user{number}@example.com"),
        "insertInstant": instant,
        "lastUpdateInstant": instant + 1_000,
        "tenantId": if number.is_multiple_of(2) { "11111111-aaaa-0000-0000-000000000000" } else { "22222222-0000-0000-0000-000000000000" },
        "password": format!("{NEVER}-password"),
        "data": {"plan": "team", "apiToken": format!("{NEVER}-token")},
        "registrations": [{"applicationId": "a", "authenticationToken": format!("{NEVER}-token")}],
    })
}

/// An id. Ids do not sort like their numbers.
pub fn id(number: usize) -> String {
    let mixed = (number as u32).wrapping_mul(2_654_435_761);
    format!("{mixed:08x}-0000-4000-8000-{number:012x}")
}

impl FusionAuth {
    pub async fn start(seed: u64, held: Held) -> Self {
        let held = Arc::new(Mutex::new(held));
        let (victim, kill_in) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(u32::MAX)));
        let (inner, pid, countdown) = (held.clone(), victim.clone(), kill_in.clone());
        let mut random = fastrand::Rng::with_seed(seed);
        let mut tokens = 0;
        let server = FakeServer::start(move |request| {
            if countdown.fetch_sub(1, Ordering::SeqCst) == 1 {
                kill(pid.load(Ordering::SeqCst), "-KILL");
            }
            if request.header("authorization") != Some(KEY) {
                return Answer::status(401);
            }
            let mut held = inner.lock().unwrap();
            if held.one_in > 0 && random.u32(0..held.one_in) == 0 {
                return match random.u8(0..4) {
                    0 => Answer::rate_limited("0"),
                    1 => Answer::Status(500, vec![("Retry-After", "0".to_owned())], String::new()),
                    2 => Answer::ResetBefore,
                    _ => Answer::Bytes(vec![b'{'; 1_000], 500),
                };
            }
            answer(&mut held, request, &mut tokens)
        })
        .await;
        Self { server, held, victim, kill_in }
    }

    pub fn users(&self) -> Vec<Value> {
        self.held.lock().unwrap().users.clone()
    }
}

fn answer(held: &mut Held, request: &Request, tokens: &mut u32) -> Answer {
    let ok = |body: Value| Answer::Status(200, Vec::new(), body.to_string());
    match request.line.as_str() {
        "POST /api/user/search" => {
            if let Some(mut meanwhile) = held.meanwhile.take() {
                meanwhile(&mut held.users);
                held.meanwhile = Some(meanwhile);
            }
            search(held, &request.json()["search"], tokens).map_or_else(|| Answer::status(400), ok)
        }
        "POST /api/system/webhook-event-log/search" => {
            let search = &request.json()["search"];
            assert_eq!(search["orderBy"], "sequence ASC");
            let time = |name: &str| search[name].as_i64().unwrap();
            let within = |entry: &&Value| {
                (time("start")..=time("end")).contains(&entry["insertInstant"].as_i64().unwrap())
            };
            let found: Vec<&Value> = held.log.iter().filter(within).collect();
            // A search result holds less of an event than the entry.
            let page = rows(search).filter_map(|row| found.get(row)).map(|entry| {
                let mut entry = (*entry).clone();
                entry["event"] = json!({"event": {"type": entry["eventType"]}});
                entry
            });
            ok(json!({"total": found.len(), "webhookEventLogs": page.collect::<Vec<_>>()}))
        }
        line => {
            let id =
                line.strip_prefix("GET /api/system/webhook-event-log/").unwrap_or_else(|| panic!("{line}"));
            let found = held.log.iter().find(|entry| entry["id"] == id);
            found.map_or_else(|| Answer::status(404), |entry| ok(json!({"webhookEventLog": entry})))
        }
    }
}

fn rows(search: &Value) -> std::ops::Range<usize> {
    let start = search["startRow"].as_u64().unwrap_or(0) as usize;
    start..start + search["numberOfResults"].as_u64().unwrap() as usize
}

fn key(user: &Value) -> (i64, String) {
    (user["insertInstant"].as_i64().unwrap(), user["id"].as_str().unwrap().to_owned())
}

fn search(held: &Held, search: &Value, tokens: &mut u32) -> Option<Value> {
    let mut users: Vec<&Value> = held.users.iter().collect();
    users.sort_by_key(|user| key(user));
    let total = users.len();
    let count = search["numberOfResults"].as_u64().unwrap() as usize;
    let range = if let Some(token) = search["nextResults"].as_str() {
        assert!(search["queryString"].is_null() && search["sortFields"].is_null(), "{search}");
        *tokens += 1;
        if held.expires > 0 && tokens.is_multiple_of(held.expires) {
            return None;
        }
        let after: (i64, String) = serde_json::from_str(token).unwrap();
        let start = users.partition_point(|user| key(user) <= after);
        start..start + count
    } else {
        match search["queryString"].as_str().unwrap() {
            "*" if count == 1 => {}
            query => {
                let names: Vec<&Value> =
                    search["sortFields"].as_array().unwrap().iter().map(|field| &field["name"]).collect();
                assert_eq!(names, ["insertInstant", "id"], "{search}");
                if let Some(from) = query.strip_prefix("insertInstant:[") {
                    // The database engine searches names and addresses for it.
                    let from: i64 = from.strip_suffix(" TO *]").unwrap().parse().unwrap();
                    users.retain(|user| held.elastic && key(user).0 >= from);
                }
            }
        }
        rows(search)
    };
    if held.elastic && search["nextResults"].is_null() && range.end as u64 > WINDOW {
        return None;
    }
    let page: Vec<&Value> = range.filter_map(|row| users.get(row).copied()).collect();
    let mut answer = json!({"users": page, "total": if held.elastic { users.len() } else { total }});
    if let (true, Some(last)) = (held.elastic, page.last()) {
        answer["nextResults"] = serde_json::to_string(&key(last)).unwrap().into();
    }
    Some(answer)
}
