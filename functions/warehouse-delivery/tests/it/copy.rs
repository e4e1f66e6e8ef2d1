//! Rows that are copied into their tables, as a backfill does.

use std::{collections::BTreeMap, sync::Arc};

use delivery::Outcome;
use platform::clock::SystemClock;
use segment::Message;
use testkit::postgres::{Installation, PgBouncer, PostgresServer};
use warehouse_delivery::{Routed, WarehouseDestination};

use crate::support::{destination, identify, message, track};

/// Writes messages of a write key that are in no queue.
async fn write(destination: &WarehouseDestination, write_key: &str, messages: &[String]) -> Vec<Outcome> {
    let read = |text: &String| destination.read(Message::from_json(text.as_bytes()).unwrap(), write_key);
    let messages: Vec<Routed> = messages.iter().map(read).collect();
    destination.write_all(&messages.iter().collect::<Vec<_>>(), 0).await
}

/// Returns the rows of all tables of a schema, without the times at which they were written.
async fn tables(server: &PostgresServer, schema: &str) -> BTreeMap<String, Vec<Vec<String>>> {
    let select = format!(
        "SELECT relname FROM pg_class WHERE relnamespace = '{schema}'::regnamespace AND relkind = 'r'"
    );
    let mut tables = BTreeMap::new();
    for table in server.rows(&select).await.into_iter().flatten() {
        let rows = format!("SELECT to_jsonb(t) - 'uuid_ts' FROM {schema}.{table} t ORDER BY id");
        tables.insert(table, server.rows(&rows).await);
    }
    tables
}

/// Calls of all kinds, and values that a line of text could break.
fn messages() -> Vec<String> {
    let mut messages = vec![
        track("t1", r#"{"tab":"a\tb","line":"a\r\nb","back":"\\N","end":"\\.","empty":"","quote":"\"'"}"#),
        track("t2", r#"{"total":12345678901234567890.5,"ok":true,"at":"2026-11-21T04:00:00+01:00"}"#),
        track("t3", r#"{"nul":"a\u0000b","a b":1,"a_b":2,"id":"x","emoji":"🎉","list":[1,"\\n"]}"#),
        message("t4", r#""type":"track","event":"Users","properties":{"n":1}"#),
        message("g1", r#""type":"group","groupId":"acme","traits":{"plan":"a\\b"}"#),
        message("p1", r#""type":"page","name":"Home","properties":{"path":"/"}"#),
        message("a1", r#""type":"alias","previousId":"u0""#),
    ];
    messages.extend((0..20).map(|at| identify(&format!("i{at}"), &format!(r#"{{"n":{at},"t{at}":"x"}}"#))));
    messages
}

#[tokio::test]
async fn rows_that_are_copied_are_those_that_are_inserted() {
    for installation in Installation::all() {
        let server = PostgresServer::start_with(&installation, &["log_statement=all"]).await;
        let clock = SystemClock::shared();
        let inserting = destination(server.url("postgres"), clock.clone());
        let copying = destination(server.url("postgres"), clock).with_copy();
        for (destination, write_key) in [(&inserting, "inserted"), (&copying, "copied")] {
            let outcomes = write(destination, write_key, &messages()).await;
            assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Delivered), "{outcomes:?}");
        }
        let log = server.log();
        assert!(log.contains(r#"COPY "copied"."users""#) && !log.contains(r#"INSERT INTO "copied"."users""#));
        let copied = tables(&server, "copied").await;
        assert_eq!(copied, tables(&server, "inserted").await);
        assert_eq!((copied["users"].len(), copied["order_completed"].len()), (1, 3));
        let written =
            "SELECT count(*) FROM copied.tracks WHERE uuid_ts BETWEEN now() - interval '1 minute' AND now()";
        assert_eq!(server.value(written).await, "4");

        // The whole batch is there already, but for one message and a value that does not fit.
        let again = [messages(), vec![track("t9", r#"{"total":"much"}"#)]].concat();
        let outcomes = write(&copying, "copied", &again).await;
        assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Delivered), "{outcomes:?}");
        assert_eq!(tables(&server, "copied").await["order_completed"].len(), 4);
        write(&copying, "copied", &[r#"{"type":"delete","userId":"u1"}"#.to_owned()]).await;
        write(&copying, "copied", &messages()).await;
        assert_eq!(tables(&server, "copied").await["users"].len(), 0, "a deleted user does not come back");
    }
}

#[tokio::test]
async fn a_message_that_postgresql_refuses_is_named_and_the_others_are_written() {
    let server = PostgresServer::start().await;
    let copying = destination(server.url("postgres"), SystemClock::shared()).with_copy();
    write(&copying, "default", &[track("t0", r#"{"total":1}"#)]).await;
    server.run("ALTER TABLE segue.order_completed ADD CONSTRAINT few CHECK (total < 100)").await;
    let batch = [track("t1", r#"{"total":2}"#), track("t2", r#"{"total":200}"#)];
    let outcomes = write(&copying, "default", &batch).await;
    assert_eq!(outcomes[0], Outcome::Delivered);
    let reason = &outcomes[1].failure().unwrap().reason;
    assert!(reason.contains("constraint few"), "{reason}");
    assert_eq!(server.value("SELECT count(*) FROM segue.order_completed").await, "2");
}

/// Nothing but a unique `id` keeps a copy from making a row twice.
#[tokio::test]
async fn a_table_that_could_take_a_row_twice_or_hides_rows_gets_no_copies() {
    let server = PostgresServer::start().await;
    server.run("CREATE ROLE writer LOGIN; GRANT CREATE ON DATABASE postgres TO writer").await;
    let copying = destination(server.url_of("writer", "postgres"), SystemClock::shared()).with_copy();
    let batch = [track("t1", "{}"), message("p1", r#""type":"page""#), identify("i1", "{}")];
    write(&copying, "default", &batch).await;
    server
        .run(
            "ALTER TABLE segue.order_completed DROP CONSTRAINT order_completed_pkey; \
             ALTER TABLE segue.pages ENABLE ROW LEVEL SECURITY; ALTER TABLE segue.pages FORCE ROW LEVEL SECURITY",
        )
        .await;
    let batch = [track("t2", "{}"), message("p2", r#""type":"page""#), identify("i2", "{}")];
    for _ in 0..2 {
        let outcomes = write(&copying, "default", &batch).await;
        let reasons: Vec<&str> =
            outcomes.iter().map(|one| one.failure().map_or("", |failure| &failure.reason)).collect();
        assert!(reasons[0].contains("the table needs PRIMARY KEY (id)"), "{reasons:?}");
        assert!(reasons[1].contains("BYPASSRLS"), "{reasons:?}");
        assert_eq!(outcomes[2], Outcome::Delivered);
    }
    assert_eq!(server.value("SELECT count(*) FROM segue.order_completed").await, "1");
    assert_eq!(server.value("SELECT count(*) FROM segue.identifies").await, "2");
}

/// History may come after the deletion.
#[tokio::test]
async fn a_message_of_the_past_counts_as_received_at_its_own_time() {
    let server = PostgresServer::start().await;
    let copying = destination(server.url("postgres"), SystemClock::shared()).with_copy();
    let at = |id: &str, day: &str, fields: &str| {
        format!(r#"{{"messageId":"{id}","userId":"u1",{fields},"timestamp":"2026-01-{day}T00:00:00Z"}}"#)
    };
    let outcomes = write(
        &copying,
        "default",
        &[
            at("i1", "01", r#""type":"identify","traits":{"a":1}"#),
            at("d1", "02", r#""type":"delete""#),
            at("i3", "03", r#""type":"identify","traits":{"b":3}"#),
        ],
    )
    .await;
    assert_eq!(outcomes[2], Outcome::Delivered, "the user came back");
    let late = write(&copying, "default", &[at("i4", "01", r#""type":"identify","traits":{"a":4}"#)]).await;
    assert_eq!(late, [Outcome::Ignored("deleted")]);
    assert_eq!(server.rows("SELECT a, b FROM segue.users").await, [["NULL", "3"]]);
}

/// The library prepares the statement of a copy by name, which poolers share between their clients.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn copies_work_through_a_pooler_in_transaction_mode() {
    let server = Arc::new(PostgresServer::start().await);
    let Some(bouncer) = PgBouncer::start(&server).await else {
        eprintln!("skipped: copies_work_through_a_pooler_in_transaction_mode needs PgBouncer");
        return;
    };
    let tasks: Vec<_> = (0..6)
        .map(|task| {
            let url = bouncer.url();
            tokio::spawn(async move {
                let copying = destination(url, SystemClock::shared()).with_copy();
                for round in 0..10 {
                    let batch: Vec<String> =
                        (0..5).map(|at| track(&format!("m{task}-{round}-{at}"), r#"{"a":1}"#)).collect();
                    let outcomes = write(&copying, "default", &batch).await;
                    assert!(outcomes.iter().all(|one| *one == Outcome::Delivered), "{outcomes:?}");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(server.value("SELECT count(*) FROM segue.order_completed").await, "300");
}
