//! The queues and their topic.

use std::time::Duration;

use jiff::SignedDuration;
use platform::{
    clock::Clock,
    queue::{Entry, MAX_DELAY, Queue, Received, Replacement, TargetQueue},
    sqlite::{MAX_RECEIVE_COUNT, Removal, Selection, SqliteQueue, Store, StoreError, Subscription},
    topic::{MESSAGE_TYPE, Publication, Topic},
};
use proptest::prelude::*;

use crate::support::{Fixture, MINUTE, bodies, ids, reopen, replace};

#[tokio::test]
async fn a_message_hides_while_it_is_worked_on_and_comes_back_unless_deleted() {
    let fixture = Fixture::new();
    let queue = fixture.queue();
    fixture.publish(&["a", "b", "c"]).await;
    let first = queue.receive(2, MINUTE).await.unwrap();
    assert_eq!(bodies(&first), ["a", "b"]);
    assert_eq!(bodies(&queue.receive(9, MINUTE).await.unwrap()), ["c"]);
    queue.delete(ids(&first[..1])).await.unwrap();
    fixture.clock.advance(MINUTE);
    assert_eq!(bodies(&queue.receive(9, MINUTE).await.unwrap()), ["b", "c"]);
}

#[tokio::test]
async fn a_consumer_that_held_a_message_too_long_can_no_longer_delete_or_move_it() {
    let fixture = Fixture::new();
    let queue = fixture.queue();
    fixture.publish(&["a"]).await;
    let late = queue.receive(1, MINUTE).await.unwrap();
    fixture.clock.advance(MINUTE);
    let current = queue.receive(1, MINUTE).await.unwrap();
    queue.delete(ids(&late)).await.unwrap();
    for target in [TargetQueue::DeadLetter, TargetQueue::Source(Duration::ZERO)] {
        replace(&queue, late.clone(), target).await;
    }
    assert_eq!(queue.receive(1, MINUTE).await.unwrap().len(), 0);
    queue.delete(ids(&current)).await.unwrap();
    assert_eq!(queue.depth().await.unwrap() + queue.dead_letter_depth().await.unwrap(), 0);
}

#[tokio::test]
async fn a_message_that_is_put_back_returns_after_its_delay_with_its_new_attributes() {
    let fixture = Fixture::new();
    let queue = fixture.queue();
    fixture.publish(&["a"]).await;
    for attempt in 1..=MAX_RECEIVE_COUNT + 5 {
        let mut message = queue.receive(1, MINUTE).await.unwrap().remove(0);
        message.attributes.insert("attempts".to_owned(), attempt.to_string());
        replace(&queue, vec![message], TargetQueue::Source(MINUTE)).await;
        assert!(queue.receive(1, MINUTE).await.unwrap().is_empty());
        fixture.clock.advance(MINUTE);
    }
    let message = queue.receive(1, MINUTE).await.unwrap().remove(0);
    assert_eq!(message.attributes["attempts"], (MAX_RECEIVE_COUNT + 5).to_string());
    assert_eq!(message.sent_at, fixture.clock.now() - MINUTE, "it was sent again, as on SQS");
}

#[tokio::test]
async fn messages_are_replaced_by_any_number_of_entries() {
    let fixture = Fixture::new();
    let queue = fixture.queue();
    fixture.publish(&["a", "b", "c"]).await;
    let received = queue.receive(2, MINUTE).await.unwrap();
    let entry = |body: &str, target| Entry { body: body.to_owned(), attributes: [].into(), target };
    let replacement = Replacement {
        received: ids(&received),
        entries: vec![
            entry("a+b", TargetQueue::Source(Duration::ZERO)),
            entry("a", TargetQueue::Source(MINUTE)),
            entry("b", TargetQueue::DeadLetter),
        ],
    };
    assert!(queue.replace(vec![replacement.clone()]).await.remove(0).is_ok());
    assert!(
        queue.replace(vec![replacement]).await.remove(0).is_ok(),
        "the second time nothing is left to replace"
    );
    queue.delete(ids(&received)).await.unwrap();
    assert_eq!(bodies(&queue.receive(9, MINUTE).await.unwrap()), ["c", "a+b"]);
    assert_eq!(queue.dead_letters(u32::MAX).await.unwrap().len(), 1);
    fixture.clock.advance(MINUTE);
    assert_eq!(queue.depth().await.unwrap(), 3);
}

#[tokio::test]
async fn a_message_that_keeps_killing_its_handler_goes_to_the_dead_letter_queue() {
    let fixture = Fixture::new();
    let queue = fixture.queue();
    fixture.publish(&["a"]).await;
    for _ in 0..MAX_RECEIVE_COUNT {
        assert_eq!(queue.receive(1, MINUTE).await.unwrap().len(), 1);
        fixture.clock.advance(MINUTE);
    }
    assert!(queue.receive(1, MINUTE).await.unwrap().is_empty());
    assert_eq!(queue.dead_letters(u32::MAX).await.unwrap()[0].body, "a");
}

#[tokio::test]
async fn a_subscription_gets_only_the_messages_it_wants() {
    let fixture = Fixture::new();
    let topic = fixture.store.topic(vec![
        Subscription { queue: "segment", wants: |attributes| attributes[MESSAGE_TYPE] != "delete" },
        Subscription { queue: "webhook", wants: |_| true },
    ]);
    let publication = |body: &str, kind: &str| Publication {
        body: body.to_owned(),
        attributes: [(MESSAGE_TYPE.to_owned(), kind.to_owned())].into(),
    };
    topic.publish(vec![publication("a", "track"), publication("b", "delete")]).await.unwrap();
    assert_eq!(bodies(&fixture.queue().receive(9, MINUTE).await.unwrap()), ["a"]);
    assert_eq!(bodies(&fixture.store.queue("webhook").receive(9, MINUTE).await.unwrap()), ["a", "b"]);
}

#[tokio::test]
async fn messages_of_a_dead_process_are_there_for_the_next_at_once() {
    let fixture = Fixture::new();
    fixture.publish(&["a", "b", "c"]).await;
    let queue = fixture.queue();
    let received = queue.receive(2, MINUTE).await.unwrap();
    replace(&queue, received[..1].to_vec(), TargetQueue::Source(MINUTE)).await;
    let Fixture { directory, clock, store } = fixture;
    drop((queue, store));
    let store = reopen(&directory, &clock);
    let visible = store.queue("segment").receive(9, MINUTE).await.unwrap();
    assert_eq!(bodies(&visible), ["b", "c"], "the delayed one keeps its delay");
}

#[tokio::test]
async fn a_second_process_learns_that_the_store_is_in_use() {
    let fixture = Fixture::new();
    let second = Store::open(fixture.directory.path(), fixture.clock.clone());
    assert!(matches!(second, Err(StoreError::InUse)));
}

#[tokio::test]
async fn a_failing_job_changes_nothing_and_fails_no_other() {
    let fixture = Fixture::new();
    let fail = fixture.store.run(|connection| {
        connection.execute("DELETE FROM message", [])?;
        connection.execute("no sql", [])
    });
    let (failed, ()) = tokio::join!(fail, fixture.publish(&["a"]));
    assert!(failed.is_err());
    assert_eq!(fixture.queue().depth().await.unwrap(), 1);
}

#[tokio::test]
async fn a_receive_that_fails_hides_no_message() {
    let fixture = Fixture::new();
    let queue = fixture.queue();
    fixture.publish(&["a", "b"]).await;
    let held = queue.receive(1, MINUTE).await.unwrap();
    let rename = |sql| fixture.store.run(move |connection| connection.execute_batch(sql));
    rename("ALTER TABLE in_flight RENAME TO away").await.unwrap();
    assert!(queue.receive(9, MINUTE).await.is_err());
    rename("ALTER TABLE away RENAME TO in_flight").await.unwrap();
    assert_eq!(bodies(&queue.receive(9, MINUTE).await.unwrap()), ["b"]);
    queue.delete(ids(&held)).await.unwrap();
    assert_eq!(queue.depth().await.unwrap(), 1);
}

#[tokio::test]
async fn the_store_keeps_one_row_for_all_messages_of_a_poll() {
    let fixture = Fixture::new();
    let queue = fixture.queue();
    for _ in 0..5 {
        fixture.publish(&["a", "b", "c"]).await;
        let received = queue.receive(9, MINUTE).await.unwrap();
        queue.delete(ids(&received)).await.unwrap();
    }
    let rows = fixture.store.read(|connection| {
        connection.query_row("SELECT COUNT(*) FROM in_flight", [], |row| row.get::<_, u32>(0))
    });
    assert_eq!(rows.await.unwrap(), 1, "a poll that is over leaves its row to the next");
}

#[tokio::test]
async fn a_waiting_consumer_wakes_when_a_message_arrives() {
    let fixture = Fixture::new();
    let queue = fixture.queue();
    tokio::join!(queue.ready(), fixture.publish(&["a"]));
    assert_eq!(queue.receive(1, MINUTE).await.unwrap().len(), 1);
}

#[derive(Clone, Debug)]
enum Step {
    Publish(u8),
    Receive(usize, u32),
    Delete(usize),
    PutBack(usize, u64),
    DeadLetter(usize),
    /// Repeats all steps with messages that were received earlier.
    Stale(TargetQueue),
    Redrive,
    Advance(u64),
    Set(i64),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let target = prop_oneof![Just(TargetQueue::DeadLetter), Just(TargetQueue::Source(Duration::ZERO))];
    prop_oneof![
        (1_u8..5).prop_map(Step::Publish),
        (0_usize..2, 1_u32..5).prop_map(|(consumer, most)| Step::Receive(consumer, most)),
        (0_usize..2).prop_map(Step::Delete),
        (0_usize..2, 0_u64..90).prop_map(|(consumer, seconds)| Step::PutBack(consumer, seconds)),
        (0_usize..2).prop_map(Step::DeadLetter),
        target.prop_map(Step::Stale),
        Just(Step::Redrive),
        (0_u64..90).prop_map(Step::Advance),
        (-2_000_000_i64..2_000_000).prop_map(Step::Set),
        Just(Step::Reopen),
    ]
}

async fn total(queue: &SqliteQueue) -> u64 {
    queue.depth().await.unwrap() + queue.dead_letter_depth().await.unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// After any steps of two consumers, a message is in exactly one place: the queue, the dead-letter queue,
    /// or deleted.
    #[test]
    fn messages_are_conserved(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let Fixture { directory, clock, mut store } = Fixture::new();
            let (mut published, mut deleted) = (0_u64, 0_u64);
            let mut held: [Vec<Received>; 2] = Default::default();
            let mut settled: Vec<Received> = Vec::new();
            for step in steps {
                let queue = store.queue("segment");
                match step {
                    Step::Publish(count) => {
                        let topic = store.topic(vec![Subscription { queue: "segment", wants: |_| true }]);
                        let publication = Publication { body: "x".to_owned(), attributes: [].into() };
                        topic.publish(vec![publication; count.into()]).await.unwrap();
                        published += u64::from(count);
                    }
                    Step::Receive(consumer, most) => {
                        held[consumer].extend(queue.receive(most, MINUTE).await.unwrap());
                    }
                    Step::Delete(consumer) => {
                        let before = total(&queue).await;
                        let done = std::mem::take(&mut held[consumer]);
                        queue.delete(ids(&done)).await.unwrap();
                        settled.extend(done);
                        deleted += before - total(&queue).await;
                    }
                    Step::PutBack(consumer, seconds) => {
                        let done = std::mem::take(&mut held[consumer]);
                        replace(&queue, done.clone(), TargetQueue::Source(Duration::from_secs(seconds))).await;
                        settled.extend(done);
                    }
                    Step::DeadLetter(consumer) => {
                        let done = std::mem::take(&mut held[consumer]);
                        replace(&queue, done.clone(), TargetQueue::DeadLetter).await;
                        settled.extend(done);
                    }
                    Step::Stale(target) => {
                        let before = (queue.depth().await.unwrap(), queue.dead_letter_depth().await.unwrap());
                        queue.delete(ids(&settled)).await.unwrap();
                        replace(&queue, settled.clone(), target).await;
                        let after = (queue.depth().await.unwrap(), queue.dead_letter_depth().await.unwrap());
                        prop_assert_eq!(before, after);
                    }
                    Step::Redrive => {
                        queue.take_out(Selection::All, Some(Removal::Redrive), |_| true, drop).await.unwrap();
                    }
                    Step::Advance(seconds) => clock.advance(Duration::from_secs(seconds)),
                    Step::Set(seconds) => clock.set(SignedDuration::from_secs(seconds)),
                    Step::Reopen => {
                        // The process is gone, and so are the messages that it held.
                        (held, settled) = Default::default();
                        drop((queue, store));
                        clock.restart();
                        store = reopen(&directory, &clock);
                        continue;
                    }
                }
                prop_assert_eq!(total(&store.queue("segment")).await + deleted, published);
            }
            // Even if the clock was set, a message that nobody holds is received within the longest wait. Consumers poll
            // all the time.
            let queue = store.queue("segment");
            queue.receive(u32::MAX, MINUTE).await.unwrap();
            clock.advance(MAX_DELAY);
            let waiting = queue.depth().await.unwrap();
            prop_assert_eq!(queue.receive(u32::MAX, MINUTE).await.unwrap().len() as u64, waiting);
            Ok(())
        })?;
    }
}
