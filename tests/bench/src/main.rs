//! Measures Segue beside what it replaces, in the same run: machines differ, ratios do not.
//!
//! `bench webhooks` compares `segue serve` with the Node adapter of FusionAuth's guide: the same signed
//! webhooks, the same stand-in for Segment. `bench lambda` runs the functions' binaries under the Lambda Runtime
//! API beside one that does nothing. `make bench` builds what they want and runs both.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for the terminal that stops at any fault"
)]

mod adapters;
mod cloud;
mod http;
mod lambda;
mod load;
mod runtime;
mod sink;
mod webhooks;

#[tokio::main]
async fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("webhooks") => webhooks::compare().await,
        Some("lambda") => lambda::measure().await,
        Some("sink") => sink::serve().await,
        _ => println!("usage: bench webhooks|lambda"),
    }
}

/// A figure of a process's memory, in MiB (Linux, `/proc/<pid>/status`).
fn memory(process: u32, figure: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(figure)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}
