//! Values that go back into their rows.

use std::collections::BTreeMap;

use warehouse_delivery::{Database, Repaired, repair};

use crate::support::{Warehouse, identify, track};

async fn repaired(warehouse: &Warehouse, is_dry: bool) -> BTreeMap<String, Repaired> {
    let database = Database::parse(&warehouse.server.url("postgres")).unwrap();
    repair(&database, "segue", is_dry).await.unwrap()
}

fn counts(put_back: u64, obsolete: u64, kept: u64) -> Repaired {
    Repaired { put_back, obsolete, kept }
}

#[tokio::test]
async fn values_go_back_into_their_rows_after_their_column_was_altered() {
    let warehouse = Warehouse::start().await;
    warehouse.wrote(&[track("m1", r#"{"n":1,"short":"a","a b":"first","a_b":"second"}"#)]).await;
    let others = [r#"{"n":"x","id":"mine"}"#, r#"{"n":1.5}"#, r#"{"n":"7"}"#, r#"{"n":2}"#];
    let others: Vec<String> =
        others.iter().enumerate().map(|(at, properties)| track(&format!("n{at}"), properties)).collect();
    warehouse.wrote(&others).await;
    assert_eq!(repaired(&warehouse, false).await["order_completed.n"], counts(0, 0, 3), "nothing fits yet");
    warehouse.server.run("ALTER TABLE segue.order_completed ALTER n TYPE numeric").await;
    assert_eq!(repaired(&warehouse, true).await["order_completed.n"], counts(1, 0, 2));
    assert_eq!(warehouse.discards("order_completed").await.len(), 5, "a dry run changes nothing");
    assert_eq!(repaired(&warehouse, false).await["order_completed.n"], counts(1, 0, 2));
    warehouse.server.run("ALTER TABLE segue.order_completed ALTER n TYPE text").await;
    let rest = repaired(&warehouse, false).await;
    assert_eq!(
        (&rest["order_completed.n"], &rest["order_completed.a_b"]),
        (&counts(2, 0, 0), &counts(0, 0, 1))
    );
    let rows = warehouse.server.rows("SELECT id, n, a_b FROM segue.order_completed ORDER BY id").await;
    assert_eq!(
        rows,
        [
            ["m1", "1", "first"],
            ["n0", "x", "NULL"],
            ["n1", "1.5", "NULL"],
            ["n2", "7", "NULL"],
            ["n3", "2", "NULL"]
        ]
    );
    let kept: Vec<String> =
        warehouse.discards("order_completed").await.into_iter().map(|row| row[1].clone()).collect();
    assert_eq!(kept, ["properties.a_b", "properties.id"], "no alteration makes room for these");
}

#[tokio::test]
async fn a_user_gets_a_discarded_value_back_unless_there_is_a_later_one() {
    let warehouse = Warehouse::start().await;
    let at = |second: u32, user: &str, value: &str| {
        let message = identify(&format!("{user}{second}"), &format!(r#"{{"plan":{value}}}"#))
            .replace(r#""u1""#, &format!(r#""{user}""#));
        let message = message.replace("04:00:01.000Z", "04:01:00.000Z");
        message.replace("04:00:00.000Z", &format!("04:00:{second:02}.000Z"))
    };
    warehouse.wrote(&[at(1, "early", "1"), at(1, "late", "1"), at(1, "gone", "1")]).await;
    warehouse
        .wrote(&[
            at(2, "early", r#""pro""#),
            at(2, "late", r#""pro""#),
            at(3, "late", "3"),
            at(2, "gone", r#""pro""#),
        ])
        .await;
    warehouse
        .server
        .run("DELETE FROM segue.users WHERE id = 'gone'; ALTER TABLE segue.users ALTER plan TYPE text")
        .await;
    let repaired = repaired(&warehouse, false).await;
    assert_eq!(repaired["users.plan"], counts(1, 2, 0));
    let users = warehouse.server.rows("SELECT id, plan FROM segue.users ORDER BY id").await;
    assert_eq!(users, [["early", "pro"], ["late", "3"]]);
    // The value that was put back has its own version: an earlier one does not replace it, a later one does.
    warehouse.wrote(&[at(0, "early", r#""old""#)]).await;
    assert_eq!(warehouse.server.value("SELECT plan FROM segue.users WHERE id = 'early'").await, "pro");
    warehouse.wrote(&[at(4, "early", r#""new""#)]).await;
    assert_eq!(warehouse.server.value("SELECT plan FROM segue.users WHERE id = 'early'").await, "new");
    assert!(warehouse.discards("users").await.is_empty());
}

#[tokio::test]
async fn a_value_that_postgresql_still_refuses_stays_and_the_others_go_back() {
    let warehouse = Warehouse::start().await;
    warehouse.wrote(&[track("m0", r#"{"code":1}"#)]).await;
    let messages: Vec<String> =
        (1..=40).map(|at| track(&format!("m{at}"), &format!(r#"{{"code":"{}"}}"#, "x".repeat(at)))).collect();
    warehouse.wrote(&messages).await;
    warehouse.server.run("ALTER TABLE segue.order_completed ALTER code TYPE varchar(30)").await;
    assert_eq!(repaired(&warehouse, false).await["order_completed.code"], counts(30, 0, 10));
    assert_eq!(warehouse.discards("order_completed").await.len(), 10);
    assert_eq!(warehouse.server.value("SELECT count(code) FROM segue.order_completed").await, "31");
}

#[tokio::test]
async fn a_property_never_gets_into_a_standard_column_and_a_value_of_segment_is_not_replaced_by_an_earlier_one()
 {
    let warehouse = Warehouse::start().await;
    warehouse
        .server
        .run(
            "CREATE SCHEMA segue; CREATE TABLE segue.users (id varchar(1024) PRIMARY KEY, received_at timestamptz, uuid_ts timestamptz, seats bigint); \
             INSERT INTO segue.users VALUES ('u1', '2026-11-21T04:30:00Z', now(), 5)",
        )
        .await;
    let anonymous = r#"{"type":"track","event":"Paid","anonymousId":"a","messageId":"m1","properties":{"userId":"somebody"}}"#;
    warehouse.wrote(&[anonymous, &identify("m2", r#"{"seats":"older"}"#)]).await;
    warehouse.server.run("ALTER TABLE segue.users ALTER seats TYPE text").await;
    let repaired = repaired(&warehouse, false).await;
    assert_eq!((&repaired["paid.user_id"], &repaired["users.seats"]), (&counts(0, 0, 1), &counts(0, 1, 0)));
    assert_eq!(warehouse.server.value("SELECT user_id FROM segue.paid").await, "NULL");
    assert_eq!(warehouse.server.value("SELECT seats FROM segue.users").await, "5");
}
