//! No body makes a provider's mapper panic, and what it makes is what Segment takes, the same each time.

#![no_main]

use std::sync::LazyLock;

use identity_webhook::{Config, Mapping, addresses, explain, map};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use segment::{MAX_MESSAGE_BYTES, Message};

/// 2026-11-21.
const NOW: Timestamp = Timestamp::constant(1_795_219_200, 0);

static CONFIG: LazyLock<Config> = LazyLock::new(|| Config::new("fuzz"));

/// Cognito has no address, but a mapper.
fn providers() -> impl Iterator<Item = &'static str> {
    addresses().into_iter().chain(["cognito"])
}

fuzz_target!(|body: &[u8]| {
    for provider in providers() {
        let Ok(Mapping { messages, ignored, times }) = map(provider, body, &CONFIG, None, NOW) else { continue };
        let again = explain(provider, body, &CONFIG, None, NOW).expect("the same twice");
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
