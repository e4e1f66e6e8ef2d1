//! The surroundings of a run: the time, Ctrl-C and SIGTERM, and a person who looks on.

use std::{future::Future, io, process, time::Duration};

use platform::clock::{SharedClock, SteadyClock};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use super::{pace::Patience, progress::Progress};
use crate::error::CommandError;

/// Everything that a run needs beside its source. Cloning it is cheap.
#[derive(Clone)]
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
    pub fn new() -> io::Result<Self> {
        let clock = SteadyClock::shared();
        Ok(Self { clock, stop: Stop::on_signals()?, progress: Progress::new() })
    }

    /// Waits before the next attempt at a side that failed, and says so unless it is short. `answered` says whether there was an
    /// answer at all, `after` how long it asked to wait.
    ///
    /// # Errors
    /// A sentence when it has failed for too long, or [`Stopped`].
    pub async fn try_again(
        &self,
        patience: &mut Patience,
        (problem, answered, after): (String, bool, Option<Duration>),
        advice: &str,
    ) -> Result<(), CommandError> {
        let wait = patience.failed(self.clock.steady(), answered, after, fastrand::f64());
        let attempts = patience.failures();
        let Some(wait) = wait else {
            let give_up =
                format!("{problem}, after {attempts} attempts; {advice}, then the same command goes on");
            return Err(give_up.into());
        };
        if attempts > 1 || wait.as_secs() > 1 {
            self.progress.say(&format!("{problem}; trying again in {:.1} s.", wait.as_secs_f64()));
        }
        Ok(self.stop.unless(self.clock.sleep(wait)).await?)
    }
}

/// The exit code of a run that was interrupted: 128 and the number of SIGINT, as shells have it.
pub const INTERRUPTED: u8 = 130;

/// Tells whether the run shall end.
#[derive(Clone)]
pub struct Stop(watch::Receiver<bool>);

/// The run shall end.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub struct Stopped;

impl Stop {
    /// Listens to both signals. A second one ends the process at once.
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

    /// Waits for `work`, unless the run shall end before that: then `work` is given up.
    ///
    /// # Errors
    /// [`Stopped`] when it was given up.
    pub async fn unless<T>(&self, work: impl Future<Output = T>) -> Result<T, Stopped> {
        let mut stopped = self.0.clone();
        tokio::select! {
            biased;
            Ok(_) = stopped.wait_for(|stop| *stop) => Err(Stopped),
            done = work => Ok(done),
        }
    }
}
