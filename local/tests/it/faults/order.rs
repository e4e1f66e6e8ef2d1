//! Written, synced, answered: in this order, for every message.

use faults::{Faults, exchanges, unproven};
use reqwest::StatusCode;
use testkit::FakeServer;

use super::{load::Load, subject::Subject};

#[tokio::test(flavor = "multi_thread")]
async fn every_message_is_synced_before_it_is_answered() {
    let subject = Subject::new(FakeServer::healthy().await, Faults::recorded);
    let server = subject.start();
    let load = Load::start(&server, &subject.answers, 12, 0.1);
    subject.answers.more(StatusCode::OK, 150).await;
    load.stop().await;
    server.kill();
    let events = subject.faults.record().events;
    let answers = exchanges(&events);
    let [ours, delivered] = [true, false].map(|ours| {
        let of = answers.iter().filter(|exchange| exchange.ours == ours);
        of.flat_map(|exchange| exchange.ids.clone()).collect::<std::collections::BTreeSet<_>>()
    });
    // Only a complete record proves anything.
    assert!(subject.answers.taken().is_subset(&ours));
    assert!(delivered.len() > 20, "{}", delivered.len());
    let unproven = unproven(&events);
    assert!(unproven.is_empty(), "{} of {}: {unproven:?}", unproven.len(), ours.len());
}
