//! warehouse-delivery.

use end_to_end::samples;
use serde_json::{Value, json};
use testkit::postgres::{Installation, PostgresServer};

use crate::world::{self, sample};

#[tokio::test]
async fn every_sample_ends_in_the_tables_or_in_the_dead_letter_queue() {
    let server = PostgresServer::start().await;
    let stack = world::with_warehouse(world::without_segment(), &server).up().await;
    let function = stack.function("WarehouseDelivery");
    for (name, event) in samples("warehouse-delivery") {
        let answer: Value = serde_json::from_str(&function.invoke(event).await.unwrap()).unwrap();
        assert_eq!(answer, json!({"batchItemFailures": []}), "{name}");
        let dead = stack.queue("WarehouseDeadLetterQueue").await.drain().await.into_iter();
        let dead: Vec<Value> =
            dead.map(|(_, mut attributes)| attributes.remove("failure").unwrap()).collect();
        let expected = match name.as_str() {
            "one-of-each-type" => vec![],
            "one-undecodable" => vec!["invalid"],
            other => panic!("no expectation for {other}"),
        };
        assert_eq!(dead, expected, "{name}");
    }
    for table in ["tracks", "identifies", "pages", "screens", "groups", "aliases"] {
        let count = server.value(&format!("SELECT count(*) FROM segue.{table}")).await;
        assert_ne!(count, "0", "{table}");
    }
}

#[tokio::test]
async fn messages_wait_until_the_secret_is_filled_in_and_while_the_database_is_away() {
    let server = PostgresServer::start().await;
    let setup = world::without_segment().parameter("WarehouseEnabled", "true");
    let stack = setup.secret("WarehouseSecret", "{}").up().await;
    let function = stack.function("WarehouseDelivery");
    function.invoke(sample("warehouse-delivery", "one-of-each-type")).await.unwrap();
    assert!(!stack.queue("WarehouseQueue").await.is_empty().await);
    let secret = json!({"url": server.url("postgres")}).to_string();
    stack.rotate("WarehouseSecret", &secret).await;
    server.stop();
    stack.deliver("WarehouseDelivery").await.unwrap();
    server.restart().await;
    let written = stack.eventually("the messages are written", async || {
        stack.deliver("WarehouseDelivery").await.unwrap();
        stack.queue("WarehouseQueue").await.is_empty().await
    });
    written.await.unwrap();
    assert_eq!(server.value("SELECT count(*) FROM segue.tracks").await, "1");
}

#[tokio::test]
async fn with_iam_authentication_the_function_reads_no_secret() {
    let server = PostgresServer::start_with_tcp(&Installation::all()[0]).await;
    let stack = world::with_warehouse_of_rds(world::without_segment(), &server).up().await;
    stack
        .function("WarehouseDelivery")
        .invoke(sample("warehouse-delivery", "one-of-each-type"))
        .await
        .unwrap();
    assert!(stack.queue("WarehouseQueue").await.is_empty().await);
    assert_eq!(server.value("SELECT count(*) FROM segue.tracks").await, "1");
}

#[tokio::test]
async fn a_message_that_no_queue_takes_is_reported_as_failed() {
    let server = PostgresServer::start().await;
    let stack = world::with_warehouse(world::without_segment(), &server).up().await;
    stack.function("WarehouseDelivery").warm().await;
    let event = sample("warehouse-delivery", "one-of-each-type");
    server.stop();
    stack.break_everything();
    let answer = stack.function("WarehouseDelivery").invoke(event.as_str()).await.unwrap();
    world::assert_all_failed(&event, &answer);
}
