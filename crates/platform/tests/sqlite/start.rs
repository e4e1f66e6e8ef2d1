//! The stores that a start may find: one of an earlier version, one of a later version, and one whose process
//! died while it held messages.

use std::{fs, path::Path, sync::Arc};

use jiff::Timestamp;
use platform::{
    clock::HeldClock,
    delivery_state::{ATTEMPTS, FAILED_AT, FAILURE, REASON},
    ledger::{Claim, Ledger},
    sqlite::{MAX_RECEIVE_COUNT, Store, StoreError},
};

use crate::support::{Fixture, MINUTE, bodies, reopen};

/// A store of version 0.1.0 after `kill -9`, so with most of its content in the log: three messages for
/// Segment and a webhook, a sign-up and a login of Auth0, and a dead letter of each.
const OLD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../local/tests/fixtures/0.1.0");

fn copy_of_old() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for file in fs::read_dir(Path::new(OLD)).unwrap().map(Result::unwrap) {
        fs::copy(file.path(), directory.path().join(file.file_name())).unwrap();
    }
    directory
}

#[tokio::test]
async fn a_store_of_0_1_0_opens_with_all_of_its_content() {
    let directory = copy_of_old();
    let clock = HeldClock::at("2026-11-26T15:00:00Z".parse().unwrap());
    for _ in 0..2 {
        let store = reopen(&directory, &clock);
        let (segment, webhooks) = (store.queue("segment"), store.queue("webhooks"));
        assert_eq!((segment.depth().await.unwrap(), webhooks.depth().await.unwrap()), (5, 3));
        let dead = [segment.dead_letters(9).await.unwrap(), webhooks.dead_letters(9).await.unwrap()].concat();
        assert_eq!(dead.len(), 2);
        assert!(dead.iter().all(|letter| letter.attributes[FAILURE] == "client_error"));
        let waiting = segment.fold_waiting(9, Vec::new(), Vec::push).await.unwrap();
        assert!(waiting.iter().all(|one| one.attributes.contains_key("writeKey")));
        let user = "SELECT user FROM ledger";
        let user = store.run(move |connection| connection.query_row(user, [], |row| row.get::<_, String>(0)));
        assert_eq!(store.ledger().claim(&user.await.unwrap(), false).await.unwrap(), Claim::Login);
    }
}

#[tokio::test]
async fn a_store_of_a_later_version_is_left_alone() {
    let fixture = Fixture::new();
    let later = fixture.store.run(|connection| connection.pragma_update(None, "user_version", 99));
    later.await.unwrap();
    let Fixture { directory, clock, store } = fixture;
    store.close().await;
    assert!(matches!(Store::open(directory.path(), clock), Err(StoreError::Newer)));
}

#[tokio::test]
async fn deaths_within_seconds_are_counted_once_against_held_messages() {
    let Fixture { directory, clock, mut store } = Fixture::new();
    Fixture::publish_to(&store, &["a"]).await;
    for _ in 0..3 * MAX_RECEIVE_COUNT {
        store = died(&directory, &clock, store).await;
        clock.advance(MINUTE / 60);
    }
    assert_eq!(bodies(&store.queue("segment").receive(1, MINUTE).await.unwrap()), ["a"]);
}

#[tokio::test]
async fn a_message_that_kills_its_consumer_again_and_again_is_dead_lettered_with_all_attributes() {
    let Fixture { directory, clock, mut store } = Fixture::new();
    Fixture::publish_to(&store, &["a"]).await;
    for _ in 0..MAX_RECEIVE_COUNT {
        clock.advance(MINUTE);
        store = died(&directory, &clock, store).await;
    }
    let queue = store.queue("segment");
    assert!(queue.receive(1, MINUTE).await.unwrap().is_empty());
    let letter = queue.dead_letters(1).await.unwrap().remove(0);
    assert_eq!(letter.attributes[FAILURE], "receive_limit");
    assert_eq!(letter.attributes[ATTEMPTS], MAX_RECEIVE_COUNT.to_string());
    assert!(letter.attributes[REASON].contains("ten times"));
    letter.attributes[FAILED_AT].parse::<Timestamp>().unwrap();
}

/// Lets a process die while it holds the message. Returns the next process's store.
async fn died(directory: &tempfile::TempDir, clock: &Arc<HeldClock>, store: Store) -> Store {
    assert_eq!(store.queue("segment").receive(1, MINUTE).await.unwrap().len(), 1);
    drop(store);
    reopen(directory, clock)
}

#[tokio::test]
async fn messages_that_a_process_of_version_1_of_the_tables_held_are_there_at_once() {
    let Fixture { directory, clock, store } = Fixture::new();
    Fixture::publish_to(&store, &["a", "b"]).await;
    let version_1 = store.run(|connection| {
        connection.execute_batch(
            "DROP TABLE in_flight;
             ALTER TABLE message ADD COLUMN in_flight INTEGER NOT NULL DEFAULT 0;
             CREATE INDEX message_in_flight ON message (in_flight) WHERE in_flight = 1;
             UPDATE message SET visible_at = visible_at + 60000, receive_count = 1, in_flight = 1 WHERE body = 'b';
             PRAGMA user_version = 1;",
        )
    });
    version_1.await.unwrap();
    drop(store);
    let mut store = reopen(&directory, &clock);
    for _ in 0..2 {
        assert_eq!(bodies(&store.queue("segment").receive(9, MINUTE).await.unwrap()), ["a", "b"]);
        drop(store);
        store = reopen(&directory, &clock);
    }
}

#[tokio::test]
async fn sqlite_is_built_with_the_flags_of_the_cargo_configuration() {
    let fixture = Fixture::new();
    let options = fixture.store.run(|connection| {
        let mut options = connection.prepare("PRAGMA compile_options")?;
        options.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()
    });
    // SQLite does not list HAVE_FDATASYNC, which is beside this one.
    assert!(options.await.unwrap().iter().any(|option| option == "DEFAULT_MEMSTATUS=0"));
}
