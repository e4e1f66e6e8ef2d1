//! The small commands. `serve`, `backfill` and `doctor` have their own folders.

pub mod completions;
pub mod map;
pub mod provider;
pub mod redrive;
pub mod rejected;
pub mod secret;
pub mod tail;
pub mod track_event;
pub mod warehouse;
