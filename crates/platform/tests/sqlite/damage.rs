//! Rows that the disk has damaged.

use std::fs;

use platform::{
    delivery_state::{ATTEMPTS, FAILED_AT, FAILURE, REASON},
    sqlite::{Condition, FILE, Refusal, Removal, Selection, SqliteQueue, Store, StoreError},
};

use crate::support::{Fixture, MINUTE, bodies, reopen};

/// A flipped bit can leave these in a column: something else than text or a number, or another number.
const DAMAGES: [&str; 8] = [
    "body = CAST(x'7b22ff' AS TEXT)",
    "body = x'7b7d'",
    "attributes = CAST(x'ff' AS TEXT)",
    "attributes = '{\"writeKey\":\"shop\"'",
    "attributes = x'7b7d'",
    "sent_at = 'x'",
    "receive_count = 'x'",
    "receive_count = -1",
];

async fn damage(fixture: &Fixture, change: &str) {
    let sql = format!("UPDATE message SET {change} WHERE body = 'b'");
    fixture.store.run(move |connection| connection.execute(&sql, [])).await.unwrap();
}

async fn reasons(queue: &SqliteQueue) -> Vec<String> {
    let letters = queue.dead_letters(u32::MAX).await.unwrap();
    let complete = |name| letters.iter().all(|letter| letter.attributes.contains_key(name));
    assert!([FAILURE, REASON, FAILED_AT, ATTEMPTS].into_iter().all(complete), "{letters:?}");
    letters.iter().map(|letter| letter.attributes[FAILURE].clone()).collect()
}

#[tokio::test]
async fn a_damaged_row_is_dead_lettered_with_a_reason_and_stops_no_other() {
    for change in DAMAGES {
        let fixture = Fixture::new();
        let queue = fixture.queue();
        fixture.publish(&["a", "b", "c"]).await;
        damage(&fixture, change).await;
        assert_eq!(queue.fold_waiting(9, Vec::new(), Vec::push).await.unwrap().len(), 3, "{change}");
        queue.oldest_age().await.unwrap();
        assert_eq!(bodies(&queue.receive(9, MINUTE).await.unwrap()), ["a", "c"], "{change}");
        assert_eq!(reasons(&queue).await, ["damaged"], "{change}");
    }
}

#[tokio::test]
async fn a_damaged_row_is_dead_lettered_again_after_a_redrive_and_never_delivered_to_another_write_key() {
    for change in DAMAGES {
        let fixture = Fixture::new();
        let queue = fixture.queue();
        fixture.publish(&["b"]).await;
        damage(&fixture, change).await;
        for _ in 0..3 {
            assert!(queue.receive(9, MINUTE).await.unwrap().is_empty());
            let redriven =
                queue.take_out(Selection::All, Some(Removal::Redrive), |_| true, drop).await.unwrap();
            assert_eq!(redriven, 1, "{change}");
            // Dead-lettering writes these columns again, so the row is whole.
            if change.starts_with("sent_at") || change.starts_with("receive_count") {
                assert_eq!(bodies(&queue.receive(9, MINUTE).await.unwrap()), ["b"]);
                break;
            }
        }
    }
}

#[tokio::test]
async fn an_invalid_time_hides_no_message() {
    for value in ["'x'", "x'00'", "9e99", "9223372036854775807", "-5"] {
        let fixture = Fixture::new();
        fixture.publish(&["a", "b"]).await;
        damage(&fixture, &format!("visible_at = {value}")).await;
        fixture.queue().ready().await;
        let mut received = fixture.queue().receive(9, MINUTE).await.unwrap();
        received.sort_by(|one, other| one.body.cmp(&other.body));
        assert_eq!(bodies(&received), ["a", "b"], "{value}");
    }
}

#[tokio::test]
async fn a_damaged_file_is_reported_as_damaged_and_takes_no_message() {
    let fixture = Fixture::new();
    let body = "b".repeat(500);
    fixture.publish(&vec![body.as_str(); 2_000]).await;
    let Fixture { directory, clock, store } = fixture;
    store.close().await;
    // Damages some pages in the middle, as a failing disk does.
    let path = directory.path().join(FILE);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2 / 4_096 * 4_096;
    bytes[middle..middle + 8 * 4_096].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let store = match Store::open(directory.path(), clock) {
        Err(error) => return assert!(matches!(error, StoreError::Damaged(_)), "{error:?}"),
        Ok(store) => store,
    };
    while store.queue("segment").receive(100, MINUTE).await.is_ok_and(|received| !received.is_empty()) {}
    assert!(matches!(store.condition(), Condition::Refusing(Refusal::Damaged(_))));
    assert!(store.accept(|_| Ok(())).await.is_err());
}

#[tokio::test]
async fn a_damaged_clock_stops_no_start_and_moves_no_message() {
    for value in ["x'00'", "'soon'", "9223372036854775807", "-9223372036854775808"] {
        let fixture = Fixture::new();
        fixture.publish(&["a"]).await;
        let sql = format!("UPDATE clock SET moved_by = {value}");
        fixture.store.run(move |connection| connection.execute(&sql, [])).await.unwrap();
        let Fixture { directory, clock, store } = fixture;
        drop(store);
        let store = reopen(&directory, &clock);
        assert_eq!(bodies(&store.queue("segment").receive(9, MINUTE).await.unwrap()), ["a"], "{value}");
    }
}

#[tokio::test]
async fn a_message_whose_queue_is_damaged_becomes_a_dead_letter() {
    for value in ["'segmenu'", "x'73'", "CAST(x'ff' AS TEXT)"] {
        let fixture = Fixture::new();
        fixture.publish(&["a", "b"]).await;
        damage(&fixture, &format!("queue = {value}")).await;
        let queue = fixture.queue();
        queue.dead_letter_orphans(&["segment", "webhooks"]).await.unwrap();
        assert_eq!(bodies(&queue.receive(9, MINUTE).await.unwrap()), ["a"], "{value}");
        assert_eq!(reasons(&queue).await, ["damaged"], "{value}");
    }
}
