//! A wall clock that jumps while destinations are away.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use faults::Faults;
use testkit::{Answer, FakeServer};

use super::{
    load::post,
    subject::{Subject, received_ids},
};
use crate::process::Server;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_ahead_neither_loses_nor_delays_messages() {
    tokio::join!(jump(5 * HOUR), jump(14 * DAY));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_back_neither_loses_nor_delays_messages() {
    tokio::join!(jump(-3 * HOUR), jump(-21 * DAY));
}

async fn jump(by: i64) {
    let subject = Subject::new(FakeServer::start(|_| away()).await, Faults::new);
    let webhook = FakeServer::start(|_| away()).await;
    let start = || {
        let url = format!("{}/hook", webhook.url());
        let options = ["--webhook", &url, "--allow-private-webhooks"];
        subject.start_with(&options, |command| subject.faults.preload(command))
    };
    let server = start();
    let fakes = [&subject.segment, &webhook];
    messages(&subject, &server).await;
    tokio::time::timeout(Duration::from_secs(20), called(fakes)).await.unwrap();
    subject.faults.shift_clock(by);
    messages(&subject, &server).await;
    // Attempts after the jump could give messages a wrong end.
    let _ = tokio::time::timeout(Duration::from_secs(3), called(fakes)).await;
    fakes.iter().for_each(|fake| fake.set(|_| Answer::ok()));
    arrive(&subject, fakes, &server, by).await;
    let log = server.log_so_far();
    assert!(log.to_lowercase().contains("clock"), "the log does not tell of {by} ms:\n{log}");

    // The jump back, this time over a restart.
    fakes.iter().for_each(|fake| fake.set(|_| away()));
    messages(&subject, &server).await;
    let _ = tokio::time::timeout(Duration::from_secs(3), called(fakes)).await;
    server.kill();
    subject.faults.shift_clock(0);
    fakes.iter().for_each(|fake| fake.set(|_| Answer::ok()));
    let server = start();
    messages(&subject, &server).await;
    arrive(&subject, fakes, &server, by).await;
}

/// A short `Retry-After` keeps the test short; longer delays use the same clock.
fn away() -> Answer {
    Answer::Status(503, vec![("Retry-After", "1".to_owned())], String::new())
}

async fn messages(subject: &Subject, server: &Server) {
    for _ in 0..10 {
        assert!(post(&server.http, &server.base, &subject.answers, 0).await, "{}", subject.answers.summary());
    }
}

/// Waits for some more calls of each destination.
async fn called(fakes: [&FakeServer; 2]) {
    let calls = fakes.map(|fake| fake.requests().len());
    for (fake, calls) in fakes.into_iter().zip(calls) {
        while fake.requests().len() < calls + 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Checks that each message soon reaches both destinations, without dead letters.
async fn arrive(subject: &Subject, fakes: [&FakeServer; 2], server: &Server, by: i64) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let taken = subject.answers.taken();
    loop {
        for queue in ["segment", "webhooks"] {
            let state = server.queue(queue).await;
            let dead = state["deadLetters"].as_array().unwrap();
            let attributes = dead.first().map(|letter| &letter["attributes"]);
            assert!(
                dead.is_empty(),
                "{by} ms: {} dead letters of {queue}, the first with {attributes:?}",
                dead.len()
            );
        }
        let missing = fakes.map(|fake| {
            let delivered = received_ids(fake);
            taken.difference(&delivered).cloned().collect::<BTreeSet<_>>().len()
        });
        if missing == [0, 0] {
            return;
        }
        assert!(Instant::now() < deadline, "{by} ms: {missing:?} of {} did not arrive in 30 s", taken.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
