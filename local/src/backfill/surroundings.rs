//! What a run has around it.

use std::io;

use platform::clock::{SharedClock, SteadyClock};

use super::{progress::Progress, stop::Stop};

/// What every run has beside its source.
pub struct Surroundings {
    /// The time.
    pub clock: SharedClock,
    /// When to end.
    pub stop: Stop,
    /// What a person sees.
    pub progress: Progress,
}

impl Surroundings {
    /// The machine's.
    ///
    /// # Errors
    /// When signals cannot be listened to.
    pub fn new() -> io::Result<Self> {
        let clock = SteadyClock::shared();
        Ok(Self { clock, stop: Stop::on_signals()?, progress: Progress::new() })
    }
}
