//! Splits entries into batch calls for SNS and SQS.

use std::ops::Range;

use crate::topic::Attributes;

/// The most entries in one batch call (SNS PublishBatch, SQS SendMessageBatch).
pub(super) const MAX_ENTRIES: usize = 10;

/// The most bytes in one batch call, attributes included. This is SNS's limit. SQS takes four times as much
/// now, but it did not always, and not everywhere.
pub(super) const MAX_BYTES: usize = 256 * 1024;

/// The type of every attribute.
pub(super) const TEXT: &str = "String";

/// Returns the number of bytes that an entry counts for: its body, and name, type and value of each
/// attribute.
pub(super) fn size(body: &str, attributes: &Attributes) -> usize {
    let attributes = attributes.iter().map(|(name, value)| name.len() + TEXT.len() + value.len());
    body.len() + attributes.sum::<usize>()
}

/// Splits entries, given by their sizes in bytes, into runs that each fit one call. An entry that is too
/// large by itself gets a separate run, and the service refuses it.
pub(super) fn pack(sizes: impl IntoIterator<Item = usize>) -> Vec<Range<usize>> {
    segment::split_within(sizes, MAX_ENTRIES, MAX_BYTES)
}

/// Returns an attribute's value in the characters that SQS and SNS take. They refuse the whole call for a
/// character outside XML's set (SQS API reference, SendMessage, "MessageBody") and for an empty value, so an
/// empty value is left out.
pub(super) fn attribute_value(value: &str) -> Option<String> {
    let taken = |character| match character {
        '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'.. => character,
        _ => char::REPLACEMENT_CHARACTER,
    };
    (!value.is_empty()).then(|| value.chars().map(taken).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn entries_are_packed_by_count_and_by_size() {
        for (sizes, expected) in [
            (vec![], vec![]),
            (vec![1; 11], vec![0..10, 10..11]),
            (vec![1; 20], vec![0..10, 10..20]),
            (vec![32 * 1024; 9], vec![0..8, 8..9]),
            (vec![MAX_BYTES, 1], vec![0..1, 1..2]),
            (vec![MAX_BYTES + 1, 1], vec![0..1, 1..2]),
            (vec![1, MAX_BYTES + 1, 1, 1], vec![0..1, 1..2, 2..4]),
        ] {
            assert_eq!(pack(sizes), expected);
        }
    }

    #[test]
    fn attributes_count_with_name_type_and_value() {
        let attributes = Attributes::from([("type".to_owned(), "track".to_owned())]);
        assert_eq!(size("{}", &attributes), 2 + 4 + 6 + 5);
    }

    #[test]
    fn attribute_values_hold_only_characters_that_the_services_take() {
        for (given, expected) in [
            ("", None),
            ("träck 🎉\t\n", Some("träck 🎉\t\n")),
            ("a\u{0}b\u{1b}", Some("a\u{fffd}b\u{fffd}")),
            ("\u{fffe}\u{ffff}\u{fffd}", Some("\u{fffd}\u{fffd}\u{fffd}")),
        ] {
            assert_eq!(attribute_value(given).as_deref(), expected, "{given:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_doubled_or_reordered_and_every_call_fits(
            sizes in prop::collection::vec(prop_oneof![1_usize..500, 1_usize..40_000], 0..100),
        ) {
            let runs = pack(sizes.iter().copied());
            prop_assert_eq!(runs.iter().cloned().flatten().collect::<Vec<_>>(), (0..sizes.len()).collect::<Vec<_>>());
            for run in runs {
                prop_assert!((1..=MAX_ENTRIES).contains(&run.len()));
                prop_assert!(sizes[run].iter().sum::<usize>() <= MAX_BYTES);
            }
        }
    }
}
