//! The progress of a run on standard error: a bar in a terminal, otherwise a line now and then.

use std::{
    io::IsTerminal,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::console::{logging::LogFormat, output};

/// How often a line is written where there is no terminal.
const EVERY: Duration = Duration::from_secs(10);

/// Shows the progress. Cloning it is cheap.
#[derive(Clone)]
pub struct Progress(Arc<Mutex<Inner>>);

struct Inner {
    bar: Option<ProgressBar>,
    started: Instant,
    said: Instant,
    /// How much of the source was done after the first batch of this run, and when.
    first: Option<(u64, Instant)>,
}

impl Progress {
    /// Returns a bar if standard error is a terminal.
    pub fn new() -> Self {
        let draws = std::io::stderr().is_terminal() && matches!(output::format(), LogFormat::Text);
        let bar = draws.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5));
            bar.set_style(style());
            bar
        });
        let now = Instant::now();
        Self(Arc::new(Mutex::new(Inner { bar, started: now, said: now, first: None })))
    }

    /// Prints a sentence above the bar.
    pub fn say(&self, sentence: &str) {
        match &self.inner().bar {
            Some(bar) => bar.suspend(|| output::note(sentence)),
            None => output::note(sentence),
        }
    }

    /// Shows that this much of the source is `done`, of a total if that is known, and that this run has read
    /// `users`.
    pub fn update(&self, done: u64, total: Option<u64>, users: u64) {
        let mut inner = self.inner();
        let (before, since) = *inner.first.get_or_insert_with(|| (done, Instant::now()));
        let rate = users as f64 / inner.started.elapsed().as_secs_f64().max(0.001);
        let left = total.and_then(|total| left(done, total, before, since.elapsed().as_secs_f64()));
        let left = left.map_or(String::new(), |left| format!(", {left} left"));
        let text = format!("{} read, {rate:.0}/s{left}", thousands(users));
        if let Some(bar) = &inner.bar {
            if let Some(total) = total {
                bar.set_length(total.max(done));
            }
            bar.set_position(done);
            bar.set_message(text);
        } else if inner.said.elapsed() >= EVERY {
            inner.said = Instant::now();
            drop(inner);
            let percent = total.filter(|total| *total > 0);
            let percent =
                percent.map_or(String::new(), |total| format!("{} %: ", done.min(total) * 100 / total));
            self.say(&format!("{percent}{text}."));
        }
    }

    /// Removes the bar.
    pub fn end(&self) {
        if let Some(bar) = self.inner().bar.take() {
            bar.finish_and_clear();
        }
    }

    /// How long the run has taken.
    pub fn elapsed(&self) -> Duration {
        self.inner().started.elapsed()
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:30} {percent:>3} % {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Estimates the time left at the speed of this run, which was at `before` in the source `elapsed` seconds
/// ago.
fn left(done: u64, total: u64, before: u64, elapsed: f64) -> Option<String> {
    let progress = done.checked_sub(before).filter(|progress| *progress > 0)?;
    let seconds = total.saturating_sub(done) as f64 * elapsed / progress as f64;
    let seconds = seconds.round() as u64;
    Some(match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    })
}

/// Writes a number with commas between thousands.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).unwrap_or_default())
        .collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas_between_thousands() {
        for (number, expected) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), expected);
        }
    }

    #[test]
    fn the_time_left_depends_on_this_runs_speed_alone() {
        assert_eq!(left(500, 1_000, 500, 10.0), None);
        assert_eq!(left(600, 1_000, 500, 10.0).as_deref(), Some("40 s"));
        assert_eq!(left(501, 1_000, 500, 10.0).as_deref(), Some("1 h 23 min"));
        assert_eq!(left(1_000, 1_000, 500, 10.0).as_deref(), Some("0 s"));
        assert_eq!(left(1_100, 1_000, 500, 10.0).as_deref(), Some("0 s"));
    }
}
