//! Recording how messages end: the one place that counts, for every function.
//!
//! Each function here writes one `tracing` event of which some fields are named as a metric of [`METRICS`]. On Lambda
//! they become metrics in CloudWatch, and everywhere else a line of the log. Nothing recorded may be personal.
//!
//! A `reason` becomes a dimension, and each value of it a metric that is paid for by the month. So it is a
//! `&'static str`, a short code of ours: nothing that others choose can come in there. What they do choose, such as an
//! event type, is a plain member of the line.

use std::{error::Error, fmt, time::Duration};

use tracing::field::debug;

/// The target of every event that is written here.
pub const TARGET: &str = module_path!();

/// The field that becomes a dimension.
pub const REASON: &str = "Reason";

/// The metric that is also counted without its reason, because an alarm takes no search for all reasons.
pub const DEAD_LETTERED: &str = "DeadLettered";

/// Every metric with its unit, in CloudWatch's words.
pub const METRICS: [(&str, &str); 10] = [
    ("Accepted", "Count"),
    ("Ignored", "Count"),
    ("Rejected", "Count"),
    ("Corrected", "Count"),
    ("Delivered", "Count"),
    ("Retried", "Count"),
    (DEAD_LETTERED, "Count"),
    ("DeliveryTime", "Milliseconds"),
    ("MessageAge", "Seconds"),
    ("ColdStarts", "Count"),
];

/// The most values of one metric that CloudWatch takes from a line.
const MAX_VALUES: usize = 100;

/// Messages were published to the topic. `kind` says which, such as the event type that they were made from.
pub fn accepted(kind: &str, count: usize) {
    tracing::info!(Accepted = count, kind, "Messages were published.");
}

/// What came in was understood and authentic, and of no interest.
pub fn ignored(reason: &'static str, count: usize) {
    tracing::info!(Ignored = count, Reason = reason, "Messages were ignored.");
}

/// What came in was refused with a 4xx, or with a 503 as it could not be stored.
pub fn rejected(reason: &'static str, count: usize) {
    tracing::warn!(Rejected = count, Reason = reason, "Messages were rejected.");
}

/// Messages were taken whose time is not believed; they have the time of receipt.
pub fn corrected(reason: &'static str, count: usize) {
    tracing::warn!(
        Corrected = count,
        Reason = reason,
        "Messages got the time of receipt in place of their own."
    );
}

/// The destination `to` took messages. `times` says of each how long that took since it entered its queue, where it
/// came through one.
///
/// Of more than 100 times an even sample is recorded, from the shortest to the longest: enough for the percentiles.
pub fn delivered(to: &str, count: usize, times: Vec<Duration>) {
    let times = (!times.is_empty()).then(|| debug(sample(times)));
    tracing::info!(Delivered = count, DeliveryTime = times, to, "Messages were delivered.");
}

/// Attempts failed that are made again later.
pub fn retried(reason: &'static str, count: usize) {
    tracing::warn!(Retried = count, Reason = reason, "Messages are tried again.");
}

/// Messages went to the dead-letter queue.
pub fn dead_lettered(reason: &'static str, count: usize) {
    tracing::warn!(DeadLettered = count, Reason = reason, "Messages went to the dead-letter queue.");
}

/// The oldest message that was put back into its queue entered it this long ago; recorded in whole seconds.
///
/// The queue does not know: a message that waits is sent to it anew, so SQS's own `ApproximateAgeOfOldestMessage`
/// starts over each time and would never reach a quarter of an hour, however long an outage takes.
pub fn put_back(oldest: Duration) {
    tracing::info!(MessageAge = oldest.as_secs(), "Messages were put back.");
}

/// An execution environment started.
pub fn started() {
    tracing::info!(ColdStarts = 1_u64, "The function starts.");
}

/// So many of the times, in milliseconds, as one line may have.
fn sample(mut times: Vec<Duration>) -> Vec<u64> {
    times.sort_unstable();
    let count = times.len().min(MAX_VALUES);
    let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    (1..=count).map(|nth| milliseconds(times[nth * times.len() / count - 1])).collect()
}

/// Prints an error with its causes, as logs want it: `the call failed: dispatch failure: timeout`.
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
    fn up_to_100_times_are_all_recorded_and_of_more_an_even_sample_with_the_longest() {
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
