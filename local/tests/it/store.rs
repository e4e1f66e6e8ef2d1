//! The data directory of the real program: of an earlier version, damaged, and with many dead letters.

use std::{
    fs,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use platform::{clock::SystemClock, sqlite::FILE, sqlite::Store};
use reqwest::StatusCode;
use rusqlite::Connection;
use serde_json::Value;
use testkit::{Answer, FakeServer};

use crate::process::{Server, login, segue};

/// The webhook of the fixture's messages. Its port is below the range that systems assign.
const WEBHOOK: &str = "127.0.0.1:13998";

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_of_0_1_0_drains_and_its_dead_letters_can_be_redriven() {
    let data = tempfile::tempdir().unwrap();
    for file in fs::read_dir("tests/fixtures/0.1.0").unwrap().map(Result::unwrap) {
        fs::copy(file.path(), data.path().join(file.file_name())).unwrap();
    }
    let segment = FakeServer::healthy().await;
    let webhook = FakeServer::at(WEBHOOK, |_| Answer::ok()).await;
    let url = format!("http://{WEBHOOK}/hook");
    let keys = r#"{"default":"k1","shop":"k2"}"#;
    let options = ["--segment-endpoint", &segment.url(), "--write-key", keys, "--webhook", &url];
    let options = [&options[..], &["--shared-secret", "s", "--allow-private-webhooks"]].concat();
    let server = Server::start(data.path(), &options);
    drained(&server, 1).await;
    let mut taken: Vec<(String, String)> = segment
        .taken()
        .into_iter()
        .map(|(key, message)| (key, message["messageId"].as_str().unwrap().to_owned()))
        .collect();
    taken.sort();
    assert_eq!(taken.iter().filter(|(key, _)| key == "k1").count(), 4);
    assert!(taken.contains(&("k2".to_owned(), "waiting-3".to_owned())), "{taken:?}");
    assert_eq!(webhook.requests().len(), 3);
    // The user signed up before.
    let again = r#"{"user":{"user_id":"auth0|1"},"context":{"stats":{"loginsCount":1}}}"#;
    let answer: Value = server.post("/identity/auth0/login", again).await.json().await.unwrap();
    assert_eq!(answer["event"], "login");
    let redriven: Value = server.post("/debugger/api/redrive", "{}").await.json().await.unwrap();
    assert_eq!(redriven["redriven"], 2);
    drained(&server, 0).await;
    assert_eq!(webhook.requests().len(), 4);
}

/// Waits until no message is waiting, and each queue has this many dead letters.
async fn drained(server: &Server, dead: usize) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let queues = [server.queue("segment").await, server.queue("webhooks").await];
        if queues.iter().all(|queue| queue["depth"] == 0) {
            let letters = queues.iter().map(|queue| queue["deadLetters"].as_array().unwrap().len());
            assert_eq!(letters.collect::<Vec<_>>(), [dead, dead], "{queues:?}");
            return;
        }
        assert!(Instant::now() < deadline, "{queues:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_row_is_a_dead_letter_and_everything_else_is_delivered() {
    let data = tempfile::tempdir().unwrap();
    let down = FakeServer::start(|_| Answer::status(503)).await;
    let options = ["--segment-endpoint", &down.url(), "--write-key", "key"];
    let server = Server::start(data.path(), &options);
    for id in ["1", "2", "3"] {
        assert_eq!(server.webhook(&login(id)).await.status(), StatusCode::OK);
    }
    assert!(server.terminate().success());
    let store = Connection::open(data.path().join(FILE)).unwrap();
    let damage = "UPDATE message SET body = CAST(x'7b22ff' AS TEXT) WHERE id = (SELECT min(id) FROM message)";
    assert_eq!(store.execute(damage, []).unwrap(), 1);
    drop(store);
    down.set(|_| Answer::ok());
    let server = Server::start(data.path(), &options);
    let deadline = Instant::now() + Duration::from_secs(30);
    let queue = loop {
        let queue = server.queue("segment").await;
        if queue["depth"] == 0 {
            break queue;
        }
        assert!(Instant::now() < deadline, "{queue}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(down.taken().len(), 2);
    let attributes = &queue["deadLetters"][0]["attributes"];
    assert_eq!(attributes["failure"], "damaged");
    for name in ["reason", "failedAt", "attempts"] {
        assert!(attributes[name].is_string(), "{attributes}");
    }
}

/// Stores dead letters like those of a webhook that was down for hours.
async fn many_dead_letters(data: &Path, count: u32) {
    let store = Store::open(data, SystemClock::shared()).unwrap();
    let made = store.run(move |connection| {
        let body = r#"{"type":"track","event":"e","userId":"u","messageId":"' || value || '","text":"' || hex(zeroblob(150)) || '"}"#;
        let attributes = r#"{"writeKey":"default","type":"track","attempts":"25","failure":"expired","reason":"It was retried for four hours.","failedAt":"2026-11-21T04:00:00.000Z"}"#;
        let insert = format!(
            "WITH RECURSIVE numbers (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM numbers WHERE value < {count})
             INSERT INTO message (queue, body, attributes, sent_at, visible_at)
             SELECT 'segment-dead-letter', '{body}', '{attributes}', value, value FROM numbers"
        );
        connection.execute(&insert, [])
    });
    assert_eq!(made.await.unwrap(), count as usize);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_many_dead_letters_leave_room_for_messages_that_wait() {
    let data = tempfile::tempdir().unwrap();
    many_dead_letters(data.path(), 12_000).await;
    let down = FakeServer::start(|_| Answer::status(503)).await;
    let options = ["--segment-endpoint", &down.url(), "--write-key", "key"];
    let server = Server::start(data.path(), &options);
    assert_eq!(server.webhook(&login("waiting")).await.status(), StatusCode::OK);
    let is_retrying = |row: &Value| row["state"] == "retrying";
    server.rows(|rows| rows.iter().any(is_retrying)).await;
    server.kill();
    let server = Server::start(data.path(), &options);
    let rows = server.rows(|rows| rows.iter().any(is_retrying) && rows.len() > 1).await;
    assert!(rows.iter().all(|row| is_retrying(row) || row["state"] == "dead-letter"));
}

/// `REDRIVE_MESSAGES=500000` stores more, as many as a webhook leaves that is down for four hours at 35
/// messages per second.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_redrive_of_many_dead_letters_takes_little_memory() {
    const MOST_MIB: u64 = 100;
    let count = std::env::var("REDRIVE_MESSAGES").map_or(30_000, |count| count.parse().unwrap());
    let data = tempfile::tempdir().unwrap();
    many_dead_letters(data.path(), count).await;
    let printed = data.path().join("segue.printed");
    let mut command = segue();
    command.args(["redrive", "--data-dir"]).arg(data.path()).stderr(Stdio::null());
    let mut redrive = command.stdout(fs::File::create(&printed).unwrap()).spawn().unwrap();
    let status = format!("/proc/{}/status", redrive.id());
    let mut peak = 0;
    while redrive.try_wait().unwrap().is_none() {
        let memory = fs::read_to_string(&status).unwrap_or_default();
        let line = memory.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or_default() / 1024);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(peak <= MOST_MIB, "{peak} MiB");
    let answer: Value = serde_json::from_slice(&fs::read(printed).unwrap()).unwrap();
    assert_eq!(answer["redriven"], count);
    let listed = answer["messages"].as_array().unwrap().len() as u64;
    assert_eq!(listed + answer["notListed"].as_u64().unwrap_or(0), u64::from(count));
    println!("{count} dead letters were redriven in {peak} MiB.");
}
