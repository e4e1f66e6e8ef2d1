//! `segue backfill … --to warehouse`: history as rows in PostgreSQL.

use std::{fs, path::Path, time::Duration};

use serde_json::json;
use testkit::postgres::{Installation, PostgresServer};

use super::{Ended, command, ndjson, run, sink::kill};

async fn backfill(data: &Path, server: &PostgresServer, arguments: &[&str]) -> Ended {
    let url = server.url("postgres");
    run(data, &[arguments, &["--to", "warehouse", "--warehouse", &url]].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_users_of_an_export_become_rows_and_a_second_run_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("users.json"));
    fs::write(&file, ndjson(2_600)).unwrap();
    let file = file.to_str().unwrap();
    let server = PostgresServer::start_with(&Installation::all()[0], &["log_statement=all"]).await;
    for more in [&[][..], &["--restart"]] {
        let ended = backfill(&data, &server, &[&["auth0", file], more].concat()).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(more.is_empty() || ended.summary()["sent"] == 2_600, "{ended:?}");
        for table in ["identifies", "users"] {
            let count = format!("SELECT count(DISTINCT id) FROM segue.{table}");
            assert_eq!(server.value(&count).await, "2600");
        }
    }
    assert!(server.log().contains(r#"COPY "segue"."identifies""#));
    let name = "SELECT last_name FROM segue.users WHERE id = 'auth0|0000005'";
    assert_eq!(server.value(name).await, "'t Hooft, \"senior\"");
    let ended = backfill(&data, &server, &["auth0", file]).await;
    assert!(ended.stderr.contains("An earlier run finished") && ended.code == Some(0), "{ended:?}");
}

/// Segment's storage destinations keep messages in this form, with members of their own.
#[tokio::test(flavor = "multi_thread")]
async fn messages_that_segment_kept_become_rows_and_what_is_none_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("messages.gz"));
    let line = |id: &str, more: serde_json::Value| {
        let mut message = json!({
            "_metadata": {"bundled": []}, "channel": "server", "messageId": id, "userId": "u1", "version": 2,
            "projectId": "p", "receivedAt": "2025-03-01T08:00:00.500Z", "timestamp": "2025-03-01T08:00:00.000Z",
        });
        message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        message.to_string()
    };
    let lines = [
        line("m1", json!({"type": "track", "event": "Order Completed", "properties": {"total": 1.5}})),
        line("m2", json!({"type": "identify", "traits": {"plan": "pro"}})),
        line("m1", json!({"type": "track", "event": "Order Completed", "properties": {"total": 1.5}})),
        r#"{"type":"track","messageId":"m3"}"#.to_owned(),
        "no JSON".to_owned(),
        line(
            "m4",
            json!({"type": "page", "receivedAt": "2025-01-01T08:00:00Z", "timestamp": "2025-01-01T08:00:00Z"}),
        ),
    ];
    fs::write(&file, testkit::gzip(lines.join("\n"))).unwrap();
    let file = file.to_str().unwrap();
    let server = PostgresServer::start().await;
    let messages = ["messages", file, "--since", "2025-02-01T00:00:00Z", "--write-key-name", "shop"];
    let ended = backfill(&data, &server, &messages).await;
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let summary = ended.summary();
    assert_eq!((&summary["read"], &summary["sent"]), (&6.into(), &3.into()), "{ended:?}");
    assert_eq!(summary["skipped"], json!({"before_since": 1}));
    assert_eq!(summary["refused"], json!({"invalid": 1, "unreadable": 1}));
    let refused = fs::read_to_string(summary["refusedFile"].as_str().unwrap()).unwrap();
    assert!(refused.contains("line 4") && refused.contains("line 5"), "{refused}");
    let row = "SELECT total, received_at AT TIME ZONE 'UTC' FROM shop.order_completed";
    assert_eq!(server.rows(row).await, [["1.5", "2025-03-01 08:00:00.5"]]);
    assert_eq!(server.value("SELECT plan FROM shop.users").await, "pro");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_writes_each_row_once_with_the_run_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("users.json"));
    fs::write(&file, ndjson(4_000)).unwrap();
    let (file, server) = (file.to_str().unwrap(), PostgresServer::start().await);
    let (url, count) = (server.url("postgres"), "SELECT count(*) FROM segue.identifies");
    let arguments = ["auth0", file, "--to", "warehouse", "--warehouse", &url];
    let mut child = command(&data, &arguments).spawn().unwrap();
    let is_there = "SELECT to_regclass('segue.identifies') IS NOT NULL";
    while server.value(is_there).await != "t" || server.value(count).await == "0" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    kill(child.id(), "-KILL");
    child.wait().unwrap();
    let written: u32 = server.value(count).await.parse().unwrap();
    assert!(written < 4_000, "it was killed too late");
    let ended = run(&data, &arguments).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(server.value(count).await, "4000");
    assert_eq!(server.value("SELECT count(*) FROM segue.users").await, "4000");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_was_deleted_stays_deleted_and_a_table_without_a_key_holds_up_only_its_own_messages() {
    let folder = tempfile::tempdir().unwrap();
    let (data, users) = (folder.path().join("data"), folder.path().join("users.json"));
    let messages = folder.path().join("messages.json");
    fs::write(&users, ndjson(3)).unwrap();
    let track = |id: u32, event: &str| {
        json!({"type": "track", "userId": "u2", "event": event, "messageId": format!("m{id}")}).to_string()
    };
    let mut lines = vec![json!({"type": "delete", "userId": "auth0|0000001"}).to_string()];
    lines.extend((0..2_000).map(|id| track(id, if id == 3 { "Keyless" } else { "Order Completed" })));
    fs::write(&messages, lines.join("\n")).unwrap();
    let (users, messages) = (users.to_str().unwrap(), messages.to_str().unwrap());
    let server = PostgresServer::start().await;
    server.run("CREATE SCHEMA segue; CREATE TABLE segue.keyless (id text)").await;
    let ended = backfill(&data, &server, &["messages", messages]).await;
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert_eq!(server.value("SELECT count(*) FROM segue.order_completed").await, "1999");
    let refused = fs::read_to_string(ended.summary()["refusedFile"].as_str().unwrap()).unwrap();
    assert!(refused.contains("the table needs PRIMARY KEY (id)") && refused.contains("m3"), "{refused}");
    let ended = backfill(&data, &server, &["auth0", users]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.summary()["skipped"], json!({"deleted": 1}));
    assert_eq!(server.value("SELECT count(*) FROM segue.users").await, "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("users.json"));
    fs::write(&file, ndjson(1)).unwrap();
    let (file, server) = (file.to_str().unwrap(), PostgresServer::start().await);
    server.run("CREATE ROLE writer LOGIN").await;
    let (writer, nobody) = (server.url_of("writer", "postgres"), server.url_of("nobody", "postgres"));
    for (arguments, code, expected) in [
        (vec!["auth0", file, "--to", "warehouse"], 1, "name the database with --warehouse"),
        (vec!["messages", file, "--warehouse", &writer], 1, "add --to warehouse"),
        (
            vec!["auth0", file, "--to", "warehouse", "--warehouse", &writer],
            1,
            r#"GRANT CREATE ON DATABASE "postgres" TO "writer""#,
        ),
        (
            vec!["auth0", file, "--to", "warehouse", "--warehouse", &nobody],
            1,
            "then run the same command again",
        ),
        (vec!["auth0", file, "--to", "attic"], 2, "possible values: segment, warehouse"),
    ] {
        let ended = run(&data, &arguments).await;
        assert_eq!(ended.code, Some(code), "{ended:?}");
        assert!(ended.stderr.contains(expected), "{expected}: {ended:?}");
    }
}
