//! Jobs that are committed together: a job survives a restart exactly if its caller was told so.

use std::{
    collections::BTreeSet,
    sync::mpsc::{Sender, channel},
};

use platform::sqlite::{Condition, Store, StoreError};
use proptest::prelude::*;
use tokio::task::JoinHandle;

use crate::support::{Fixture, reopen};

/// A job of a group.
#[derive(Clone, Copy, Debug)]
enum Job {
    /// Writes a message of this many bytes. Some are larger than SQLite's page cache.
    Write(u32),
    /// Writes a message, and then fails by itself.
    Fail(u32),
    /// Writes a message, and lets the file grow by this many more pages from now on.
    Limit(u32),
}

fn job() -> impl Strategy<Value = Job> {
    let size = prop_oneof![4 => 10_u32..2_000, 1 => 20_000_u32..500_000, 1 => 2_000_000_u32..4_000_000];
    prop_oneof![
        6 => size.clone().prop_map(Job::Write),
        2 => size.prop_map(Job::Fail),
        1 => (0_u32..1_500).prop_map(Job::Limit),
    ]
}

/// Blocks the writer thread, so that all jobs requested in the meantime are one transaction.
async fn held(store: &Store) -> (Sender<()>, JoinHandle<Result<(), StoreError>>) {
    let (release, wait) = channel();
    let store = store.clone();
    let holding = tokio::spawn(async move {
        store
            .run(move |_| {
                let _ = wait.recv();
                Ok(())
            })
            .await
    });
    tokio::task::yield_now().await;
    (release, holding)
}

fn started(store: &Store, number: usize, job: Job) -> JoinHandle<Result<(), StoreError>> {
    let store = store.clone();
    tokio::spawn(async move {
        store
            .run(move |connection| {
                let insert = "INSERT INTO message (queue, body, attributes, sent_at, visible_at)
                              VALUES ('model', ?1 || hex(zeroblob(?2 / 2)), '{}', 0, 0)";
                let (Job::Write(size) | Job::Fail(size) | Job::Limit(size)) = job;
                if let Job::Limit(pages) = job {
                    let count: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
                    let most = count + i64::from(pages);
                    connection.query_row(&format!("PRAGMA max_page_count = {most}"), [], |_| Ok(()))?;
                }
                connection.execute(insert, (format!("{number};"), size))?;
                match job {
                    Job::Fail(_) => connection.execute("no sql", []).map(|_| ()),
                    Job::Write(_) | Job::Limit(_) => Ok(()),
                }
            })
            .await
    })
}

async fn there(store: &Store) -> BTreeSet<usize> {
    let waiting = store.queue("model").fold_waiting(u32::MAX, Vec::new(), Vec::push).await.unwrap();
    waiting.iter().map(|one| one.body.split(';').next().unwrap().parse().unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(48)))]

    #[test]
    fn a_job_survives_a_restart_exactly_if_its_caller_was_told_so(
        groups in prop::collection::vec(prop::collection::vec(job(), 1..12), 1..5),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let Fixture { directory, clock, store } = Fixture::new();
            let (mut told, mut number) = (BTreeSet::new(), 0);
            for group in groups {
                let (release, holding) = held(&store).await;
                let jobs: Vec<_> = group.into_iter().map(|job| {
                    number += 1;
                    (number, started(&store, number, job))
                }).collect();
                tokio::task::yield_now().await;
                release.send(()).unwrap();
                // The result depends on the jobs in the same transaction.
                let _ = holding.await.unwrap();
                for (number, job) in jobs {
                    if job.await.unwrap().is_ok() {
                        told.insert(number);
                    }
                }
                prop_assert_eq!(there(&store).await, told.clone());
            }
            drop(store);
            prop_assert_eq!(there(&reopen(&directory, &clock)).await, told);
            Ok(())
        })?;
    }
}

/// `MODEL_CASES` sets another number, for the long form.
fn cases(most: u32) -> u32 {
    std::env::var("MODEL_CASES").ok().map_or(most, |cases| cases.parse().unwrap())
}

#[tokio::test]
async fn a_job_that_ends_the_transaction_fails_all_of_it_and_none_after_it() {
    let fixture = Fixture::new();
    let store = &fixture.store;
    let (release, holding) = held(store).await;
    let before = started(store, 1, Job::Write(10));
    let limit = started(store, 2, Job::Limit(600));
    let large = started(store, 3, Job::Write(4_000_000));
    tokio::task::yield_now().await;
    release.send(()).unwrap();
    let ends = [holding.await, before.await, limit.await, large.await];
    assert!(ends.iter().all(|end| end.as_ref().unwrap().is_err()), "{ends:?}");
    assert!(there(store).await.is_empty());
    assert!(started(store, 4, Job::Write(10)).await.unwrap().is_ok());
    assert_eq!(there(store).await, BTreeSet::from([4]));
}

#[tokio::test]
async fn a_job_that_panics_breaks_the_store_and_says_so() {
    let fixture = Fixture::new();
    let panicked = fixture
        .store
        .run(|_| -> _ {
            if true { panic!("a bug") } else { Ok(()) }
        })
        .await;
    assert!(panicked.is_err());
    fixture.store.broken().await;
    assert!(matches!(fixture.store.condition(), Condition::Broken(_)));
    assert!(fixture.store.accept(|_| Ok(())).await.is_err());
}
