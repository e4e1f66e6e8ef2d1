//! The types of columns: the first value gives a column its type, and the user may alter it.

use crate::support::{Warehouse, track};

#[tokio::test]
async fn a_value_of_another_type_is_discarded_and_the_rest_of_its_row_is_written() {
    let warehouse = Warehouse::start().await;
    warehouse.wrote(&[track("m1", r#"{"n":1,"t":"a","b":true,"at":"2026-11-21T00:00:00Z","d":1.5}"#)]).await;
    warehouse
        .wrote(&[track("m2", r#"{"n":"1","t":2,"b":"true","at":"yesterday","d":"x","more":"here"}"#)])
        .await;
    warehouse
        .wrote(&[track("m3", r#"{"n":1.0,"t":[true],"b":null,"at":"2026-11-21T01:00:00+01:00","d":7}"#)])
        .await;
    let rows =
        warehouse.server.rows("SELECT id, n, t, b, at, d, more FROM segue.order_completed ORDER BY id").await;
    let midnight = "2026-11-21 00:00:00+00";
    assert_eq!(
        rows,
        [
            ["m1", "1", "a", "t", midnight, "1.5", "NULL"],
            ["m2", "NULL", "2", "NULL", "NULL", "NULL", "here"],
            ["m3", "1", "[true]", "NULL", midnight, "7", "NULL"],
        ]
    );
    let discards = warehouse.discards("order_completed").await;
    let found: Vec<[&str; 2]> = discards.iter().map(|discard| [&*discard[0], &*discard[2]]).collect();
    assert_eq!(found, [["at", r#""yesterday""#], ["b", r#""true""#], ["d", r#""x""#], ["n", r#""1""#]]);
    assert_eq!(discards[3][3], "its type is not the column's, and a cast would lose something: int8");
}

#[tokio::test]
async fn a_discarded_value_is_stored_once_however_often_its_message_comes() {
    let warehouse = Warehouse::start().await;
    warehouse.wrote(&[track("m1", r#"{"n":1}"#)]).await;
    let bad = track("m2", r#"{"n":"x"}"#);
    warehouse.wrote(&[&bad, &bad]).await;
    warehouse.wrote(&[&bad]).await;
    assert_eq!(warehouse.server.value("SELECT count(*) FROM segue.segue_discards").await, "1");
}

#[tokio::test]
async fn a_value_that_a_column_takes_since_it_was_altered_is_not_discarded() {
    let warehouse = Warehouse::start().await;
    warehouse.wrote(&[track("m1", r#"{"n":1}"#)]).await;
    warehouse.server.run("ALTER TABLE segue.order_completed ALTER n TYPE text").await;
    warehouse.wrote(&[track("m2", r#"{"n":"x"}"#)]).await;
    assert_eq!(
        warehouse.server.rows("SELECT n FROM segue.order_completed ORDER BY id").await,
        [["1"], ["x"]]
    );
    assert!(warehouse.discards("order_completed").await.is_empty());
}

#[tokio::test]
async fn postgresql_rounds_no_value_after_a_column_was_altered() {
    let warehouse = Warehouse::start().await;
    let properties =
        r#"{"price":1.5,"whole":1.5,"at":"2026-01-01T00:00:00Z","day":"2026-01-01T00:00:00Z","eur":1.5}"#;
    warehouse.wrote(&[track("m1", properties)]).await;
    let server = &warehouse.server;
    server.run("CREATE DOMAIN public.eur AS numeric(6,2)").await;
    let alter = "ALTER TABLE segue.order_completed ALTER price TYPE numeric(6,2), ALTER whole TYPE integer, \
                 ALTER at TYPE timestamp, ALTER day TYPE date, ALTER eur TYPE public.eur, ADD soon interval, ADD cash money";
    server.run(alter).await;
    let lossy = r#"{"price":9.999,"whole":2.6,"at":"2026-01-01T00:00:00+05:00","day":"2026-01-02T03:04:05Z","eur":9.999,"soon":5,"cash":12.345}"#;
    warehouse
        .wrote(&[
            track("m2", lossy),
            track("m3", r#"{"price":9.99,"whole":3,"day":"2026-01-03","eur":9.99}"#),
        ])
        .await;
    let select = "SELECT price, whole, at, day, eur, soon, cash FROM segue.order_completed WHERE id <> 'm1' ORDER BY id";
    assert_eq!(
        server.rows(select).await,
        [
            ["NULL", "NULL", "2025-12-31 19:00:00", "NULL", "NULL", "NULL", "NULL"],
            ["9.99", "3", "NULL", "2026-01-03", "9.99", "NULL", "NULL"],
        ]
    );
    let kept: Vec<String> =
        warehouse.discards("order_completed").await.into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(kept, ["cash", "day", "eur", "price", "soon", "whole"]);
}

#[tokio::test]
async fn a_name_that_something_else_has_is_discarded_and_holds_no_other_table_up() {
    let warehouse = Warehouse::start().await;
    warehouse
        .server
        .run("CREATE SCHEMA segue; CREATE SEQUENCE segue.counted; CREATE TYPE segue.chosen AS ENUM ('a')")
        .await;
    let event = |id: &str, name: &str| track(id, "{}").replace("Order Completed", name);
    let names = ["Counted", "Chosen", "Tracks pkey", "Order Completed"];
    let messages: Vec<String> = names.iter().map(|name| event(&format!("m-{name}"), name)).collect();
    warehouse.wrote(&messages).await;
    assert_eq!(warehouse.server.value("SELECT count(*) FROM segue.tracks").await, "4");
    for table in ["tracks_pkey_", "order_completed"] {
        assert_eq!(warehouse.server.value(&format!("SELECT count(*) FROM segue.{table}")).await, "1");
    }
    for table in ["counted", "chosen"] {
        assert_eq!(warehouse.discards(table).await[0][0], "*");
    }
}

#[tokio::test]
async fn a_user_may_alter_a_column_while_segue_writes() {
    let warehouse = Warehouse::start().await;
    warehouse
        .wrote(&[track(
            "m1",
            r#"{"n":1,"short":"a","id_of":"00000000-0000-0000-0000-000000000001","price":1}"#,
        )])
        .await;
    warehouse
        .server
        .run(
            "ALTER TABLE segue.order_completed ALTER n TYPE text, ALTER short TYPE varchar(3), \
             ALTER id_of TYPE uuid USING id_of::uuid, ALTER price TYPE numeric(6,2), ADD total numeric GENERATED ALWAYS AS (price * 2) STORED",
        )
        .await;
    warehouse
        .wrote(&[
            track("m2", r#"{"n":"text","short":"abc","id_of":"00000000-0000-0000-0000-000000000002","price":9.99,"total":1}"#),
            track("m3", r#"{"n":7,"short":"abcd","id_of":"none","price":9.999}"#),
        ])
        .await;
    let rows = warehouse
        .server
        .rows(
            "SELECT id, n, short, right(id_of::text, 1), price, total FROM segue.order_completed ORDER BY id",
        )
        .await;
    assert_eq!(
        rows,
        [
            ["m1", "1", "a", "1", "1.00", "2.00"],
            ["m2", "text", "abc", "2", "9.99", "19.98"],
            ["m3", "7", "NULL", "NULL", "NULL", "NULL"],
        ]
    );
    let discards = warehouse.discards("order_completed").await;
    let found: Vec<&str> = discards.iter().map(|discard| &*discard[0]).collect();
    assert_eq!(found, ["id_of", "price", "short", "total"]);
    assert!(discards[0][3].starts_with("PostgreSQL refused it: 22P02"), "{discards:?}");
    assert_eq!(discards[2][3], "it is outside the range of the column's type: varchar");
}

#[tokio::test]
async fn views_triggers_and_columns_of_the_user_survive() {
    let warehouse = Warehouse::start().await;
    warehouse.wrote(&[track("m1", r#"{"n":1}"#)]).await;
    warehouse
        .server
        .run(
            "CREATE VIEW segue.orders AS SELECT * FROM segue.order_completed; \
             ALTER TABLE segue.order_completed ADD location text; \
             CREATE FUNCTION segue.locate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.location := 'here'; RETURN NEW; END $$; \
             CREATE TRIGGER located BEFORE INSERT ON segue.order_completed FOR EACH ROW EXECUTE FUNCTION segue.locate(); \
             CREATE INDEX ON segue.order_completed (n);",
        )
        .await;
    let view = r#"{"messageId":"v1","type":"track","event":"Orders","userId":"u1","properties":{"a":1}}"#;
    warehouse.wrote(&[&track("m2", r#"{"n":2,"extra":"x"}"#), view]).await;
    let rows =
        warehouse.server.rows("SELECT id, n, extra, location FROM segue.order_completed ORDER BY id").await;
    assert_eq!(rows, [["m1", "1", "NULL", "NULL"], ["m2", "2", "x", "here"]]);
    assert_eq!(warehouse.server.value("SELECT count(*) FROM segue.orders").await, "2");
    let discards = warehouse.discards("orders").await;
    assert_eq!(discards.len(), 1, "a view takes no rows");
    assert_eq!((&*discards[0][0], &*discards[0][1]), ("*", "*"));
    assert!(discards[0][2].contains(r#""properties.a":1"#), "{discards:?}");
    assert_eq!(warehouse.server.value("SELECT count(*) FROM segue.tracks WHERE id = 'v1'").await, "1");
}
