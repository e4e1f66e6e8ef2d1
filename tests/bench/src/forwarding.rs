//! Measures how fast a program forwards logins.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    adapters::Sink,
    logins::{Logins, Sent},
    median,
};

/// The number of rounds.
pub const ROUNDS: usize = 3;

/// The number of connections.
pub const CONNECTIONS: usize = 32;

/// The time of a round.
pub const TIME: Duration = Duration::from_secs(5);

/// The number of logins. A round ends early when all are sent. They take half a gigabyte of memory.
pub const LOGINS: usize = 200_000;

/// One round of one program. Times are in milliseconds.
pub struct Row {
    /// The number of logins that were sent.
    pub sent: usize,
    /// The number of logins that were answered 200, a second.
    pub accepted: f64,
    /// The number of logins that arrived, a second.
    pub delivered: f64,
    /// The median time until the answer.
    pub median: f64,
    /// The time until the answer that one in a hundred exceeds.
    pub p99: f64,
    /// The time until the arrival that one in a hundred exceeds.
    pub received_p99: f64,
}

/// Sends logins to a program, and waits until all that it accepted have arrived.
pub async fn measure(
    name: &str,
    address: SocketAddr,
    path: &'static str,
    logins: &Arc<Logins>,
    sink: &Sink,
) -> Row {
    let start = Instant::now();
    let mut sent = logins.send(address, path, 0, CONNECTIONS, TIME).await;
    let (count, accepting) = (sent.len(), start.elapsed());
    sent.retain(|one| one.accepted);
    sink.receives(0, sent.len()).await;
    let first = sent.iter().map(|one| one.at).min().unwrap();
    let delivering = sink.arrivals().await.into_iter().max().unwrap().saturating_sub(first);
    let took = sorted(sent.iter().map(|one| one.took));
    let received = times_to_arrival(&sent, sink).await;
    let row = Row {
        sent: count,
        accepted: sent.len() as f64 / accepting.as_secs_f64(),
        delivered: sent.len() as f64 / delivering.as_secs_f64(),
        median: median(took.clone()),
        p99: took[took.len() * 99 / 100],
        received_p99: received[received.len() * 99 / 100],
    };
    println!(
        "{name}: accepted {} of {count}, {:.0}/s, delivered {:.0}/s, p99 {:.2} ms, {:.2} ms to the receiver",
        sent.len(),
        row.accepted,
        row.delivered,
        row.p99,
        row.received_p99
    );
    row
}

/// Returns the milliseconds from sending to arrival, in order.
pub async fn times_to_arrival(sent: &[Sent], sink: &Sink) -> Vec<f64> {
    let arrivals = sink.arrivals().await;
    sorted(sent.iter().filter_map(|one| Some(arrivals.get(one.number)?.saturating_sub(one.at))))
}

fn sorted(times: impl Iterator<Item = Duration>) -> Vec<f64> {
    let mut times: Vec<f64> = times.map(|time| time.as_secs_f64() * 1_000.0).collect();
    times.sort_by(f64::total_cmp);
    times
}
