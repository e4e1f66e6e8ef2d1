//! The summary of a run. It accounts for each user: read = sent + skipped + refused. Programs get it as a
//! JSON object on standard output, people as sentences on standard error.

use std::{collections::BTreeMap, path::Path, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::progress::{Progress, thousands};

/// The shortest run whose rate is printed.
const RATE_AFTER: Duration = Duration::from_secs(60);

/// How many users, or events of the event log, were sent, skipped and refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All users.
    pub read: u64,
    /// Users whose messages Segment accepted.
    pub sent: u64,
    /// Messages that Segment accepted.
    pub messages: u64,
    /// Users with nothing to send, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Users that cannot be sent, by reason. Each is in the file of refused users.
    pub refused: BTreeMap<String, u64>,
}

impl Counts {
    /// Counts one more user with nothing to send.
    pub fn skip(&mut self, reason: &str) {
        *self.skipped.entry(reason.to_owned()).or_default() += 1;
    }

    /// Counts one more user that cannot be sent.
    pub fn refuse(&mut self, reason: &str) {
        *self.refused.entry(reason.to_owned()).or_default() += 1;
    }

    /// Returns how many users cannot be sent.
    pub fn refused(&self) -> u64 {
        self.refused.values().sum()
    }

    /// Adds the counts of a batch.
    pub fn add(&mut self, other: &Self) {
        self.read += other.read;
        self.sent += other.sent;
        self.messages += other.messages;
        for (all, some) in [(&mut self.skipped, &other.skipped), (&mut self.refused, &other.refused)] {
            for (reason, count) in some {
                *all.entry(reason.clone()).or_default() += count;
            }
        }
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunOutcome {
    /// All users are done.
    Finished,
    /// An earlier run had finished already.
    AlreadyFinished,
    /// As many users were sent as `--limit` allows.
    LimitReached,
    /// Ctrl-C or SIGTERM.
    Interrupted,
    /// An error, which is printed separately.
    Failed,
}

/// The summary of a run.
pub struct Summary<'a> {
    /// A name for the backfill.
    pub what: &'a str,
    /// How the run ended.
    pub outcome: RunOutcome,
    /// Whether this is a dry run.
    pub dry_run: bool,
    /// The counts of all runs together.
    pub all: &'a Counts,
    /// The counts of this run.
    pub this_run: &'a Counts,
    /// How long this run took.
    pub took: Duration,
    /// The file of refused users, if there are any.
    pub refused_file: Option<&'a Path>,
}

impl Summary<'_> {
    /// Returns the summary for programs.
    pub fn json(&self) -> Value {
        json!({
            "what": self.what,
            "finished": matches!(self.outcome, RunOutcome::Finished | RunOutcome::AlreadyFinished),
            "dryRun": self.dry_run,
            "read": self.all.read,
            "sent": self.all.sent,
            "messages": self.all.messages,
            "skipped": self.all.skipped,
            "refused": self.all.refused,
            "refusedFile": self.refused_file,
            "thisRun": {
                "read": self.this_run.read,
                "sent": self.this_run.sent,
                "seconds": (self.took.as_secs_f64() * 10.0).round() / 10.0,
                "perSecond": self.per_second().round(),
            },
        })
    }

    /// Prints the summary for people.
    pub fn say(&self, progress: &Progress) {
        progress.say(&self.sentence());
        if let Some(path) = self.refused_file {
            progress.say(&format!("The refused ones are in {}, each with the reason.", path.display()));
        }
        match self.outcome {
            RunOutcome::Finished if !self.dry_run => progress.say("Finished."),
            RunOutcome::AlreadyFinished => progress
                .say("An earlier run finished this backfill. To send everything again, use --restart."),
            RunOutcome::LimitReached if !self.dry_run => {
                progress
                    .say("The limit is reached. To continue, run the same command again, without --restart.");
            }
            RunOutcome::Interrupted if !self.dry_run => {
                progress.say("Interrupted. Run the same command again to continue.");
            }
            _ => {}
        }
    }

    /// Returns the counts, the time and the rate. A short run has no rate: its first batch does not wait, so
    /// the rate would be well above `--rate`.
    fn sentence(&self) -> String {
        let sent = if self.dry_run { "would be sent" } else { "sent" };
        let mut text = format!("{}: {} read", self.what, thousands(self.all.read));
        if self.this_run.read < self.all.read {
            text += &format!(" ({} in this run)", thousands(self.this_run.read));
        }
        text += &format!(", {} {sent}", thousands(self.all.sent));
        for (what, by_reason) in [("skipped", &self.all.skipped), ("refused", &self.all.refused)] {
            if !by_reason.is_empty() {
                text += &format!(", {} {what} ({})", thousands(by_reason.values().sum()), reasons(by_reason));
            }
        }
        let seconds = self.took.as_secs_f64();
        let rate = match self.took >= RATE_AFTER && !self.dry_run {
            true => format!(" ({:.0} sent per second)", self.this_run.sent as f64 / seconds),
            false => String::new(),
        };
        format!("{text}, in {seconds:.1} s{rate}.")
    }

    fn per_second(&self) -> f64 {
        self.this_run.read as f64 / self.took.as_secs_f64().max(0.001)
    }
}

fn reasons(by_reason: &BTreeMap<String, u64>) -> String {
    let reasons: Vec<String> = by_reason
        .iter()
        .map(|(reason, count)| format!("{}: {}", reason.replace('_', " "), thousands(*count)))
        .collect();
    reasons.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_by_reason() {
        let mut all = Counts { read: 3, sent: 1, messages: 2, ..Counts::default() };
        all.skip("a");
        all.refuse("b");
        let again = all.clone();
        all.add(&again);
        assert_eq!((all.read, all.sent, all.messages, all.skipped["a"], all.refused()), (6, 2, 4, 2, 2));
    }

    #[test]
    fn only_a_long_run_has_a_rate_and_it_counts_sent_users_alone() {
        let counts = Counts { read: 88_000, sent: 57_000, ..Counts::default() };
        let sentence = |seconds, dry_run| {
            let summary = Summary {
                what: "Users of x",
                outcome: RunOutcome::Finished,
                dry_run,
                all: &counts,
                this_run: &counts,
                took: Duration::from_secs(seconds),
                refused_file: None,
            };
            summary.sentence()
        };
        assert_eq!(sentence(59, false), "Users of x: 88,000 read, 57,000 sent, in 59.0 s.");
        assert_eq!(
            sentence(60, false),
            "Users of x: 88,000 read, 57,000 sent, in 60.0 s (950 sent per second)."
        );
        assert_eq!(sentence(60, true), "Users of x: 88,000 read, 57,000 would be sent, in 60.0 s.");
    }
}
