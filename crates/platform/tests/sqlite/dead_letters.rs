//! Redrive and purge.

use std::{sync::Arc, sync::Mutex};

use platform::{
    clock::SteadyClock,
    queue::TargetQueue,
    sqlite::{DeadLetter, Removal, Selection, Store},
};

use crate::support::{Fixture, MINUTE, replace};

/// More messages than one slice holds.
const MANY: usize = 1_300;

async fn many_dead(fixture: &Fixture) {
    let bodies: Vec<String> = (0..MANY).map(|number| number.to_string()).collect();
    fixture.publish(&bodies.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let received = fixture.queue().receive(u32::MAX, MINUTE).await.unwrap();
    replace(&fixture.queue(), received, TargetQueue::DeadLetter).await;
}

#[tokio::test]
async fn a_redrive_goes_in_slices_oldest_first_and_takes_only_wanted_messages() {
    let fixture = Fixture::new();
    many_dead(&fixture).await;
    let queue = fixture.queue();
    let even = |letter: &DeadLetter| letter.body.parse::<usize>().unwrap() % 2 == 0;
    for way in [None, Some(Removal::Redrive)] {
        let mut slices: Vec<Vec<DeadLetter>> = Vec::new();
        let count = queue.take_out(Selection::All, way, even, |slice| slices.push(slice)).await.unwrap();
        assert_eq!(count, MANY / 2);
        assert!(slices.len() > 1 && slices.iter().all(|slice| slice.len() <= 500));
        let order: Vec<usize> = slices.iter().flatten().map(|letter| letter.body.parse().unwrap()).collect();
        assert!(order.is_sorted());
    }
    assert_eq!(queue.depth().await.unwrap(), (MANY / 2) as u64);
    assert_eq!(queue.dead_letter_depth().await.unwrap(), (MANY / 2) as u64);
    assert_eq!(queue.take_out(Selection::All, Some(Removal::Purge), |_| true, drop).await.unwrap(), MANY / 2);
    assert_eq!(queue.dead_letter_depth().await.unwrap(), 0);
}

#[tokio::test]
async fn messages_with_an_id_are_found_without_looking_at_the_others() {
    let fixture = Fixture::new();
    many_dead(&fixture).await;
    let queue = fixture.queue();
    let newest = queue.dead_letters(2).await.unwrap();
    let looked_at = Arc::new(Mutex::new(Vec::new()));
    let seen = looked_at.clone();
    let wanted = move |letter: &DeadLetter| {
        seen.lock().unwrap().push(letter.id);
        true
    };
    let ids: Vec<i64> = newest.iter().map(|letter| letter.id).collect();
    let unknown = [i64::MAX, ids[0] - 100_000];
    let asked = Selection::Ids([ids.clone(), unknown.to_vec()].concat());
    assert_eq!(queue.take_out(asked.clone(), Some(Removal::Redrive), wanted, drop).await.unwrap(), 2);
    assert_eq!(*looked_at.lock().unwrap(), ids);
    assert_eq!(
        queue.take_out(asked, Some(Removal::Redrive), |_| true, drop).await.unwrap(),
        0,
        "they are dead no more"
    );
    assert_eq!(queue.depth().await.unwrap(), 2);
}

#[tokio::test]
async fn a_message_that_fails_again_during_a_redrive_is_not_taken_again() {
    let fixture = Fixture::new();
    many_dead(&fixture).await;
    let queue = fixture.queue();
    let fail_again = async {
        let mut failed = 0;
        while failed < MANY {
            let received = queue.receive(u32::MAX, MINUTE).await.unwrap();
            failed += received.len();
            replace(&queue, received, TargetQueue::DeadLetter).await;
            tokio::task::yield_now().await;
        }
    };
    let (redriven, ()) =
        tokio::join!(queue.take_out(Selection::All, Some(Removal::Redrive), |_| true, drop), fail_again);
    assert_eq!(redriven.unwrap(), MANY);
    assert_eq!(queue.dead_letter_depth().await.unwrap(), MANY as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_dead_lettered_again_during_a_redrive_is_not_taken_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), SteadyClock::shared()).unwrap();
    let made = store.run(|connection| {
        connection.execute(
            "WITH RECURSIVE numbers (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM numbers WHERE value < ?1)
             INSERT INTO message (queue, body, attributes, sent_at, visible_at)
             SELECT 'segment-dead-letter', x'ff', '{}', value, value FROM numbers",
            [MANY as i64],
        )
    });
    made.await.unwrap();
    let queue = store.queue("segment");
    let consumer = queue.clone();
    let parking = tokio::spawn(async move {
        loop {
            assert!(consumer.receive(u32::MAX, MINUTE).await.unwrap().is_empty());
        }
    });
    assert_eq!(queue.take_out(Selection::All, Some(Removal::Redrive), |_| true, drop).await.unwrap(), MANY);
    parking.abort();
}
