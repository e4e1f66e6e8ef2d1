//! No body makes a provider's mapper panic. Segment takes every mapped message, and mapping twice gives the
//! same result.

#![no_main]

use std::sync::LazyLock;

use identity::{Config, Mapper, Mapping};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use segment::{MAX_MESSAGE_BYTES, Message};

/// 2026-11-21.
const NOW: Timestamp = Timestamp::constant(1_795_219_200, 0);

static CONFIG: LazyLock<Config> = LazyLock::new(|| Config::new("fuzz"));

fuzz_target!(|body: &[u8]| {
    let mapper = Mapper::new(&CONFIG, None, NOW);
    for provider in CONFIG.providers().all() {
        let Ok(body) = provider.read(body) else { continue };
        let mapping = body.events().and_then(|events| mapper.map(events));
        let Ok(Mapping { messages, ignored, times }) = mapping else { continue };
        let again = body.events().and_then(|events| mapper.explain(events)).expect("the same twice");
        assert_eq!((ignored, times), (again.ignored, again.times));
        assert_eq!(messages.len(), again.messages.len());
        for (mapped, again) in messages.iter().zip(&again.messages) {
            let text = mapped.message.as_json();
            assert!(text.len() <= MAX_MESSAGE_BYTES);
            assert_eq!(text, again.message.as_json());
            assert_eq!(Message::from_json(text.as_bytes()).expect("a message").as_json(), text);
        }
    }
});
