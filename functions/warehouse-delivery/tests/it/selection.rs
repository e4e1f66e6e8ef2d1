//! What the user leaves out.

use std::sync::Arc;

use serde_json::json;
use testkit::{World, postgres::PostgresServer, record, recorded};
use warehouse_delivery::{Selection, WarehouseDestination};

use crate::support::{destination, identify, message, track};

#[tokio::test]
async fn tables_and_columns_that_are_left_out_are_written_nowhere() {
    let server = Arc::new(PostgresServer::start().await);
    let url = server.url("postgres");
    let selection = Selection::new("".parse().unwrap(), "tracks,pages,*.card_*,users.phone".parse().unwrap());
    let world: World<WarehouseDestination> =
        World::new(move |_, clock| destination(url.clone(), clock.clone()).with_selection(selection.clone()));
    record();
    for message in [
        track("m1", r#"{"n":1,"card":{"number":"4242","id":"x"},"id":"x"}"#),
        identify("m2", r#"{"phone":"1","plan":"pro"}"#),
        message("m3", r#""type":"page""#),
    ] {
        world.publish(&message, "default").await;
    }
    world.poll(10).await;
    assert!(world.queued().await.is_empty() && world.dead_letters().await.is_empty());
    assert!(recorded().contains(&json!({"Ignored": 1, "Reason": "left_out"})));
    let tables = server
        .rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'segue' ORDER BY 1")
        .await;
    assert_eq!(
        tables.concat(),
        ["identifies", "order_completed", "segue_deleted", "segue_discards", "users"]
    );
    let columns = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'segue' \
                   AND column_name ~ 'card|phone' ORDER BY 1";
    assert_eq!(server.rows(columns).await, [["identifies", "phone"]]);
    assert_eq!(server.rows("SELECT id, n FROM segue.order_completed").await, [["m1", "1"]]);
    assert_eq!(server.value("SELECT plan FROM segue.users").await, "pro");
    let discards = server.rows("SELECT property FROM segue.segue_discards").await;
    assert_eq!(discards, [["properties.id"]], "only what was to be written is kept");
}
