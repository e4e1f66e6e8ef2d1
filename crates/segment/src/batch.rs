//! Batches within Segment's limits.

use std::ops::Range;

/// The largest request body that Segment takes, in bytes (Segment HTTP API docs, "Max request size").
pub const MAX_REQUEST_BYTES: usize = 500 * 1024;

/// The largest batch body that is sent, in bytes. It leaves the same margin below [`MAX_REQUEST_BYTES`] as
/// Segment's Node library.
pub const MAX_BATCH_BYTES: usize = 480 * 1024;

/// The most messages in a batch. Segment answers 200 to a larger batch and drops it (Segment HTTP API docs,
/// "Errors").
pub const MAX_BATCH_MESSAGES: usize = 2_500;

/// The bytes of a batch body other than its messages and commas: `{"batch":[],"sentAt":"…"}`.
pub(crate) const FRAME_BYTES: usize = 48;

/// Splits messages, given by their encoded sizes in bytes, into runs that each fit one batch. Keeps the order
/// and returns no empty run. A message that is too large for a batch gets a separate run.
///
/// ```
/// assert_eq!(segment::split(&[300_000, 300_000, 10]), vec![0..1, 1..3]);
/// ```
pub fn split(sizes: &[usize]) -> Vec<Range<usize>> {
    // Each message adds a comma.
    split_within(sizes.iter().map(|size| size + 1), MAX_BATCH_MESSAGES, MAX_BATCH_BYTES - FRAME_BYTES)
}

/// Splits entries, given by their sizes in bytes, into runs of at most `most` entries and `bytes` bytes.
/// Keeps the order and returns no empty run. An entry that is too large gets a separate run.
pub fn split_within(sizes: impl IntoIterator<Item = usize>, most: usize, bytes: usize) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut sum = 0;
    for (index, size) in sizes.into_iter().enumerate() {
        sum += size;
        match runs.last_mut() {
            Some(run) if run.len() < most && sum <= bytes => run.end = index + 1,
            _ => {
                runs.push(index..index + 1);
                sum = size;
            }
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_messages_make_no_batch() {
        assert_eq!(split(&[]), Vec::<Range<usize>>::new());
    }

    proptest! {
        #[test]
        fn nothing_is_lost_doubled_or_reordered_and_every_batch_fits(
            sizes in prop_oneof![
                prop::collection::vec(1_usize..32_768, 0..200),
                prop::collection::vec(1_usize..30, 0..8_000),
            ],
        ) {
            let runs = split(&sizes);
            prop_assert_eq!(runs.iter().cloned().flatten().collect::<Vec<_>>(), (0..sizes.len()).collect::<Vec<_>>());
            for run in runs {
                prop_assert!(run.len() <= MAX_BATCH_MESSAGES);
                let bytes: usize = sizes[run.clone()].iter().map(|size| size + 1).sum();
                prop_assert!(FRAME_BYTES + bytes <= MAX_BATCH_BYTES);
            }
        }
    }
}
