//! No body makes the mapper panic, and what it makes is what Segment takes, the same each time.

#![no_main]

use identity_webhook::{Config, Mapping, map};
use libfuzzer_sys::fuzz_target;
use segment::{MAX_MESSAGE_BYTES, Message};

fuzz_target!(|body: &[u8]| {
    let config = Config::new("fuzz");
    if let Ok(Mapping::Messages(messages)) = map("fusionauth", body, &config) {
        let Ok(Mapping::Messages(again)) = map("fusionauth", body, &config) else { panic!("not the same twice") };
        for (mapped, again) in messages.iter().zip(&again) {
            let text = mapped.message.as_json();
            assert!(text.len() <= MAX_MESSAGE_BYTES);
            assert_eq!(text, again.message.as_json());
            assert_eq!(Message::from_json(text.as_bytes()).expect("a message").as_json(), text);
        }
    }
});
