//! Which of several addresses is the user's, where the provider names none as the primary one.

/// The only address, or else the only one that is verified: nobody has shown that the others are the user's. With several
/// verified ones, nothing tells which the user goes by, so it is none.
pub(super) fn only_one<'a>(addresses: impl Iterator<Item = (&'a str, bool)>) -> Option<&'a str> {
    let mut all: Vec<(&str, bool)> = addresses.collect();
    if all.len() > 1 {
        all.retain(|(_, verified)| *verified);
    }
    match all[..] {
        [(address, _)] => Some(address),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_address_counts_and_of_several_the_only_verified_one() {
        for (addresses, expected) in [
            (vec![], None),
            (vec![("a", false)], Some("a")),
            (vec![("a", false), ("a", true)], Some("a")),
            (vec![("a", false), ("b", true)], Some("b")),
            (vec![("a", false), ("b", false)], None),
            (vec![("a", true), ("b", true)], None),
        ] {
            assert_eq!(only_one(addresses.iter().copied()), expected, "{addresses:?}");
        }
    }
}
