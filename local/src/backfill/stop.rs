//! Ctrl-C and SIGTERM: an end at a place from which the next run goes on.

use std::{fmt, future::Future, io, process};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// The exit code of a run that was interrupted: 128 and the number of SIGINT, as shells have it.
pub const INTERRUPTED: u8 = 130;

/// Tells whether the run shall end.
#[derive(Clone)]
pub struct Stop(watch::Receiver<bool>);

/// The run shall end.
#[derive(Debug)]
pub struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("interrupted")
    }
}

impl std::error::Error for Stopped {}

impl Stop {
    /// Listens to both signals. A second one ends the process at once.
    ///
    /// # Errors
    /// When signals cannot be listened to.
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
