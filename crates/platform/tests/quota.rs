//! The SQLite quota.

#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, reason = "clippy does not count test helpers as tests")]

use std::{sync::Arc, time::Duration};

use fastrand::Rng;
use jiff::Timestamp;
use platform::{
    clock::HeldClock,
    quota::{PERIOD_RETENTION, Quota},
    sqlite::{SqliteQuota, Store},
};
use tokio::task::JoinSet;

struct Fixture {
    _directory: tempfile::TempDir,
    clock: Arc<HeldClock>,
    quota: SqliteQuota,
}

fn fixture() -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let clock = HeldClock::at(Timestamp::UNIX_EPOCH);
    let quota = Store::open(directory.path(), clock.clone()).unwrap().quota();
    Fixture { _directory: directory, clock, quota }
}

#[tokio::test]
async fn a_taker_that_wants_more_than_is_left_gets_the_rest() {
    let Fixture { quota, .. } = &fixture();
    for (period, amount, limit, granted) in [
        ("a", 0, 100, 0),
        ("a", 5, 0, 0),
        ("a", 60, 100, 60),
        ("a", 60, 100, 40),
        ("a", 60, 100, 0),
        ("a", 60, 110, 10),
        ("a", 60, 50, 0),
        ("b", 500, 100, 100),
        ("c", u64::MAX, 7, 7),
        ("c", 1, u64::MAX, 1),
        ("c", u64::MAX, u64::MAX, i64::MAX as u64 - 8),
        ("c", u64::MAX, u64::MAX, 0),
    ] {
        let taken = quota.take(period, amount, limit).await.unwrap();
        assert_eq!(taken, granted, "{amount} of {limit} in {period}");
    }
}

#[tokio::test]
async fn an_amount_that_is_given_back_is_there_for_others_and_never_more_than_was_taken() {
    let Fixture { quota, .. } = &fixture();
    quota.give_back("a", 5).await.unwrap();
    assert_eq!(quota.take("a", 200, 100).await.unwrap(), 100);
    quota.give_back("a", 30).await.unwrap();
    assert_eq!(quota.take("a", 200, 100).await.unwrap(), 30);
    quota.give_back("a", 101).await.unwrap();
    quota.give_back("a", u64::MAX).await.unwrap();
    quota.give_back("a", 0).await.unwrap();
    assert_eq!(quota.take("a", 1, 100).await.unwrap(), 0);
}

#[tokio::test]
async fn a_period_is_forgotten_400_days_after_its_first_use() {
    let Fixture { quota, clock, .. } = &fixture();
    assert_eq!(quota.take("a", 60, 100).await.unwrap(), 60);
    clock.advance(PERIOD_RETENTION - Duration::from_secs(1));
    assert_eq!(quota.take("a", 60, 100).await.unwrap(), 40);
    clock.advance(Duration::from_secs(1));
    assert_eq!(quota.take("a", 60, 100).await.unwrap(), 60);
}

/// Each taker gives back a part of its amount and stops when it gets nothing.
#[tokio::test]
async fn concurrent_takers_together_get_the_limit_and_not_more() {
    let Fixture { quota, .. } = &fixture();
    for (seed, limit) in [(1, 1), (2, 99), (3, 1_000), (4, 2_500)] {
        let mut takers = JoinSet::new();
        for taker in 0..20 {
            let (quota, period) = (quota.clone(), format!("period-{seed}"));
            takers.spawn(async move {
                let mut random = Rng::with_seed(seed << 8 | taker);
                let mut kept = 0;
                loop {
                    let amount = random.u64(1..=50);
                    let granted = quota.take(&period, amount, limit).await.unwrap();
                    assert!(granted <= amount);
                    if granted == 0 {
                        return kept;
                    }
                    let unused = if random.bool() { random.u64(..granted) } else { 0 };
                    quota.give_back(&period, unused).await.unwrap();
                    kept += granted - unused;
                }
            });
        }
        let kept: u64 = takers.join_all().await.iter().sum();
        let rest = quota.take(&format!("period-{seed}"), u64::MAX, limit).await.unwrap();
        assert_eq!(kept + rest, limit, "seed {seed}");
    }
}
