//! Measures the rules of the built-in files: from the parsed body of every sample to the checked and encoded
//! messages, for each event in it. Also measures parsing the body, which no mapper can avoid.
//!
//! Run `cargo bench -p identity`. Add `-- create` for the samples with `create` in their names.

use std::{error::Error, hint::black_box};

use identity::{Config, MapError, Mapper, Mapping, Mappings, Provider};
use jiff::Timestamp;
use segment::json;
use testkit::fastest;

/// 2026-11-21.
const NOW: Timestamp = Timestamp::constant(1_795_219_200, 0);

/// The number of bodies in a round.
const BODIES: usize = 2_000;

#[allow(clippy::print_stdout, reason = "a benchmark prints its table")]
fn main() -> Result<(), Box<dyn Error>> {
    let config = Config::new("bench");
    let mapper = Mapper::new(&config, None, NOW);
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
        let provider = config
            .providers()
            .webhooks()
            .find(|provider| name.starts_with(&format!("{}.", provider.route.replace('/', "."))));
        let (Some(provider), body) = (provider, std::fs::read(&file)?) else { continue };
        map(&mapper, provider, &body)?;
        let events = events(&body);
        let parse = fastest(BODIES, || drop(black_box(json::parse(&body))));
        let whole = fastest(BODIES, || drop(black_box(map(&mapper, provider, &body))));
        let each = (whole - parse).max(0.0) / events as f64;
        worst = worst.max(each);
        println!("{name:<46} {:>7} {events:>7} {parse:>10.1} {each:>12.1}", body.len());
    }
    let file = include_str!("../../../events/provider-files/acme.toml");
    // A protection is checked against the rules of every provider.
    let protection = "fields.'traits.email' = 'hash'";
    let [file, protection] = [file, protection]
        .map(|text| fastest(BODIES / 10, || drop(black_box(Mappings::with("mine.toml", text)))));
    println!("\nThe most: {worst:.1} µs an event.");
    println!("Reading a provider's file: {file:.0} µs; a mapping that protects a field: {protection:.0} µs.");
    Ok(())
}

fn map(mapper: &Mapper<'_>, provider: &'static Provider, body: &[u8]) -> Result<Mapping, MapError> {
    mapper.map(provider.read(body)?.events()?)
}

/// Returns the number of events in a body: in an array, in a provider's wrapper around one, one a line, or
/// the body itself.
fn events(body: &[u8]) -> usize {
    let Ok(document) = json::parse(body) else {
        return body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
    };
    let places = [Some(&document), document.get("logs"), document.pointer("/data/events")];
    places.into_iter().flatten().find_map(|place| Some(place.as_array()?.len())).unwrap_or(1)
}
