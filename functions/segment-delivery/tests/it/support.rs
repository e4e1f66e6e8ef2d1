//! The test world around the destination.

use std::{sync::Arc, time::Duration};

use platform::{
    clock::{Clock, HeldClock},
    secrets::{CachedSecret, StaticSecret},
    write_keys::WriteKeys,
};
use segment::{Client, Secret};
use segment_delivery::{Pace, SegmentDestination};
use testkit::FakeServer;

pub type World = testkit::World<SegmentDestination>;

/// Returns a destination that sends to `fake`, with two write keys.
pub fn destination(fake: &FakeServer, clock: &Arc<HeldClock>) -> SegmentDestination {
    let keys = StaticSecret(Secret::new(r#"{"default":"k1","shop":"k2"}"#));
    let keys = Arc::new(CachedSecret::new(keys, WriteKeys::parse, clock.clone()));
    let now = clock.clone();
    let client = Client::new(platform::http::client().unwrap(), fake.url().parse().unwrap())
        .with_deadline(Duration::from_millis(150))
        .with_clock(move || now.now());
    SegmentDestination::new(client, keys, clock.clone())
}

pub fn world(fake: &FakeServer) -> World {
    paced(fake, Pace::default())
}

/// Returns a world whose batches keep this pace.
pub fn paced(fake: &FakeServer, pace: Pace) -> World {
    let fake = fake.clone();
    World::new(move |_, clock| destination(&fake, clock).with_pace(pace))
}

/// Returns a track message with that id.
pub fn track(id: &str) -> String {
    format!(r#"{{"type":"track","userId":"u","event":"e","messageId":"{id}"}}"#)
}
