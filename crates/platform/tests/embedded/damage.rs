//! Rows that the disk has damaged.

use platform::{
    embedded::{EmbeddedQueue, Letters},
    history::{ATTEMPTS, FAILED_AT, FAILURE, REASON},
};

use crate::support::{Fixture, MINUTE, bodies};

/// A flipped bit can leave these in a column: no text, no number, or another number.
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

async fn reasons(queue: &EmbeddedQueue) -> Vec<String> {
    let letters = queue.dead_letters(u32::MAX).await.unwrap();
    let complete = |name| letters.iter().all(|letter| letter.attributes.contains_key(name));
    assert!([FAILURE, REASON, FAILED_AT, ATTEMPTS].into_iter().all(complete), "{letters:?}");
    letters.iter().map(|letter| letter.attributes[FAILURE].clone()).collect()
}

#[tokio::test]
async fn a_damaged_row_is_parked_with_a_reason_and_stops_no_other() {
    for change in DAMAGES {
        let fixture = Fixture::new();
        let queue = fixture.queue();
        fixture.publish(&["a", "b", "c"]).await;
        damage(&fixture, change).await;
        assert_eq!(queue.waiting(9).await.unwrap().len(), 3, "{change}");
        queue.oldest_age().await.unwrap();
        assert_eq!(bodies(&queue.receive(9, MINUTE).await.unwrap()), ["a", "c"], "{change}");
        assert_eq!(reasons(&queue).await, ["damaged"], "{change}");
    }
}

#[tokio::test]
async fn a_damaged_row_is_parked_again_after_a_redrive_and_never_delivered_to_another_write_key() {
    for change in DAMAGES {
        let fixture = Fixture::new();
        let queue = fixture.queue();
        fixture.publish(&["b"]).await;
        damage(&fixture, change).await;
        for _ in 0..3 {
            assert!(queue.receive(9, MINUTE).await.unwrap().is_empty());
            let redriven = queue.redrive(Letters::All, false, |_| true, drop).await.unwrap();
            assert_eq!(redriven, 1, "{change}");
            // Parking writes these columns anew, so the row is whole again.
            if change.starts_with("sent_at") || change.starts_with("receive_count") {
                assert_eq!(bodies(&queue.receive(9, MINUTE).await.unwrap()), ["b"]);
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_time_that_is_none_hides_a_message_from_nobody() {
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
