//! The context of a run: the clock, the signals that stop it, and the progress on the screen.

use std::{future::Future, io, process, time::Duration};

use platform::clock::{SharedClock, SteadyClock};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use super::{pace::Retries, progress::Progress};
use crate::error::CommandError;

/// The clock, the stop signal and the progress of a run. Cloning it is cheap.
#[derive(Clone)]
pub struct Context {
    /// The clock.
    pub clock: SharedClock,
    /// Tells when to stop.
    pub stop: Stop,
    /// The progress on the screen.
    pub progress: Progress,
}

impl Context {
    /// Returns a context with the machine's clock and signals.
    pub fn new() -> io::Result<Self> {
        let clock = SteadyClock::shared();
        Ok(Self { clock, stop: Stop::on_signals()?, progress: Progress::new() })
    }

    /// Waits before the next attempt after a failure, and prints that unless the wait is short. `answered`
    /// tells whether the server answered at all. `after` is the wait that it asked for.
    ///
    /// # Errors
    /// A sentence when it has failed for too long, or [`Stopped`].
    pub async fn back_off(
        &self,
        retries: &mut Retries,
        (problem, answered, after): (String, bool, Option<Duration>),
        advice: &str,
    ) -> Result<(), CommandError> {
        let wait = retries.failed(self.clock.steady(), answered, after, fastrand::f64());
        let attempts = retries.failures();
        let Some(wait) = wait else {
            let give_up =
                format!("{problem}, after {attempts} attempts; {advice}, then run the same command again");
            return Err(give_up.into());
        };
        if attempts > 1 || wait.as_secs() > 1 {
            self.progress.say(&format!("{problem}; retrying in {:.1} s.", wait.as_secs_f64()));
        }
        Ok(self.stop.unless(self.clock.sleep(wait)).await?)
    }
}

/// The exit code of an interrupted run: 128 plus the number of SIGINT, as shells report it.
pub const INTERRUPTED: u8 = 130;

/// Tells whether the run is to stop.
#[derive(Clone)]
pub struct Stop(watch::Receiver<bool>);

/// The run is to stop.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub struct Stopped;

impl Stop {
    /// Listens for SIGINT and SIGTERM. A second signal ends the process at once.
    pub fn on_signals() -> io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if stop.send_replace(true) {
                    process::exit(INTERRUPTED.into());
                }
            }
        });
        Ok(Self(stopped))
    }

    /// Waits for `work`, and drops it when the run is to stop.
    ///
    /// # Errors
    /// [`Stopped`] when `work` was dropped.
    pub async fn unless<T>(&self, work: impl Future<Output = T>) -> Result<T, Stopped> {
        let mut stopped = self.0.clone();
        tokio::select! {
            biased;
            Ok(_) = stopped.wait_for(|stop| *stop) => Err(Stopped),
            done = work => Ok(done),
        }
    }
}
