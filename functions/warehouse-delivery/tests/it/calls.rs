//! The rows of each call.

use crate::support::{Warehouse, identify, message, track};

#[tokio::test]
async fn a_track_call_becomes_a_row_of_its_event_and_one_of_all_tracks() {
    let warehouse = Warehouse::start().await;
    let properties = r#"{"total":9.50,"count":3,"gift":false,"items":[1,2],"card":{"lastFour":"0042"},"at":"2026-11-20T00:00:00Z","none":null}"#;
    warehouse.wrote(&[track("m1", properties)]).await;
    let of_event = "SELECT id, user_id, event, event_text, total, count, gift, items, card_last_four, at, \"timestamp\" FROM segue.order_completed";
    let expected = [
        "m1",
        "u1",
        "order_completed",
        "Order Completed",
        "9.50",
        "3",
        "f",
        "[1,2]",
        "0042",
        "2026-11-20 00:00:00+00",
        "2026-11-21 04:00:00+00",
    ];
    assert_eq!(warehouse.server.rows(of_event).await, [expected]);
    let of_all =
        "SELECT id, user_id, event, event_text, received_at, uuid_ts > received_at FROM segue.tracks";
    let expected = ["m1", "u1", "order_completed", "Order Completed", "2026-11-21 04:00:01+00", "t"];
    assert_eq!(warehouse.server.rows(of_all).await, [expected]);
    let columns = warehouse.columns("order_completed").await;
    for (column, expected) in [
        ("total", "numeric"),
        ("count", "bigint"),
        ("gift", "boolean"),
        ("items", "text"),
        ("at", "timestamp with time zone"),
    ] {
        assert!(columns.contains(&(column.to_owned(), expected.to_owned())), "{column} in {columns:?}");
    }
    assert!(columns.iter().all(|(name, _)| name != "none"), "a null makes no column");
    let tracks = warehouse.columns("tracks").await;
    assert!(tracks.iter().all(|(name, _)| name != "total"), "tracks have no properties");
}

#[tokio::test]
async fn each_call_has_the_tables_of_segment() {
    let warehouse = Warehouse::start().await;
    warehouse
        .wrote(&[
            identify("m1", r#"{"email":"a@example.com","plan":"pro"}"#),
            message("m2", r#""type":"page","name":"Home","category":"Shop","properties":{"url":"https://example.com/","name":"Home"}"#),
            message("m3", r#""type":"screen","name":"Start","properties":{"depth":2}"#),
            message("m4", r#""type":"group","groupId":"g1","traits":{"employees":20}"#),
            message("m5", r#""type":"alias","previousId":"old""#),
            r#"{"type":"identify","anonymousId":"a1","messageId":"m6","traits":{"email":"b@example.com"}}"#.to_owned(),
            r#"{"type":"group","anonymousId":"a1","groupId":"g2","messageId":"m7","context":{"ip":"203.0.113.7"}}"#.to_owned(),
        ])
        .await;
    for (select, expected) in [
        (
            "SELECT id, user_id, email, plan FROM segue.identifies ORDER BY id",
            vec![vec!["m1", "u1", "a@example.com", "pro"], vec!["m6", "NULL", "b@example.com", "NULL"]],
        ),
        (
            "SELECT id, email, plan, received_at FROM segue.users",
            vec![vec!["u1", "a@example.com", "pro", "2026-11-21 04:00:01+00"]],
        ),
        (
            "SELECT id, user_id, name, category, url, path FROM segue.pages",
            vec![vec!["m2", "u1", "Home", "Shop", "https://example.com/", "NULL"]],
        ),
        ("SELECT id, name, depth FROM segue.screens", vec![vec!["m3", "Start", "2"]]),
        (
            "SELECT id, user_id, group_id, employees FROM segue.groups ORDER BY id",
            vec![vec!["m4", "u1", "g1", "20"], vec!["m7", "NULL", "g2", "NULL"]],
        ),
        (
            "SELECT id, user_id, employees, context_ip FROM segue.accounts ORDER BY id",
            vec![vec!["g1", "u1", "20", "NULL"], vec!["g2", "NULL", "NULL", "203.0.113.7"]],
        ),
        ("SELECT id, user_id, previous_id FROM segue.aliases", vec![vec!["m5", "u1", "old"]]),
        ("SELECT count(*) FROM segue.segue_discards", vec![vec!["0"]]),
    ] {
        assert_eq!(warehouse.server.rows(select).await, expected, "{select}");
    }
    let users = warehouse.columns("users").await;
    for absent in ["user_id", "anonymous_id", "timestamp", "sent_at", "original_timestamp"] {
        assert!(users.iter().all(|(name, _)| name != absent), "Segment's users have no {absent}");
    }
}

#[tokio::test]
async fn a_new_table_has_the_columns_that_packages_for_segment_read() {
    let warehouse = Warehouse::start().await;
    warehouse.wrote(&[message("m1", r#""type":"page""#)]).await;
    // dbt-labs/segment 195d680 and fleetio/dbt-segment 5ddff1e fail without any of these.
    let select = "SELECT id, anonymous_id, user_id, received_at, sent_at, \"timestamp\", url, path, title, search, referrer, \
        context_campaign_source, context_campaign_medium, context_campaign_name, context_campaign_term, \
        context_campaign_content, context_ip, context_user_agent FROM segue.pages";
    assert_eq!(warehouse.server.rows(select).await.len(), 1);
    let types = warehouse.columns("pages").await;
    // The types of the warehouse that Segment made (BloomBooks/analytics-postgreSQL, bloomsegment.schema.backup).
    let expected = |name: &str| match name {
        "id" => "character varying",
        "received_at" | "uuid_ts" | "sent_at" | "timestamp" | "original_timestamp" => {
            "timestamp with time zone"
        }
        _ => "text",
    };
    assert!(
        types.len() > 20 && types.iter().all(|(name, column_type)| *column_type == expected(name)),
        "{types:?}"
    );
    let constraint = "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'segue.pages'::regclass AND contype = 'p'";
    assert_eq!(warehouse.server.rows(constraint).await, [["pages_pkey", "PRIMARY KEY (id)"]]);
    let indexes = "SELECT count(*) FROM pg_indexes WHERE schemaname = 'segue' AND tablename = 'pages'";
    assert_eq!(warehouse.server.value(indexes).await, "1");
}

#[tokio::test]
async fn a_message_that_does_not_say_when_it_came_has_the_time_of_its_queue() {
    let warehouse = Warehouse::start().await;
    warehouse.wrote(&[r#"{"type":"track","event":"Login","userId":"u1"}"#]).await;
    let row = "SELECT id LIKE 'segue-%', received_at, \"timestamp\", original_timestamp FROM segue.login";
    let entered = "2026-11-21 04:00:00+00";
    assert_eq!(warehouse.server.rows(row).await, [["t", entered, entered, "NULL"]]);
}

#[tokio::test]
async fn a_message_delivered_twice_is_one_row() {
    let warehouse = Warehouse::start().await;
    let (once, changed) = (track("m1", r#"{"n":1}"#), track("m1", r#"{"n":2}"#));
    warehouse.wrote(&[&once, &once]).await;
    warehouse.wrote(&[&once, &changed, &track("m2", "{}")]).await;
    let rows = warehouse.server.rows("SELECT id, n FROM segue.order_completed ORDER BY id").await;
    assert_eq!(rows, [["m1", "1"], ["m2", "NULL"]]);
    assert_eq!(warehouse.server.value("SELECT count(*) FROM segue.tracks").await, "2");
}

#[tokio::test]
async fn each_write_key_has_a_schema_of_its_own() {
    let warehouse = Warehouse::start().await;
    warehouse.world.publish(&track("m1", "{}"), "default").await;
    warehouse.world.publish(&track("m1", "{}"), "Shop EU").await;
    warehouse.world.poll(10).await;
    warehouse.assert_empty().await;
    let schemas =
        "SELECT table_schema FROM information_schema.tables WHERE table_name = 'order_completed' ORDER BY 1";
    assert_eq!(warehouse.server.rows(schemas).await, [["segue"], ["shop_eu"]]);
}
