//! Measures Segue beside what it replaces, in the same run: machines differ, ratios do not.
//!
//! `bench webhooks` compares `segue serve` with the Node adapter of FusionAuth's guide: the same signed
//! webhooks, the same stand-in for Segment. It wants `target/release/segue` and `tests/bench/node/node_modules`;
//! `make bench` makes both.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program for the terminal that stops at any fault")]

mod adapters;
mod load;
mod sink;
mod webhooks;

#[tokio::main]
async fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("webhooks") => webhooks::compare().await,
        Some("sink") => sink::serve().await,
        _ => println!("usage: bench webhooks"),
    }
}
