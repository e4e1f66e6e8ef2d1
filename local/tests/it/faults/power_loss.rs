//! The power goes at any moment: what was answered before is there when it is back.
//!
//! `POWER_CUTS=10000` makes more cuts. A failure keeps the record of its run: with `POWER_RECORD` and `POWER_SEED` as it
//! says, the same cuts are made again.

use std::{collections::BTreeSet, env, fs, path::PathBuf};

use fakes::{Answer, FakeServer};
use fastrand::Rng;
use faults::{Faults, PowerLoss, Record, exchanges};
use reqwest::StatusCode;

use super::{
    load::Load,
    trial::{Trial, opened},
};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_before_the_power_went_is_there_afterwards() {
    let number = |name: &str| env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let seed = number("POWER_SEED").unwrap_or_else(|| fastrand::u64(..));
    let cuts = usize::try_from(number("POWER_CUTS").unwrap_or(150)).unwrap();
    let path = match env::var("POWER_RECORD") {
        Ok(path) => PathBuf::from(path),
        Err(_) => run().await,
    };
    let events = &Record::read(&path).events;
    let mut random = Rng::with_seed(seed);
    let mut places: Vec<usize> = (0..cuts).map(|_| random.usize(0..=events.len())).collect();
    places.sort_unstable();

    let mut power = PowerLoss::new(events);
    let mut answers = exchanges(events).into_iter().peekable();
    let (mut due, mut delivered) = (BTreeSet::new(), BTreeSet::new());
    for place in places {
        power.advance(place);
        while let Some(exchange) = answers.next_if(|exchange| exchange.at < place) {
            if exchange.ours { &mut due } else { &mut delivered }.extend(exchange.ids);
        }
        // A message may be delivered before who sent it has the answer.
        due.retain(|id| !delivered.contains(id));
        let disk = tempfile::tempdir().unwrap();
        power.cut_into(disk.path(), &mut random);
        let there = opened(disk.path()).await;
        let lost: Vec<_> = due.difference(&there).collect();
        if !lost.is_empty() {
            panic!(
                "a cut before event {place} of {} loses {} of {}: {lost:?}\nrun it again with POWER_SEED={seed} \
                 POWER_CUTS={cuts} POWER_RECORD={}; the disk is {}",
                events.len(),
                lost.len(),
                due.len(),
                path.display(),
                disk.keep().display(),
            );
        }
    }
    assert!(!delivered.is_empty() && !due.is_empty(), "nothing was at stake");
    if env::var("POWER_RECORD").is_err() {
        fs::remove_file(path).unwrap();
    }
}

/// Messages come, and some are delivered while others wait. Returns where the record is.
async fn run() -> PathBuf {
    let mut calls = 0;
    let segment = FakeServer::start(move |_| {
        calls += 1;
        if calls % 3 == 0 { Answer::ok() } else { Answer::status(503) }
    });
    let trial = Trial::new(segment.await, Faults::recorded);
    let server = trial.start();
    let load = Load::start(&server, &trial.told, 6, 0.05);
    trial.told.more(StatusCode::OK, 120).await;
    load.stop().await;
    server.kill();
    trial.faults.keep_record()
}
