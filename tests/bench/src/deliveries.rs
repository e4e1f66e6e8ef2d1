//! Compares deliveries to webhooks through `segue serve` with a Node script, and measures four webhooks while
//! the fifth fails.

pub mod memory;

use std::time::{Duration, Instant};

use crate::{
    adapters::{self, Program, Sink},
    load, median,
    sink::RECEIVERS,
};

const ROUNDS: usize = 3;
const CONNECTIONS: usize = 4;

/// The number of measured deliveries to all webhooks together.
const DELIVERIES: usize = 200_000;

/// The number of messages that are then sent one by one, and the time between them.
const SINGLE: usize = 400;
const PAUSE: Duration = Duration::from_millis(5);

/// One round of one program.
struct Row {
    accepted: f64,
    delivered: f64,
    median: f64,
    p99: f64,
    memory: f64,
}

/// Prints the tables. The programs run alternately, and the medians of the rounds are compared.
pub async fn compare() {
    let (mut one, mut five) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    let (mut silent, mut refusing) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for (rows, webhooks) in [(&mut one, 1), (&mut five, RECEIVERS)] {
            let sink = Sink::start().await;
            let urls = urls(&sink, webhooks, None);
            rows[0].push(measure("node", adapters::node_deliver(&urls).await, &sink, webhooks).await);
            let sink = Sink::start().await;
            let urls = self::urls(&sink, webhooks, None);
            rows[1].push(
                measure(
                    "segue",
                    adapters::segue(&sink.url, &urls, adapters::WITHOUT_PAGE).await,
                    &sink,
                    webhooks,
                )
                .await,
            );
        }
        for (rows, fault) in [(&mut silent, "silent"), (&mut refusing, "refusing")] {
            let sink = Sink::start().await;
            let urls = urls(&sink, RECEIVERS, Some(fault));
            let program = adapters::segue(&sink.url, &urls, adapters::WITHOUT_PAGE).await;
            rows.push(measure(fault, program, &sink, RECEIVERS - 1).await);
        }
    }
    println!(
        "\n{DELIVERIES} deliveries a round, in batches of {} over {CONNECTIONS} connections; then {SINGLE} messages one by \
         one, {PAUSE:?} apart; medians of {ROUNDS} rounds",
        load::BATCH
    );
    for (title, [node, segue]) in [("one webhook", &one), ("five webhooks", &five)] {
        println!("\n| {title} | Node script | segue serve | ratio |");
        println!("|---|---|---|---|");
        let line = |name: &str, digits: usize, figure: fn(&Row) -> f64| {
            let (node, segue) = (of(node, figure), of(segue, figure));
            println!("| {name} | {node:.digits$} | {segue:.digits$} | {:.2} |", segue / node);
        };
        line("accepted messages a second", 0, |row| row.accepted);
        line("deliveries a second", 0, |row| row.delivered);
        line("one by one: median from sent to received, ms", 2, |row| row.median);
        line("one by one: p99, ms", 2, |row| row.p99);
        line("peak memory, MiB", 1, |row| row.memory);
    }
    println!(
        "\n| the fifth webhook | deliveries a second to each of the other four | of healthy | one by one: p99, ms |"
    );
    println!("|---|---|---|---|");
    let to_each = |rows: &[Row], webhooks: usize| of(rows, |row| row.delivered) / webhooks as f64;
    let healthy = to_each(&five[1], RECEIVERS);
    for (fifth, rows, webhooks) in [
        ("is healthy", &five[1], RECEIVERS),
        ("never answers", &silent, RECEIVERS - 1),
        ("answers 503", &refusing, RECEIVERS - 1),
    ] {
        let rate = to_each(rows, webhooks);
        println!(
            "| {fifth} | {rate:.0} | {:.0} % | {:.2} |",
            100.0 * rate / healthy,
            of(rows, |row| row.p99)
        );
    }
}

/// Returns the URLs of this many receivers. The last one may have a fault.
fn urls(sink: &Sink, count: usize, fault: Option<&str>) -> Vec<String> {
    let path = |number| fault.filter(|_| number == count - 1).unwrap_or("healthy");
    (0..count).map(|number| format!("{}/{}", sink.receivers[number], path(number))).collect()
}

/// Measures deliveries to the first `healthy` receivers.
async fn measure(name: &str, program: Program, sink: &Sink, healthy: usize) -> Row {
    // The number of messages if all webhooks were healthy.
    let webhooks = if healthy == 1 { 1 } else { RECEIVERS };
    let count = DELIVERIES / webhooks;
    let start = Instant::now();
    load::send(program.address, 0..count, CONNECTIONS).await;
    let accepted = start.elapsed();
    wait(sink, healthy, count).await;
    let delivered = start.elapsed();
    if program.serves_segment {
        assert_eq!(sink.took(count).await, count, "Segment's");
    }
    load::send_slowly(program.address, count..count + SINGLE, PAUSE).await;
    wait(sink, healthy, count + SINGLE).await;
    let (mut times, mut connections) = (Vec::new(), 0);
    for receiver in 0..healthy {
        let received = sink.received(receiver).await;
        times.extend(received.times);
        connections += received.connections;
    }
    times.sort();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1_000.0;
    let row = Row {
        accepted: count as f64 / accepted.as_secs_f64(),
        delivered: (count * healthy) as f64 / delivered.as_secs_f64(),
        median: milliseconds(times[times.len() / 2]),
        p99: milliseconds(times[times.len() * 99 / 100]),
        memory: program.peak_memory(),
    };
    println!(
        "{name}, {healthy} of {webhooks}: accepted {:.0}/s, delivered {:.0}/s in {delivered:.1?}, p99 {:.2} ms, \
         {connections} connections, {:.1} MiB",
        row.accepted, row.delivered, row.p99, row.memory
    );
    row
}

/// Waits until each of the first `healthy` receivers has got `count` messages.
async fn wait(sink: &Sink, healthy: usize, count: usize) {
    for receiver in 0..healthy {
        sink.receives(receiver, count).await;
    }
}

fn of(rows: &[Row], figure: fn(&Row) -> f64) -> f64 {
    median(rows.iter().map(figure).collect())
}
