//! What the rules of `mappings.toml` cost: from the parsed body of every sample to the checked and encoded messages,
//! for each event in it. Beside it the floor that no mapper can get under: parsing the body.
//!
//! `cargo bench -p identity-webhook --no-default-features --bench mapping`, with `-- create` for the samples with that
//! in their names.

use std::{error::Error, hint::black_box, time::Instant};

use identity_webhook::{Config, Mappings, addresses, map};
use segment::json;

/// Of several rounds the fastest counts: noise only ever adds.
const ROUNDS: usize = 7;
const BODIES: usize = 2_000;

#[allow(clippy::print_stdout, reason = "the table is what a benchmark is for")]
fn main() -> Result<(), Box<dyn Error>> {
    let config = Config::new("bench");
    let folder = format!("{}/../../events/identity-webhook/bodies", env!("CARGO_MANIFEST_DIR"));
    let mut files = std::fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>, std::io::Error>>()?;
    files.sort();
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    files.retain(|file| file.to_string_lossy().contains(&wanted));
    println!("{:<46} {:>7} {:>7} {:>10} {:>12}", "body", "bytes", "events", "parse, µs", "µs an event");
    let mut worst: f64 = 0.0;
    for file in files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let provider = addresses().into_iter().find(|address| name.starts_with(&address.replace('/', ".")));
        let (Some(provider), body) = (provider, std::fs::read(&file)?) else { continue };
        let mapping = map(provider, &body, &config, None)?;
        let events = mapping.messages.len().max(1).max(mapping.ignored.len());
        let parse = fastest(|| drop(black_box(json::parse(&body))));
        let whole = fastest(|| drop(black_box(map(provider, &body, &config, None))));
        let each = (whole - parse).max(0.0) / events as f64;
        worst = worst.max(each);
        println!("{name:<46} {:>7} {events:>7} {parse:>10.1} {each:>12.1}", body.len());
    }
    let read = fastest(|| drop(black_box(Mappings::with("mine.toml", ""))));
    println!("\nThe most: {worst:.1} µs an event. Reading mappings.toml: {read:.0} µs.");
    Ok(())
}

/// Microseconds for one `work`.
fn fastest(work: impl Fn()) -> f64 {
    let round = || {
        let begin = Instant::now();
        (0..BODIES).for_each(|_| work());
        begin.elapsed().as_secs_f64() * 1e6 / BODIES as f64
    };
    (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min)
}
