//! The deletion of a user.

use std::sync::Arc;

use testkit::postgres::PostgresServer;

use crate::support::{Warehouse, message, track};

/// Returns a message of a user that was received at this second.
fn received(second: u32, id: &str, user: &str, fields: &str) -> String {
    format!(
        r#"{{"messageId":"{id}","userId":"{user}",{fields},"timestamp":"2026-11-21T04:00:{second:02}.000Z","receivedAt":"2026-11-21T04:00:{second:02}.000Z"}}"#
    )
}

fn deletion(second: u32, user: &str) -> String {
    received(second, &format!("delete-{user}-{second}"), user, r#""type":"delete""#)
}

/// Returns how many rows of all tables hold this text.
async fn rows_with(warehouse: &Warehouse, text: &str) -> u32 {
    let tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'segue' ORDER BY 1";
    let mut found = 0;
    for table in warehouse.server.rows(tables).await {
        let count = format!("SELECT count(*) FROM segue.{} t WHERE t::text LIKE '%{text}%'", table[0]);
        found += warehouse.server.value(&count).await.parse::<u32>().unwrap();
    }
    found
}

fn everything_of(user: &str, second: u32) -> Vec<String> {
    let calls = [
        r#""type":"track","event":"Order Completed","properties":{"n":"misfit"}"#,
        r#""type":"identify","traits":{"email":"mail","n":"misfit"}"#,
        r#""type":"page","name":"Home""#,
        r#""type":"screen","name":"Home""#,
        r#""type":"group","groupId":"g1","traits":{"n":1}"#,
        r#""type":"alias","previousId":"before""#,
    ];
    let message = |(number, fields): (usize, &&str)| {
        received(second, &format!("{user}-{second}-{number}"), user, fields)
    };
    calls.iter().enumerate().map(message).collect()
}

#[tokio::test]
async fn a_deletion_removes_the_rows_of_the_user_from_every_table_and_of_nobody_else() {
    let warehouse = Warehouse::start().await;
    warehouse
        .wrote(&[
            track("first", r#"{"n":1}"#),
            r#"{"type":"identify","userId":"first","traits":{"n":1}}"#.to_owned(),
        ])
        .await;
    warehouse
        .server
        .run("CREATE TABLE segue.notes (user_id text); INSERT INTO segue.notes VALUES ('victim');")
        .await;
    warehouse.wrote(&[everything_of("victim", 1), everything_of("other", 1)].concat()).await;
    let alias = received(1, "alias", "renamed", r#""type":"alias","previousId":"victim""#);
    warehouse.wrote(&[alias]).await;
    let (others, all) = (rows_with(&warehouse, "other").await, rows_with(&warehouse, "victim").await);
    assert!(all >= 10, "{all}");
    warehouse.wrote(&[deletion(2, "victim")]).await;
    assert_eq!(rows_with(&warehouse, "victim").await, 1, "only the table of the database's own user has it");
    assert_eq!(rows_with(&warehouse, "other").await, others);
    let account = warehouse.server.rows("SELECT id, n, user_id FROM segue.accounts").await;
    assert!(account == [["g1", "1", "NULL"]] || account == [["g1", "1", "other"]], "{account:?}");
}

#[tokio::test]
async fn a_message_from_before_the_deletion_does_not_bring_the_user_back() {
    let warehouse = Warehouse::start().await;
    warehouse.wrote(&everything_of("victim", 1)).await;
    warehouse.wrote(&[deletion(5, "victim")]).await;
    let mut late = everything_of("victim", 4);
    late.extend(everything_of("other", 4));
    warehouse.wrote(&late).await;
    assert_eq!(rows_with(&warehouse, "victim").await, 0);
    assert!(rows_with(&warehouse, "other").await > 0);
    // Somebody who comes back is a new user.
    warehouse.wrote(&everything_of("victim", 6)).await;
    assert!(rows_with(&warehouse, "victim").await > 5);
}

#[tokio::test]
async fn a_late_deletion_keeps_what_came_after_it() {
    let warehouse = Warehouse::start().await;
    let identify = |second: u32, traits: &str| {
        received(second, &format!("m{second}"), "victim", &format!(r#""type":"identify","traits":{traits}"#))
    };
    warehouse
        .wrote(&[identify(1, r#"{"former":1,"shared":1}"#), identify(9, r#"{"shared":9,"latter":9}"#)])
        .await;
    warehouse.wrote(&[deletion(5, "victim"), deletion(5, "victim")]).await;
    let user = warehouse.server.rows("SELECT former, shared, latter FROM segue.users").await;
    assert_eq!(user, [["NULL", "9", "9"]]);
    assert_eq!(warehouse.server.rows("SELECT id FROM segue.identifies").await, [["m9"]]);
    warehouse.wrote(&[identify(10, r#"{"former":10}"#)]).await;
    assert_eq!(warehouse.server.value("SELECT former FROM segue.users").await, "10");
}

#[tokio::test]
async fn a_deletion_in_the_batch_of_its_user_and_one_before_the_first_message_are_fine() {
    let warehouse = Warehouse::start().await;
    warehouse.wrote(&[deletion(1, "nobody")]).await;
    let mut batch = everything_of("victim", 1);
    batch.insert(0, deletion(5, "victim"));
    warehouse.wrote(&batch).await;
    assert_eq!(rows_with(&warehouse, "victim").await, 0);
}

#[tokio::test]
async fn a_deletion_waits_for_a_table_that_somebody_holds_and_then_goes_on() {
    let warehouse = Warehouse::start().await;
    warehouse.wrote(&everything_of("victim", 1)).await;
    let holder = warehouse.server.client().await;
    holder.batch_execute("BEGIN; LOCK TABLE segue.pages IN ACCESS EXCLUSIVE MODE").await.unwrap();
    warehouse.server.run("ALTER ROLE postgres SET lock_timeout = '100ms'").await;
    warehouse.write(&[deletion(2, "victim")]).await;
    assert_eq!(warehouse.world.queued().await.len(), 1);
    holder.batch_execute("ROLLBACK").await.unwrap();
    warehouse.world.drain().await;
    warehouse.assert_empty().await;
    assert_eq!(rows_with(&warehouse, "victim").await, 0);
}

#[tokio::test]
async fn a_deletion_before_the_first_message_is_remembered() {
    let warehouse = Warehouse::start().await;
    warehouse.wrote(&[deletion(5, "victim")]).await;
    warehouse.wrote(&everything_of("victim", 4)).await;
    assert_eq!(rows_with(&warehouse, "victim").await, 0);
}

#[tokio::test]
async fn a_deletion_takes_the_discards_of_the_user_and_of_nobody_else() {
    let warehouse = Warehouse::start().await;
    warehouse.server.run("CREATE SCHEMA segue; CREATE VIEW segue.pages AS SELECT 1 AS one").await;
    // The user, a group and a message of another user have the same id.
    warehouse
        .wrote(&[received(1, "g1", "other", r#""type":"group","groupId":"42","traits":{"seats":1}"#)])
        .await;
    warehouse
        .wrote(&[
            received(2, "g2", "other", r#""type":"group","groupId":"42","traits":{"seats":"many"}"#),
            received(2, "42", "other", r#""type":"track","event":"E","properties":{"id":"kept"}"#),
            received(2, "p1", "42", r#""type":"page","properties":{"ssn":"secret"}"#),
            received(2, "p2", "42", r#""type":"track","event":"E","properties":{"id":"secret"}"#),
        ])
        .await;
    warehouse.wrote(&[deletion(3, "42")]).await;
    let kept = "SELECT table_name, column_value FROM segue.segue_discards ORDER BY 1";
    assert_eq!(
        warehouse.server.rows(kept).await,
        [["accounts", r#""many""#], ["e", r#""kept""#], ["groups", r#""many""#]]
    );
}

#[tokio::test]
async fn a_table_that_refuses_keeps_no_other_table_from_being_cleaned() {
    let warehouse = Warehouse::start().await;
    warehouse.wrote(&everything_of("victim", 1)).await;
    let refer = "CREATE TABLE public.notes (id text REFERENCES segue.aliases (id)); INSERT INTO public.notes SELECT id FROM segue.aliases";
    warehouse.server.run(refer).await;
    warehouse.write(&[deletion(2, "victim")]).await;
    warehouse.world.drain().await;
    for table in ["identifies", "order_completed", "pages", "tracks", "users"] {
        assert_eq!(
            warehouse.server.value(&format!("SELECT count(*) FROM segue.{table}")).await,
            "0",
            "{table}"
        );
    }
    let dead = warehouse.world.dead_letters().await;
    assert_eq!(dead.len(), 1);
    assert!(
        dead[0].1["reason"].contains("segue.aliases") && dead[0].1["failure"] == "constraint",
        "{dead:?}"
    );
}

/// Rows that a policy hides would stay without a word.
#[tokio::test]
async fn a_deletion_that_does_not_see_all_rows_waits_and_says_so() {
    let server = Arc::new(PostgresServer::start().await);
    server.run("CREATE ROLE writer LOGIN; GRANT CREATE ON DATABASE postgres TO writer").await;
    let warehouse = Warehouse::connecting(server.clone(), server.url_of("writer", "postgres"));
    warehouse.wrote(&[message("p1", r#""type":"page""#)]).await;
    server
        .run(
            "ALTER TABLE segue.pages ENABLE ROW LEVEL SECURITY; ALTER TABLE segue.pages FORCE ROW LEVEL SECURITY; \
             CREATE POLICY writes ON segue.pages FOR INSERT WITH CHECK (true)",
        )
        .await;
    testkit::log();
    warehouse.write(&[deletion(30, "u1")]).await;
    assert_eq!(warehouse.world.queued().await.len(), 1);
    let logged = testkit::logged();
    assert!(logged.contains("row-level security") && logged.contains("BYPASSRLS"), "{logged}");
    server.run("ALTER TABLE segue.pages DISABLE ROW LEVEL SECURITY").await;
    warehouse.world.drain().await;
    warehouse.assert_empty().await;
    assert_eq!(server.value("SELECT count(*) FROM segue.pages").await, "0");
}
