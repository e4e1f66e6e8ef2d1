//! Auth0's names of its log types.

use std::{collections::HashMap, sync::LazyLock};

/// Each code, a tab and its name.
pub(super) const TABLE: &str = include_str!("log_types.tsv");

static NAMES: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| rows().collect());

fn rows() -> impl Iterator<Item = (&'static str, &'static str)> {
    TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('\t'))
}

/// Auth0's long name of a code. What Auth0 adds after this was written goes by its code.
pub(super) fn name(code: &str) -> &str {
    NAMES.get(code).copied().unwrap_or(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_complete_and_in_order() {
        let codes: Vec<&str> = rows().map(|(code, _)| code).collect();
        assert!(codes.is_sorted_by(|left, right| left < right), "each code once, in byte order");
        assert_eq!((codes.len(), TABLE.lines().count()), (179, 180), "no line was passed over");
        assert!(rows().all(|(code, name)| !code.is_empty() && name.trim() == name && !name.is_empty()));
    }

    #[test]
    fn a_code_has_its_long_name_or_goes_by_itself() {
        for (code, expected) in [
            ("s", "Success Login"),
            ("fp", "Failed Login (Incorrect Password)"),
            ("gd_unenroll", "Unenroll device account"),
            ("zz_new", "zz_new"),
            ("S", "S"),
            ("", ""),
        ] {
            assert_eq!(name(code), expected);
        }
    }
}
