//! Databases that fail, and what people do to their tables.

use std::{sync::Arc, time::Duration};

use testkit::{StoredSecret, World, assert_attributes, postgres::PostgresServer};

use crate::support::{Warehouse, identify, message, of_secret, track};

#[tokio::test]
async fn only_the_messages_of_a_table_that_somebody_holds_wait() {
    let warehouse = Warehouse::start().await;
    warehouse.wrote(&[track("m1", r#"{"n":1}"#), message("m2", r#""type":"page""#)]).await;
    let holder = warehouse.server.client().await;
    for (lock, held) in [
        // A reader stops only those who need a new column.
        ("BEGIN; SELECT * FROM segue.order_completed", track("m3", r#"{"n":3,"more":1}"#)),
        ("BEGIN; LOCK TABLE segue.order_completed IN ACCESS EXCLUSIVE MODE", track("m4", r#"{"n":4}"#)),
    ] {
        holder.batch_execute(lock).await.unwrap();
        warehouse.write(&[&held, &message("p1", r#""type":"page""#), &identify("i1", r#"{"a":1}"#)]).await;
        let queued = warehouse.world.queued().await;
        assert_eq!((queued.len(), &*queued[0].0), (1, &*held), "{lock}");
        assert_eq!(warehouse.server.value("SELECT count(*) FROM segue.pages WHERE id = 'p1'").await, "1");
        assert_eq!(
            warehouse.server.value("SELECT count(*) FROM segue.identifies WHERE id = 'i1'").await,
            "1"
        );
        holder.batch_execute("ROLLBACK").await.unwrap();
        warehouse.world.drain().await;
        warehouse.assert_empty().await;
        warehouse
            .server
            .run("DELETE FROM segue.pages WHERE id = 'p1'; DELETE FROM segue.identifies WHERE id = 'i1'")
            .await;
    }
    let rows = warehouse.server.rows("SELECT id, n FROM segue.order_completed ORDER BY id").await;
    assert_eq!(rows, [["m1", "1"], ["m3", "3"], ["m4", "4"]]);
}

/// Those who read a table all day, such as a backup, stop no message that needs no new column.
#[tokio::test]
async fn a_new_column_that_must_wait_holds_up_no_message_without_it() {
    let warehouse = Warehouse::start().await;
    warehouse.wrote(&[track("m1", r#"{"n":1}"#)]).await;
    let reader = warehouse.server.client().await;
    reader.batch_execute("BEGIN; SELECT * FROM segue.order_completed").await.unwrap();
    warehouse.write(&[track("m2", r#"{"n":2}"#), track("m3", r#"{"n":3,"more":1}"#)]).await;
    let queued = warehouse.world.queued().await;
    assert!(queued.len() == 1 && queued[0].0.contains("m3"), "{queued:?}");
    assert_eq!(warehouse.server.value("SELECT count(*) FROM segue.order_completed").await, "2");
}

#[tokio::test]
async fn a_held_table_of_discards_holds_up_only_messages_with_discards() {
    let warehouse = Warehouse::start().await;
    warehouse.wrote(&[track("m1", r#"{"n":1}"#)]).await;
    let holder = warehouse.server.client().await;
    holder.batch_execute("BEGIN; LOCK TABLE segue.segue_discards IN ACCESS EXCLUSIVE MODE").await.unwrap();
    warehouse.write(&[track("m2", r#"{"n":2}"#), track("m3", r#"{"n":"three"}"#)]).await;
    let queued = warehouse.world.queued().await;
    assert!(queued.len() == 1 && queued[0].0.contains("m3"), "{queued:?}");
    holder.batch_execute("ROLLBACK").await.unwrap();
    warehouse.world.drain().await;
    warehouse.assert_empty().await;
}

/// A trigger that calls a slow service must not take 30 seconds from each batch of the others.
#[tokio::test]
async fn a_table_whose_trigger_takes_too_long_holds_up_its_own_messages_alone() {
    let warehouse = Warehouse::start().await;
    warehouse.wrote(&[track("m1", "{}"), message("p1", r#""type":"page""#)]).await;
    let sleep = "CREATE FUNCTION segue.sleep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         PERFORM pg_sleep(3600); RETURN NEW; END $$; \
         CREATE TRIGGER slow BEFORE INSERT ON segue.pages FOR EACH ROW EXECUTE FUNCTION segue.sleep()";
    warehouse.server.run(sleep).await;
    let server = warehouse.server.clone();
    // This is the end that the limit of time makes, without the wait for it.
    let canceled = tokio::spawn(async move {
        let cancel =
            "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
        while server.value(cancel).await == "0" {}
    });
    let mut batch: Vec<String> = (2..=9).map(|at| message(&format!("p{at}"), r#""type":"page""#)).collect();
    batch.push(track("m2", "{}"));
    warehouse.write(&batch).await;
    canceled.await.unwrap();
    assert_eq!(warehouse.server.value("SELECT count(*) FROM segue.tracks").await, "2");
    // Nobody cancels the next statement. It is not sent at all.
    warehouse.write(&[message("p10", r#""type":"page""#), track("m3", "{}")]).await;
    assert_eq!(warehouse.server.value("SELECT count(*) FROM segue.tracks").await, "3");
    assert_eq!(warehouse.world.queued().await.len(), 9);
    // Half as many messages may take less than the limit, and then there may be more again.
    warehouse.server.run("DROP TRIGGER slow ON segue.pages").await;
    warehouse.world.clock.advance(Duration::from_secs(61));
    for written in ["5", "10"] {
        warehouse.world.poll(500).await;
        assert_eq!(warehouse.server.value("SELECT count(*) FROM segue.pages").await, written);
        warehouse.world.clock.advance(Duration::from_secs(2));
    }
    warehouse.assert_empty().await;
}

/// PostgreSQL keeps the names of the constraints of a table that is renamed.
#[tokio::test]
async fn a_table_that_was_renamed_is_made_again() {
    let warehouse = Warehouse::start().await;
    warehouse.wrote(&[track("m1", "{}")]).await;
    warehouse.server.run("ALTER TABLE segue.order_completed RENAME TO old").await;
    warehouse.wrote(&[track("m2", "{}"), message("p1", r#""type":"page""#)]).await;
    assert_eq!(warehouse.server.value("SELECT id FROM segue.order_completed").await, "m2");
    assert_eq!(warehouse.discards("order_completed").await.len(), 0);
}

#[tokio::test]
async fn a_refusal_that_no_grant_ends_is_told_with_what_does() {
    let server = Arc::new(PostgresServer::start().await);
    server.run("CREATE ROLE writer LOGIN").await;
    let owner = Warehouse::on(server.clone());
    owner.wrote(&[track("m1", "{}"), message("p1", r#""type":"page""#)]).await;
    server
        .run(
            "GRANT ALL ON SCHEMA segue TO writer; GRANT ALL ON ALL TABLES IN SCHEMA segue TO writer; \
             ALTER TABLE segue.pages ENABLE ROW LEVEL SECURITY; \
             ALTER TABLE segue.order_completed DROP CONSTRAINT order_completed_pkey",
        )
        .await;
    let warehouse = Warehouse::connecting(server.clone(), server.url_of("writer", "postgres"));
    testkit::log();
    warehouse.write(&[track("m2", "{}"), message("p2", r#""type":"page""#)]).await;
    let logged = testkit::logged();
    assert!(logged.contains("give the role a policy, or BYPASSRLS"), "{logged}");
    assert!(logged.contains("the table needs PRIMARY KEY (id)"), "{logged}");
    server.run("ALTER ROLE writer BYPASSRLS; ALTER TABLE segue.order_completed ADD PRIMARY KEY (id)").await;
    warehouse.world.drain().await;
    warehouse.assert_empty().await;
}

#[tokio::test]
async fn a_row_that_a_rule_of_the_user_refuses_is_dead_after_three_tries_and_holds_nobody_up() {
    let warehouse = Warehouse::start().await;
    warehouse.wrote(&[track("m0", r#"{"n":1}"#)]).await;
    warehouse.server.run("ALTER TABLE segue.order_completed ADD CONSTRAINT small CHECK (n < 10)").await;
    let messages: Vec<String> = (1..=50)
        .map(|n| track(&format!("m{n}"), &format!(r#"{{"n":{}}}"#, if n % 20 == 7 { 99 } else { 1 })))
        .collect();
    warehouse.write(&messages).await;
    assert_eq!(warehouse.server.value("SELECT count(*) FROM segue.tracks").await, "48");
    assert_eq!(warehouse.world.queued().await.len(), 3);
    warehouse.world.drain().await;
    let dead = warehouse.world.dead_letters().await;
    assert_eq!(dead.len(), 3);
    let reason = "a rule in your database refused the row (23514 table order_completed constraint small); look at its constraints and triggers";
    assert_attributes(&dead[0].1, &[("failure", "constraint"), ("attempts", "3"), ("reason", reason)]);
    warehouse.server.run("ALTER TABLE segue.order_completed DROP CONSTRAINT small").await;
    warehouse.world.redrive().await;
    warehouse.world.drain().await;
    assert_eq!(warehouse.server.value("SELECT count(*) FROM segue.order_completed").await, "51");
}

#[tokio::test]
async fn a_missing_privilege_is_named_with_the_statement_that_gives_it() {
    let server = Arc::new(PostgresServer::start().await);
    server.run("CREATE ROLE writer LOGIN; CREATE ROLE reader;").await;
    let warehouse = Warehouse::connecting(server.clone(), server.url_of("writer", "postgres"));
    let messages = [track("m1", r#"{"n":1}"#), identify("i1", r#"{"a":1}"#)];
    testkit::log();
    warehouse.write(&messages).await;
    for (number, (cure, then)) in [
        ("GRANT CREATE ON DATABASE \"postgres\" TO \"writer\"", "CREATE SCHEMA segue"),
        ("GRANT USAGE, CREATE ON SCHEMA \"segue\" TO \"writer\"", ""),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(warehouse.world.queued().await.len(), 2, "{cure}");
        let logged = testkit::logged();
        assert!(logged.contains("permission") && logged.contains(cure), "{cure}: {logged}");
        server.run(&format!("{cure};{then}")).await;
        if number == 0 {
            server.run("REVOKE CREATE ON DATABASE postgres FROM writer").await;
        }
        warehouse.world.skip().await;
        warehouse.world.poll(10).await;
    }
    warehouse.world.drain().await;
    warehouse.assert_empty().await;
    // The owner of the tables is another role from now on.
    server
        .run("ALTER TABLE segue.order_completed OWNER TO postgres; ALTER TABLE segue.users OWNER TO postgres")
        .await;
    for (message, cure) in [
        (track("m2", r#"{"more":1}"#), "ALTER TABLE \"segue\".\"order_completed\" OWNER TO \"writer\""),
        (
            identify("i2", r#"{"a":2}"#),
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA \"segue\" TO \"writer\"",
        ),
    ] {
        warehouse.write(&[&message, &track("t", "{}")]).await;
        let logged = testkit::logged();
        assert!(logged.contains(cure), "{cure}: {logged}");
        server.run(cure).await;
        warehouse.world.drain().await;
        warehouse.assert_empty().await;
    }
}

#[tokio::test]
async fn a_database_that_is_away_for_days_loses_nothing_and_the_backlog_drains() {
    let warehouse = Warehouse::start().await;
    warehouse.wrote(&[track("m0", "{}")]).await;
    warehouse.server.stop();
    for day in 1..=5 {
        warehouse.write(&[track(&format!("m{day}"), "{}")]).await;
        for _ in 0..3 {
            warehouse.world.clock.advance(Duration::from_hours(8));
            warehouse.world.poll(500).await;
        }
    }
    warehouse.server.restart().await;
    warehouse.world.drain().await;
    warehouse.assert_empty().await;
    assert_eq!(warehouse.server.value("SELECT count(*) FROM segue.tracks").await, "6");
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_opened_again() {
    let warehouse = Warehouse::start().await;
    for round in 0..3 {
        warehouse.wrote(&[track(&format!("m{round}"), "{}")]).await;
        let ended =
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'segue'";
        assert_eq!(warehouse.server.value(ended).await, "1", "one connection for each environment");
        // The closed connection is noticed at the latest by the next statement.
        while warehouse
            .server
            .value("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'segue'")
            .await
            != "0"
        {}
        warehouse.write(&[track(&format!("n{round}"), "{}")]).await;
        warehouse.world.drain().await;
    }
    assert_eq!(warehouse.server.value("SELECT count(*) FROM segue.tracks").await, "6");
}

#[tokio::test]
async fn a_password_that_was_changed_is_read_again() {
    let server = PostgresServer::start().await;
    server.run("CREATE ROLE writer LOGIN PASSWORD 'first' SUPERUSER").await;
    server.write("pg_hba.conf", "local all writer scram-sha-256\nlocal all all trust\n");
    server.run("SELECT pg_reload_conf()").await;
    let url = |password: &str| server.url_of(&format!("writer:{password}"), "postgres");
    let secret = StoredSecret::new(url("first"));
    let of_world = secret.clone();
    let world = World::new(move |_, clock| of_secret(of_world.clone(), clock.clone()));
    world.publish(&track("m1", "{}"), "default").await;
    world.poll(10).await;
    server.run("ALTER ROLE writer PASSWORD 'second'").await;
    server.restart().await;
    world.publish(&track("m2", "{}"), "default").await;
    world.poll(10).await;
    assert_eq!(world.queued().await.len(), 1, "the secret still has the old password");
    secret.set(url("second"));
    world.drain().await;
    assert!(world.dead_letters().await.is_empty());
    assert_eq!(server.value("SELECT count(*) FROM segue.tracks").await, "2");
}

#[tokio::test]
async fn a_full_disk_loses_nothing() {
    let warehouse = Warehouse::start().await;
    warehouse.wrote(&[track("m0", r#"{"text":""}"#)]).await;
    // The limit of a file's size stands for the end of the disk. A table grows beyond it after some messages.
    warehouse.server.limit_files(Some(2 * 1024 * 1024)).await;
    let text = "0123456789abcdef".repeat(1_500);
    let mut refused = 0;
    for batch in 0..30 {
        let messages: Vec<String> = (0..10)
            .map(|number| {
                let salt: String = std::iter::repeat_with(fastrand::alphanumeric).take(8_000).collect();
                track(&format!("m{batch}-{number}"), &format!(r#"{{"text":"{salt}{text}"}}"#))
            })
            .collect();
        warehouse.write(&messages).await;
        refused += usize::from(!warehouse.world.queued().await.is_empty());
    }
    assert!(refused > 0, "the disk was never full");
    warehouse.server.limit_files(None).await;
    warehouse.world.drain().await;
    warehouse.assert_empty().await;
    assert_eq!(warehouse.server.value("SELECT count(*) FROM segue.order_completed").await, "301");
    assert_eq!(warehouse.server.value("SELECT count(*) FROM segue.tracks").await, "301");
}

#[tokio::test]
async fn a_role_that_may_not_create_segues_own_tables_waits_and_says_so() {
    let server = Arc::new(PostgresServer::start().await);
    server.run("CREATE ROLE writer LOGIN").await;
    let owner = Warehouse::on(server.clone());
    owner.wrote(&[track("m1", "{}"), message("p1", r#""type":"page""#)]).await;
    server.run("DROP TABLE segue.segue_discards, segue.segue_deleted; GRANT USAGE ON SCHEMA segue TO writer; GRANT ALL ON ALL TABLES IN SCHEMA segue TO writer").await;
    let warehouse = Warehouse::connecting(server.clone(), server.url_of("writer", "postgres"));
    testkit::log();
    warehouse.write(&[track("m2", "{}"), message("p2", r#""type":"page""#)]).await;
    let logged = testkit::logged();
    assert!(logged.contains("GRANT USAGE, CREATE ON SCHEMA \"segue\" TO \"writer\""), "{logged}");
    assert_eq!(warehouse.world.queued().await.len(), 2);
    server.run("GRANT CREATE ON SCHEMA segue TO writer").await;
    warehouse.world.drain().await;
    warehouse.assert_empty().await;
}

#[tokio::test]
async fn what_a_trigger_says_is_never_logged() {
    let warehouse = Warehouse::start().await;
    warehouse.wrote(&[track("m1", "{}")]).await;
    warehouse
        .server
        .run(
            "CREATE FUNCTION segue.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             RAISE EXCEPTION '% is blocked', NEW.user_id USING ERRCODE = 'insufficient_privilege'; END $$; \
             CREATE TRIGGER refused BEFORE INSERT ON segue.tracks FOR EACH ROW EXECUTE FUNCTION segue.refuse();",
        )
        .await;
    testkit::log();
    warehouse.write(&[track("m2", "{}").replace("u1", "secret@example.com")]).await;
    let logged = testkit::logged();
    assert!(logged.contains("42501") && !logged.contains("secret"), "{logged}");
}
