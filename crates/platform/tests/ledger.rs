//! The SQLite ledger and its rule: one sign-up for each user, even with crashes, repeats and concurrent
//! logins.

#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, reason = "clippy does not count test helpers as tests")]

use std::{collections::BTreeSet, ops::RangeInclusive};

use fastrand::Rng;
use jiff::Timestamp;
use platform::{
    clock::HeldClock,
    ledger::{Claim, Ledger},
    sqlite::{SqliteLedger, Store, StoreError},
};
use tokio::task::JoinSet;

/// The number of users, each with a different order of events.
const INTERLEAVINGS: u64 = 10_000;

fn open(directory: &tempfile::TempDir) -> Result<Store, StoreError> {
    Store::open(directory.path(), HeldClock::at(Timestamp::UNIX_EPOCH))
}

/// The next step of a login.
#[derive(Clone, Copy, PartialEq)]
enum Next {
    Claim,
    Publish(Claim),
    Confirm,
    Nothing,
}

struct Login {
    known: bool,
    next: Next,
}

/// A user, and the messages that were published for their logins.
struct User {
    key: String,
    ledger: SqliteLedger,
    known_at_first_sight: Option<bool>,
    sign_ups: BTreeSet<String>,
    confirmed: bool,
    completed: bool,
}

impl User {
    /// Makes one step of a login.
    async fn step(&mut self, login: &mut Login) {
        login.next = match login.next {
            Next::Claim => {
                let standing = self.ledger.claim(&self.key, login.known).await.unwrap();
                let known = *self.known_at_first_sight.get_or_insert(login.known);
                match standing {
                    Claim::SignUp => {
                        assert!(!known, "{}: a known user signs up", self.key);
                        assert!(!self.confirmed, "{}: a sign-up after a confirmation", self.key);
                    }
                    Claim::Login => {
                        assert!(known || !self.sign_ups.is_empty(), "{}: the sign-up is lost", self.key);
                    }
                }
                Next::Publish(standing)
            }
            Next::Publish(Claim::SignUp) => {
                self.sign_ups.insert(format!("sign-up-{}", self.key));
                Next::Confirm
            }
            Next::Publish(Claim::Login) => {
                self.completed = true;
                Next::Nothing
            }
            Next::Confirm => {
                self.ledger.confirm(&self.key).await.unwrap();
                (self.confirmed, self.completed) = (true, true);
                Next::Nothing
            }
            Next::Nothing => Next::Nothing,
        };
    }
}

/// Two to five logins of one user take turns. After any step one may crash, and may be repeated.
async fn interleaving(seed: u64, ledger: SqliteLedger) -> User {
    let mut random = Rng::with_seed(seed);
    let mut user = User {
        key: format!("{seed:016x}"),
        ledger,
        known_at_first_sight: None,
        sign_ups: BTreeSet::new(),
        confirmed: false,
        completed: false,
    };
    let (crash, known) = (random.f64() * 0.8, *random.choice(&[0.0, 0.5, 1.0]).unwrap());
    let login = |known| Login { known, next: Next::Claim };
    let mut logins: Vec<Login> = (0..random.u32(2..=5)).map(|_| login(random.f64() < known)).collect();
    while !logins.is_empty() {
        let index = random.usize(..logins.len());
        user.step(&mut logins[index]).await;
        if random.f64() < crash {
            logins[index].next = if random.bool() { Next::Claim } else { Next::Nothing };
        }
        if logins[index].next == Next::Nothing {
            logins.swap_remove(index);
        }
    }
    user
}

/// Returns how many sign-ups of a user may have been published.
fn lawful(user: &User) -> RangeInclusive<usize> {
    match (user.known_at_first_sight.unwrap(), user.completed) {
        (true, _) => 0..=0,
        (false, true) => 1..=1,
        (false, false) => 0..=1,
    }
}

#[tokio::test]
async fn each_user_signs_up_exactly_once() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).unwrap();
    let mut users = JoinSet::new();
    // All at once, because one fsync serves all that wait for it.
    for seed in 0..INTERLEAVINGS {
        let ledger = store.ledger();
        users.spawn(async move {
            let mut user = interleaving(seed, ledger).await;
            let before = lawful(&user);
            assert!(before.contains(&user.sign_ups.len()), "{}: {:?}", user.key, user.sign_ups);
            // In every case, one uninterrupted login at the end leaves one sign-up.
            let mut last = Login { known: false, next: Next::Claim };
            while last.next != Next::Nothing {
                user.step(&mut last).await;
            }
            assert!(lawful(&user).contains(&user.sign_ups.len()), "{}: {:?}", user.key, user.sign_ups);
            before
        });
    }
    let all = users.join_all().await;
    for kind in [0..=0, 1..=1, 0..=1] {
        let count = all.iter().filter(|lawful| **lawful == kind).count();
        assert!(count > 500, "{kind:?} occurs {count} times");
    }
}

#[tokio::test]
async fn concurrent_logins_agree_who_signs_up() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(&directory).unwrap().ledger();
    let all = async |user: &'static str, known: bool| {
        let mut claims = JoinSet::new();
        for _ in 0..20 {
            let ledger = ledger.clone();
            claims.spawn(async move { ledger.claim(user, known).await.unwrap() });
        }
        claims.join_all().await
    };
    assert_eq!(all("new", false).await, [Claim::SignUp; 20], "nobody confirmed it");
    assert_eq!(all("new", true).await, [Claim::SignUp; 20], "known counts only at the first sight");
    ledger.confirm("new").await.unwrap();
    ledger.confirm("new").await.unwrap();
    assert_eq!(all("new", false).await, [Claim::Login; 20]);
    assert_eq!(all("known", true).await, [Claim::Login; 20]);
    assert_eq!(all("known", false).await, [Claim::Login; 20]);
    ledger.confirm("never claimed").await.unwrap();
    assert_eq!(all("never claimed", false).await, [Claim::Login; 20]);
}

#[tokio::test]
async fn the_ledger_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(&directory).unwrap().ledger();
    for user in ["claimed", "confirmed"] {
        assert_eq!(ledger.claim(user, false).await.unwrap(), Claim::SignUp);
    }
    ledger.confirm("confirmed").await.unwrap();
    drop(ledger);
    let store = loop {
        match open(&directory) {
            // The writer thread ends some time after the last handle is dropped.
            Err(StoreError::InUse) => std::thread::yield_now(),
            opened => break opened.unwrap(),
        }
    };
    assert_eq!(store.ledger().claim("claimed", false).await.unwrap(), Claim::SignUp);
    assert_eq!(store.ledger().claim("confirmed", false).await.unwrap(), Claim::Login);
    let at: String = store
        .run(|connection| {
            connection.query_row("SELECT claimed_at FROM ledger WHERE user = 'claimed'", [], |row| row.get(0))
        })
        .await
        .unwrap();
    assert_eq!(at, "1970-01-01T00:00:00.000Z");
}
