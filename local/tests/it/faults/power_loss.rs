//! Power loss at any moment: messages answered before are there afterwards.
//!
//! `POWER_CUTS=10000` makes more cuts. A failure keeps the record of its run, and the variables that it names
//! repeat the same cuts.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use fastrand::Rng;
use faults::{Event, Faults, PowerLoss, Record, exchanges};
use reqwest::StatusCode;
use testkit::{Answer, FakeServer};

use super::{
    load::Load,
    subject::{Subject, opened},
};
use crate::process::Server;

#[tokio::test(flavor = "multi_thread")]
async fn answered_messages_survive_a_power_loss() {
    cut(150, 1, some_wait_and_some_are_delivered, |events| (0..events.len() + 1).collect()).await;
}

/// SQLite checkpoints its log into its file at 32 MB.
#[tokio::test(flavor = "multi_thread")]
async fn answered_messages_survive_a_power_loss_during_a_checkpoint() {
    cut(24, 20, many_arrive, |events| {
        let far = |at: usize| at.saturating_sub(3)..(at + 20).min(events.len() + 1);
        let tidied = events.iter().enumerate().filter(|(_, event)| is_outside_log(event));
        let places: BTreeSet<usize> = tidied.flat_map(|(at, _)| far(at)).collect();
        places.into_iter().filter(|at| *at > START).collect()
    })
    .await;
}

/// The first events create the store.
const START: usize = 300;

fn is_outside_log(event: &Event) -> bool {
    matches!(event, Event::Written { file, .. } if !file.ends_with("-wal"))
}

/// Records a run and cuts it at some of these places: `most` times, or a `share` of `POWER_CUTS`, since a
/// large store is slow to write and to open.
async fn cut<R: Future<Output = PathBuf>>(
    most: u64,
    share: u64,
    run: impl FnOnce() -> R,
    places: impl FnOnce(&[Event]) -> Vec<usize>,
) {
    let number = |name: &str| env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let seed = number("POWER_SEED").unwrap_or_else(|| fastrand::u64(..));
    let cuts = number("POWER_CUTS").map_or(most, |cuts| cuts / share);
    let given = env::var_os("POWER_RECORD").map(PathBuf::from);
    let path = match &given {
        Some(path) => path.clone(),
        None => run().await,
    };
    let events = Record::read(&path).events;
    let mut random = Rng::with_seed(seed);
    let candidates = places(&events);
    assert!(!candidates.is_empty(), "the run did not do what shall be cut");
    let mut places: Vec<usize> = (0..cuts).map(|_| candidates[random.usize(0..candidates.len())]).collect();
    places.sort_unstable();
    if let Err(loss) = all_is_there(&events, &places, &mut random).await {
        let path = path.display();
        let all = cuts * share;
        panic!("{loss}\nthe same again: POWER_SEED={seed} POWER_CUTS={all} POWER_RECORD={path}");
    }
    println!("{cuts} cuts of the power lost nothing.");
    if given.is_none() {
        fs::remove_file(path).unwrap();
    }
}

async fn all_is_there(events: &[Event], places: &[usize], random: &mut Rng) -> Result<(), String> {
    let mut power = PowerLoss::new(events);
    let mut answers = exchanges(events).into_iter().peekable();
    let (mut due, mut delivered) = (BTreeSet::new(), BTreeSet::new());
    let mut at_stake = 0;
    for &place in places {
        power.advance(place);
        while let Some(exchange) = answers.next_if(|exchange| exchange.at < place) {
            if exchange.ours { &mut due } else { &mut delivered }.extend(exchange.ids);
        }
        // A message can be delivered before its sender has the answer.
        due.retain(|id| !delivered.contains(id));
        // In memory where possible: there are many.
        let folder = Some(Path::new("/dev/shm")).filter(|folder| folder.exists());
        let disk = folder.map_or_else(tempfile::tempdir, tempfile::tempdir_in).unwrap();
        power.cut_into(disk.path(), random);
        let there = opened(disk.path()).await;
        let lost: Vec<_> = due.difference(&there).take(4).collect();
        at_stake = at_stake.max(due.len());
        if !lost.is_empty() {
            let (of, disk) = (events.len(), disk.keep());
            return Err(format!("a cut before event {place} of {of} loses {lost:?}; see {}", disk.display()));
        }
    }
    assert!(at_stake > 0, "nothing was at stake");
    Ok(())
}

/// Receives messages over a restart. Some are delivered while others wait.
async fn some_wait_and_some_are_delivered() -> PathBuf {
    let mut calls = 0;
    let segment = FakeServer::start(move |_| {
        calls += 1;
        if calls % 3 == 0 { Answer::ok() } else { Answer::status(503) }
    });
    let subject = Subject::new(segment.await, Faults::recorded);
    let stop = |server: Server| assert!(server.terminate().success());
    for end in [Server::kill, stop, Server::kill] {
        let server = subject.start();
        let load = Load::start(&server, &subject.answers, 6, 0.05);
        subject.answers.more(StatusCode::OK, 40).await;
        load.stop().await;
        end(server);
    }
    subject.faults.keep_record()
}

/// Receives enough messages for a checkpoint.
async fn many_arrive() -> PathBuf {
    let subject = Subject::new(FakeServer::start(|_| Answer::status(503)).await, Faults::recorded);
    let server = subject.start();
    let before = writes_outside_log(&subject);
    let load = Load::start(&server, &subject.answers, 12, 0.5);
    let tidied = async {
        while writes_outside_log(&subject) < before + 50 {
            subject.answers.some_more(20, Duration::from_secs(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(40), tidied).await.unwrap();
    load.stop().await;
    server.kill();
    subject.faults.keep_record()
}

fn writes_outside_log(subject: &Subject) -> usize {
    subject.faults.record().events.iter().filter(|event| is_outside_log(event)).count()
}
