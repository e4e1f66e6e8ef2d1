//! The rejected queue in SQLite.

use std::{sync::Arc, time::Duration};

use platform::{
    clock::{Clock, HeldClock},
    rejected::{RETENTION, RejectedMessage, RejectedQueue},
    sqlite::{SqliteRejectedQueue, Store},
};
use tempfile::TempDir;

fn open(directory: &TempDir, clock: &Arc<HeldClock>) -> (Store, SqliteRejectedQueue) {
    let store = Store::open(directory.path(), clock.clone()).unwrap();
    (store.clone(), store.rejected())
}

fn held() -> Arc<HeldClock> {
    HeldClock::at("2026-11-26T10:00:00Z".parse().unwrap())
}

fn message(text: &str, clock: &HeldClock) -> RejectedMessage {
    RejectedMessage {
        text: text.to_owned(),
        field: "event".to_owned(),
        problem: "is missing".to_owned(),
        write_key: "default".to_owned(),
        received_at: clock.now(),
    }
}

#[tokio::test]
async fn rejected_messages_outlive_a_restart_for_14_days_and_nothing_consumes_them() {
    let (directory, clock) = (tempfile::tempdir().unwrap(), held());
    let (store, queue) = open(&directory, &clock);
    assert_eq!(
        (queue.depth().await.unwrap(), queue.newest(1).await.unwrap(), queue.purge().await.unwrap()),
        (0, vec![], 0)
    );
    let (first, second) = (message("1", &clock), message("\u{ffff} 2", &clock));
    queue.put(vec![first.clone(), second.clone()]).await.unwrap();
    store.close().await;

    let (_, queue) = open(&directory, &clock);
    assert_eq!(queue.newest(10).await.unwrap(), [second.clone(), first]);
    assert_eq!(queue.newest(1).await.unwrap(), [second]);
    clock.advance(RETENTION);
    assert_eq!(queue.depth().await.unwrap(), 2);
    clock.advance(Duration::from_millis(1));
    assert_eq!((queue.depth().await.unwrap(), queue.newest(10).await.unwrap().len()), (0, 0));
    queue.put(vec![message("3", &clock)]).await.unwrap();
    assert_eq!(queue.purge().await.unwrap(), 1, "the old ones are gone");
}

#[tokio::test]
async fn the_newest_of_very_many_messages_are_kept() {
    let (directory, clock) = (tempfile::tempdir().unwrap(), held());
    let (_, queue) = open(&directory, &clock);
    for round in 0..101 {
        let messages = (0..100).map(|number| message(&(round * 100 + number).to_string(), &clock));
        queue.put(messages.collect()).await.unwrap();
    }
    assert_eq!(queue.depth().await.unwrap(), 10_000);
    assert_eq!(queue.newest(1).await.unwrap()[0].text, "10099");
}
