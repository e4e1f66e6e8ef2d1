//! Compares Segue with the software that it replaces, in the same run: machines differ, ratios do not.
//!
//! `bench webhooks` compares `segue serve` with the Node adapter of FusionAuth's guide, with the same signed
//! webhooks and the same fake of Segment. `bench deliveries` compares its deliveries to webhooks with those
//! of a Node script, also while one webhook of five fails. `bench deliveries-memory` watches it over a
//! million messages. `bench nginx` compares it with the limit that this machine sets. `bench peers` compares
//! it with qhook, also killed and on a full disk. `bench restart` restarts it with a million messages waiting. `bench warehouse` writes
//! into PostgreSQL beside the ways in which others do.
//! `bench lambda` runs the functions' binaries under the Lambda Runtime API, beside one that does nothing and
//! one that only publishes; it can be given the functions' names. `bench billed` measures the cost of dead
//! webhooks there. The Makefile's targets build the binaries that they need.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for the terminal that stops at any fault"
)]
// `bench peers` fills disks with the crate `faults`, which works on Linux only.
#![cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "`bench peers` uses it"))]

use std::{
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

mod adapters;
mod billed;
mod cloud;
mod deliveries;
mod forwarding;
mod http;
mod lambda;
mod load;
mod logins;
mod nginx;
#[cfg(target_os = "linux")]
mod peers;
mod restart;
mod runtime;
mod sink;
mod warehouse;
mod webhooks;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("webhooks") => webhooks::compare().await,
        Some("deliveries") => deliveries::compare().await,
        Some("deliveries-memory") => deliveries::memory::watch().await,
        #[cfg(target_os = "linux")]
        Some("peers") => peers::compare().await,
        Some("nginx") => nginx::compare().await,
        Some("restart") => restart::measure(&arguments[1..]).await,
        Some("warehouse") => warehouse::compare(&arguments[1..]).await,
        Some("lambda") => lambda::measure(&arguments[1..]).await,
        Some("billed") => billed::measure().await,
        Some("sink") => sink::serve(false).await,
        Some("closed-sink") => sink::serve(true).await,
        _ => println!(
            "usage: bench webhooks|deliveries|deliveries-memory|peers|nginx|restart|warehouse|lambda|billed"
        ),
    }
}

/// Returns the path of a binary that was built beside this program.
fn built(name: &str) -> PathBuf {
    std::env::current_exe().unwrap().with_file_name(name)
}

/// Returns the time of the machine's clock, which its processes share.
#[allow(clippy::disallowed_methods, reason = "nothing is tested here")]
fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// Returns the median.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Returns a figure of a process's memory, in MiB (Linux, `/proc/<pid>/status`).
fn memory(process: u32, figure: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(figure)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}
