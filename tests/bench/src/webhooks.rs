//! Compares `segue serve` with the guide's Node adapter.

use std::time::{Duration, Instant};

use crate::{
    adapters::{self, Program, Sink},
    load, median,
};

const ROUNDS: usize = 3;
const CONNECTIONS: usize = 32;
const WARM_UP: Duration = Duration::from_secs(2);
const TIME: Duration = Duration::from_secs(8);

/// One round of one program.
struct Row {
    rate: f64,
    median: f64,
    p99: f64,
    memory: f64,
}

/// Prints the table. The programs run alternately, and the medians of the rounds are compared.
pub async fn compare() {
    let (mut node, mut segue, mut without_page) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let sink = Sink::start().await;
        node.push(measure("node", adapters::node(&sink.url).await, &sink).await);
        let sink = Sink::start().await;
        segue.push(measure("segue", adapters::segue(&sink.url, &[], &[]).await, &sink).await);
        let sink = Sink::start().await;
        let program = adapters::segue(&sink.url, &[], adapters::WITHOUT_PAGE).await;
        without_page.push(measure("segue --page off", program, &sink).await);
    }
    println!("\n{CONNECTIONS} connections, {TIME:?} a round, medians of {ROUNDS} rounds\n");
    println!("| | guide's Node adapter | segue serve | ratio | with --page off | ratio |");
    println!("|---|---|---|---|---|---|");
    let line = |name: &str, digits: usize, of: fn(&Row) -> f64| {
        let [node, segue, off] =
            [&node, &segue, &without_page].map(|rows| median(rows.iter().map(of).collect()));
        println!(
            "| {name} | {node:.digits$} | {segue:.digits$} | {:.2} | {off:.digits$} | {:.2} |",
            segue / node,
            off / node
        );
    };
    line("accepted webhooks a second", 0, |row| row.rate);
    line("median latency, ms", 2, |row| row.median);
    line("p99 latency, ms", 2, |row| row.p99);
    line("peak memory, MiB", 1, |row| row.memory);
}

async fn measure(name: &str, program: Program, sink: &Sink) -> Row {
    let requests = load::requests(program.path, 5_000);
    let warm = load::run(program.address, requests.clone(), CONNECTIONS, WARM_UP).await;
    let measured = load::run(program.address, requests, CONNECTIONS, TIME).await;
    let drained = Instant::now();
    let taken = sink.took(warm.accepted + measured.accepted).await;
    println!(
        "{name}: {} accepted, {:.0}/s, p99 {:.2?}; {taken} of {} delivered {:.1?} after the end",
        measured.accepted,
        measured.rate,
        measured.p99,
        warm.accepted + measured.accepted,
        drained.elapsed(),
    );
    assert_eq!(taken, warm.accepted + measured.accepted, "accepted and delivered");
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1_000.0;
    Row {
        rate: measured.rate,
        median: milliseconds(measured.median),
        p99: milliseconds(measured.p99),
        memory: program.peak_memory(),
    }
}
