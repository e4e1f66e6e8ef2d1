//! Records how messages end. Every function counts through this module.
//!
//! Each function here writes one `tracing` event. Fields that are named in [`METRICS`] become metrics in
//! CloudWatch on Lambda; everywhere else they are in a line of the log. Personal data must not be recorded.
//!
//! A `reason` becomes a dimension, and each of its values becomes a metric that costs money every month. So
//! it is a `&'static str`, one of Segue's short codes: senders cannot choose it. Values that senders do
//! choose, such as an event type, are plain members of the line.

use std::{error::Error, fmt, time::Duration};

use tracing::field::debug;

/// The target of every event in this module.
pub const TARGET: &str = module_path!();

/// The field that becomes a dimension.
pub const REASON: &str = "Reason";

/// The metrics that are also counted without their reasons: an alarm cannot search all reasons.
pub const TOTALED: [&str; 2] = ["DeadLettered", "Discarded"];

/// Every metric with its unit, in CloudWatch's words.
pub const METRICS: [(&str, &str); 11] = [
    ("Accepted", "Count"),
    ("Ignored", "Count"),
    ("Rejected", "Count"),
    ("Corrected", "Count"),
    ("Delivered", "Count"),
    ("Discarded", "Count"),
    ("Retried", "Count"),
    ("DeadLettered", "Count"),
    ("DeliveryTime", "Milliseconds"),
    ("MessageAge", "Seconds"),
    ("ColdStarts", "Count"),
];

/// The most values of one metric that CloudWatch takes from a line.
const MAX_VALUES: usize = 100;

/// Records messages that were published to the topic. `kind` is the type of their origin, such as the
/// provider's event type.
pub fn accepted(kind: &str, count: usize) {
    tracing::info!(Accepted = count, kind, "Messages were published.");
}

/// Records requests or messages that are valid but of no interest.
pub fn ignored(reason: &'static str, count: usize) {
    tracing::info!(Ignored = count, Reason = reason, "Messages were ignored.");
}

/// Records requests or messages that were refused with a 4xx, or with a 503 because they could not be stored.
pub fn rejected(reason: &'static str, count: usize) {
    tracing::warn!(Rejected = count, Reason = reason, "Messages were rejected.");
}

/// Records messages whose time is not plausible and was replaced by the time of receipt.
pub fn corrected(reason: &'static str, count: usize) {
    tracing::warn!(
        Corrected = count,
        Reason = reason,
        "Messages got the time of receipt in place of their own."
    );
}

/// Records messages that the destination `to` took. `times` holds, for each message that came through a
/// queue, the time since it entered the queue.
///
/// From more than 100 times an even sample is recorded, with the shortest and the longest: enough for the
/// percentiles.
pub fn delivered(to: &str, count: usize, times: Vec<Duration>) {
    let times = (!times.is_empty()).then(|| debug(sample(times)));
    tracing::info!(Delivered = count, DeliveryTime = times, to, "Messages were delivered.");
}

/// Records values that have no place in their row. They are kept in a table of their own.
pub fn discarded(reason: &'static str, count: usize) {
    tracing::warn!(
        Discarded = count,
        Reason = reason,
        "Values were discarded; see the table segue_discards."
    );
}

/// Records failed attempts that are made again later.
pub fn retried(reason: &'static str, count: usize) {
    tracing::warn!(Retried = count, Reason = reason, "Messages are tried again.");
}

/// Records messages that went to the dead-letter queue.
pub fn dead_lettered(reason: &'static str, count: usize) {
    tracing::warn!(DeadLettered = count, Reason = reason, "Messages went to the dead-letter queue.");
}

/// Records the age of the oldest message that was put back into its queue, in whole seconds.
///
/// The queue does not know this age. A waiting message is sent to it again, so SQS's own
/// `ApproximateAgeOfOldestMessage` starts over each time. It would never reach 15 minutes, however long an
/// outage takes.
pub fn put_back(oldest: Duration) {
    tracing::info!(MessageAge = oldest.as_secs(), "Messages were put back.");
}

/// Records the start of an execution environment.
pub fn started() {
    tracing::info!(ColdStarts = 1_u64, "The function starts.");
}

/// Returns as many of the times, in milliseconds, as fit in one line.
fn sample(mut times: Vec<Duration>) -> Vec<u64> {
    times.sort_unstable();
    let count = times.len().min(MAX_VALUES);
    let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    (1..=count).map(|nth| milliseconds(times[nth * times.len() / count - 1])).collect()
}

/// Prints an error with its causes for the log: `the call failed: dispatch failure: timeout`.
pub struct Chain<'a>(pub &'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(formatter, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topic::PublishError;

    fn sampled(count: u64) -> Vec<u64> {
        sample((1..=count).rev().map(Duration::from_millis).collect())
    }

    #[test]
    fn up_to_100_times_are_all_recorded_and_more_are_sampled_evenly_with_the_longest() {
        assert!(sampled(0).is_empty());
        assert_eq!(sampled(3), [1, 2, 3]);
        for count in [100, 101, 150, 199, 200, 2_500, 10_000] {
            let sampled = sampled(count);
            assert_eq!(sampled.len(), 100, "{count}");
            assert!(sampled.is_sorted_by(|a, b| a < b), "{count}: none twice");
            assert_eq!(
                (sampled[49], sampled[98], sampled[99]),
                (count / 2, count * 99 / 100, count),
                "{count}"
            );
        }
    }

    #[test]
    fn a_chain_names_every_cause() {
        let error = PublishError(Box::new(PublishError("the disk is full".into())));
        assert_eq!(
            Chain(&error).to_string(),
            "the message topic did not take the messages: the message topic did not take the messages: the disk is full"
        );
    }
}
