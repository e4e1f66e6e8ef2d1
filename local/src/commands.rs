//! The small commands. The large ones have rooms of their own.

pub mod completions;
pub mod map;
pub mod redrive;
pub mod rejected;
pub mod secret;
pub mod tail;
pub mod track_event;
