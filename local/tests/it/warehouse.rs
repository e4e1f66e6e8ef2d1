//! `segue serve --warehouse`: the same messages as rows in PostgreSQL.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::postgres::PostgresServer;

use crate::process::{Server, ended_at_start, login, segue};

/// Waits until a query about the table of all tracks has this answer.
async fn becomes(database: &PostgresServer, query: &str, expected: &str) {
    let began = Instant::now();
    let is_there = "SELECT to_regclass('segue.tracks') IS NOT NULL";
    while database.value(is_there).await != "t" || database.value(query).await != expected {
        assert!(began.elapsed() < Duration::from_secs(30), "{query} is not {expected} after 30 s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn start(data: &tempfile::TempDir, database: &PostgresServer) -> Server {
    Server::start(data.path(), &["--warehouse", &database.url("postgres"), "--allow-unsigned"])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_a_row_and_the_page_shows_where() {
    let (data, database) = (tempfile::tempdir().unwrap(), PostgresServer::start().await);
    let server = start(&data, &database);
    assert!(server.banner.contains("postgres at /"), "{}", server.banner);
    assert_eq!(server.webhook(&login("1")).await.status(), StatusCode::OK);
    becomes(&database, "SELECT count(*) FROM segue.tracks", "1").await;
    let is_delivered = |rows: &[Value]| {
        rows.iter().any(|row| {
            let mut destinations = row["destinations"].as_array().unwrap().iter();
            destinations.any(|one| one["name"] == "PostgreSQL" && one["state"] == "delivered")
        })
    };
    let rows = server.rows(is_delivered).await;
    let details = server.details(&rows[0]).await;
    let mut deliveries = details["deliveries"].as_array().unwrap().iter();
    let delivery = deliveries.find(|delivery| delivery["destination"] == "PostgreSQL").unwrap();
    assert_eq!(delivery["attempts"][0]["reason"], "a row in tracks, user_login_success of segue");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_wait_in_the_store_while_the_database_is_away() {
    let (data, database) = (tempfile::tempdir().unwrap(), PostgresServer::start().await);
    let server = start(&data, &database);
    assert_eq!(server.webhook(&login("1")).await.status(), StatusCode::OK);
    becomes(&database, "SELECT count(*) FROM segue.tracks", "1").await;
    database.stop();
    for id in 2..=20 {
        assert_eq!(server.webhook(&login(&id.to_string())).await.status(), StatusCode::OK);
    }
    server.kill();
    let server = start(&data, &database);
    database.restart().await;
    becomes(&database, "SELECT count(*) FROM segue.tracks", "20").await;
    let log = server.log();
    assert!(!log.contains("user-1") && !log.contains("@example.com"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_discarded_value_is_shown_and_a_message_that_a_rule_refuses_is_a_dead_letter() {
    let (data, database) = (tempfile::tempdir().unwrap(), PostgresServer::start().await);
    let server = start(&data, &database);
    let track = |id: &str, n: Value| {
        json!({"userId": "u1", "event": "Order Completed", "messageId": id, "writeKey": "local", "properties": {"n": n}}).to_string()
    };
    for (id, n) in [("m1", json!(1)), ("m2", json!("x"))] {
        assert_eq!(server.post("/v1/track", track(id, n)).await.status(), StatusCode::OK);
        becomes(&database, "SELECT max(id) FROM segue.tracks", id).await;
    }
    let rows = server.rows(|rows| rows.iter().all(|row| row["state"] == "delivered")).await;
    let second = rows.iter().find(|row| row["messageId"] == "m2").unwrap();
    let details = server.details(second).await.to_string();
    assert!(details.contains("a row in order_completed, tracks of segue; discarded: n (type)"), "{details}");
    database.run("ALTER TABLE segue.tracks ADD CONSTRAINT mine CHECK (id <> 'm3')").await;
    assert_eq!(server.post("/v1/track", track("m3", json!(3))).await.status(), StatusCode::OK);
    let began = Instant::now();
    while server.queue("warehouse").await["deadLetters"].as_array().unwrap().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(60), "there is no dead letter");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    database.run("ALTER TABLE segue.tracks DROP CONSTRAINT mine").await;
    let mut redrive = segue();
    redrive
        .args(["redrive", "--listen", server.base.trim_start_matches("http://"), "--data-dir"])
        .arg(data.path());
    assert!(redrive.status().unwrap().success());
    becomes(&database, "SELECT count(*) FROM segue.tracks", "3").await;
}

#[test]
fn a_warehouse_that_would_be_reached_in_plain_text_is_refused_at_the_start() {
    let data = tempfile::tempdir().unwrap();
    for (url, expected) in [
        ("postgres://u:hunter2@db.example.com/d?sslmode=disable", "plain text"),
        ("mysql://u:hunter2@db.example.com/d", "--warehouse is not usable: it is not a connection string"),
    ] {
        let mut serve = segue();
        serve.args(["serve", "--listen", "127.0.0.1:0", "--warehouse", url, "--data-dir"]).arg(data.path());
        let (status, said) = ended_at_start(serve);
        assert!(!status.success() && said.contains(expected) && !said.contains("hunter2"), "{said}");
    }
}
