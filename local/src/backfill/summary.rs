//! How the users ended, so that none is unaccounted for: read is sent, skipped and refused. At the end a JSON object on
//! standard output says it for programs, and sentences on standard error for people.

use std::{collections::BTreeMap, path::Path, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::progress::{Progress, thousands};

/// How many users, or events of the event log, ended in which way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All of them.
    pub read: u64,
    /// Segment took every message of theirs.
    pub sent: u64,
    /// The messages that Segment took.
    pub messages: u64,
    /// There was nothing to send, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// They cannot be sent, by reason. Each is in the file of the refused.
    pub refused: BTreeMap<String, u64>,
}

impl Counts {
    /// One more for which there was nothing to send.
    pub fn skip(&mut self, reason: &str) {
        *self.skipped.entry(reason.to_owned()).or_default() += 1;
    }

    /// One more that cannot be sent.
    pub fn refuse(&mut self, reason: &str) {
        *self.refused.entry(reason.to_owned()).or_default() += 1;
    }

    /// How many cannot be sent.
    pub fn refused(&self) -> u64 {
        self.refused.values().sum()
    }

    /// Adds those of a batch.
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
pub enum End {
    /// There is nothing left.
    Finished,
    /// An earlier run had finished already.
    WasFinished,
    /// As many were sent as `--limit` says.
    Limit,
    /// Ctrl-C or SIGTERM.
    Interrupted,
    /// An error, which is said apart.
    Failed,
}

/// What there is to say.
pub struct Summary<'a> {
    /// What was backfilled.
    pub what: &'a str,
    /// How it ended.
    pub end: End,
    /// Whether nothing was sent.
    pub dry_run: bool,
    /// Of all runs together.
    pub all: &'a Counts,
    /// Of this run.
    pub this_run: &'a Counts,
    /// How long this run took.
    pub took: Duration,
    /// Where those are that cannot be sent.
    pub refused_file: Option<&'a Path>,
}

impl Summary<'_> {
    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "what": self.what,
            "finished": matches!(self.end, End::Finished | End::WasFinished),
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

    /// For people.
    pub fn say(&self, progress: &Progress) {
        let sent = if self.dry_run { "would be sent" } else { "sent" };
        let mut text =
            format!("{}: {} read, {} {sent}", self.what, thousands(self.all.read), thousands(self.all.sent));
        for (what, by_reason) in [("skipped", &self.all.skipped), ("refused", &self.all.refused)] {
            if !by_reason.is_empty() {
                text += &format!(", {} {what} ({})", thousands(by_reason.values().sum()), reasons(by_reason));
            }
        }
        if self.this_run.read < self.all.read {
            text += &format!("; {} of them read in this run", thousands(self.this_run.read));
        }
        let (seconds, rate) = (self.took.as_secs_f64(), self.per_second());
        progress.say(&format!("{text}, in {seconds:.1} s ({rate:.0}/s)."));
        if let Some(path) = self.refused_file {
            progress.say(&format!("The refused are in {}, each with the reason.", path.display()));
        }
        match self.end {
            End::Finished if !self.dry_run => progress.say("Finished."),
            End::WasFinished => progress.say("That was finished before; --restart sends everything again."),
            End::Limit if !self.dry_run => {
                progress.say("--limit is reached; the same command goes on from here.");
            }
            End::Interrupted if !self.dry_run => {
                progress.say("Interrupted; the same command goes on from here.");
            }
            _ => {}
        }
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
}
