//! Measures Segue beside what it replaces, in the same run: machines differ, ratios do not.
//!
//! `bench webhooks` compares `segue serve` with the Node adapter of FusionAuth's guide: the same signed
//! webhooks, the same stand-in for Segment. `bench deliveries` compares its deliveries to webhooks with those of a
//! Node script, and with one webhook of five failing; `bench deliveries-memory` watches it over a million messages.
//! `bench lambda`, which can be given the functions' names, runs their binaries under the Lambda Runtime API beside
//! one that does nothing and one that only publishes, and `bench billed` says what dead webhooks cost there. The
//! targets of the Makefile build what they want.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for the terminal that stops at any fault"
)]

use std::{
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

mod adapters;
mod billed;
mod cloud;
mod deliveries;
mod http;
mod lambda;
mod load;
mod runtime;
mod sink;
mod webhooks;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("webhooks") => webhooks::compare().await,
        Some("deliveries") => deliveries::compare().await,
        Some("deliveries-memory") => deliveries::memory::watch().await,
        Some("lambda") => lambda::measure(&arguments[1..]).await,
        Some("billed") => billed::measure().await,
        Some("sink") => sink::serve().await,
        _ => println!("usage: bench webhooks|deliveries|deliveries-memory|lambda|billed"),
    }
}

/// What was built beside this program.
fn built(name: &str) -> PathBuf {
    std::env::current_exe().unwrap().with_file_name(name)
}

/// The time of the machine's clock, which its processes share.
#[allow(clippy::disallowed_methods, reason = "nothing is tested here")]
fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// The median.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A figure of a process's memory, in MiB (Linux, `/proc/<pid>/status`).
fn memory(process: u32, figure: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(figure)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}
