//! No mapping and no provider's file makes Segue panic. It is either refused with positions that exist in it, or it can be
//! applied.

#![no_main]

use identity::{Config, HashKey, Mapper, Mappings};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

/// 2026-11-21.
const NOW: Timestamp = Timestamp::constant(1_795_219_200, 0);

const BODIES: [&[u8]; 5] = [
    include_bytes!("../../../../events/provider-files/acme/user.created.json"),
    include_bytes!("../../../../events/identity-webhook/bodies/fusionauth.user.update.complete.json"),
    include_bytes!("../../../../events/identity-webhook/bodies/auth0.logs.array.json"),
    include_bytes!("../../../../events/identity-webhook/bodies/clerk.user.created.json"),
    include_bytes!("../../../../events/identity-webhook/bodies/okta.login-and-failure.json"),
];

fuzz_target!(|text: &str| {
    let mut config = Config::new("fuzz");
    config.mappings = match Mappings::with("fuzz.toml", text) {
        Ok(mappings) => mappings,
        Err(error) => {
            let lines = text.lines().count().max(1) + 1;
            for fault in error.to_string().lines().filter(|line| line.starts_with("fuzz.toml:")) {
                let line: usize = fault.split(':').nth(1).expect("a line").parse().expect("a number");
                assert!((1..=lines).contains(&line), "{fault}");
            }
            return;
        }
    };
    let key = HashKey::new("fuzz");
    let mapper = Mapper::new(&config, Some(&key), NOW);
    for (provider, body) in config.providers().webhooks().flat_map(|provider| BODIES.map(|body| (provider, body))) {
        let mapping = provider.read(body).and_then(|body| mapper.map(body.events()?));
        let Ok(mapping) = mapping else { continue };
        for mapped in mapping.messages {
            assert!(!mapped.message.as_json().contains("never-send"), "{}", mapped.message.as_json());
        }
    }
});
