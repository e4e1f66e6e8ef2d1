//! Suggests the nearest known name for an unknown one, for mappings, secrets and variables.

/// Returns the known name that is nearest, if it is near enough.
pub fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let (distance, near) = closest(name, known)?;
    (distance <= 1 + near.len() / 4).then_some(near)
}

/// Like [`nearest`], for lists that do not have every valid name: the name may differ by one typo only.
pub fn misspelled<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let (distance, near) = closest(name, known)?;
    (distance <= 1).then_some(near)
}

/// Returns the end of a sentence about an unknown name: the nearest known name, or all known names.
pub fn suggestion(name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("known are: {}", known.join(", ")),
    }
}

/// Returns a sentence about an unknown member of a secret. The name could itself be a secret in the wrong
/// place, so it is quoted only if it is near a known name. Otherwise its place among `names` is given.
pub fn unknown_member<'n>(name: &str, mut names: impl Iterator<Item = &'n String>, known: &[&str]) -> String {
    if let Some(near) = nearest(name, known.iter().copied()) {
        return format!("there is no {name:?}; did you mean {near:?}?");
    }
    let place = names.position(|one| one == name).unwrap_or_default() + 1;
    format!("member {place} has an unknown name; known are: {}", known.join(", "))
}

fn closest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<(usize, &'k str)> {
    let name = name.to_lowercase();
    let distance = |known: &'k str| (strsim::damerau_levenshtein(&name, &known.to_lowercase()), known);
    known.into_iter().map(distance).min_by_key(|(distance, _)| *distance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_gets_the_nearest_known_name_or_none() {
        for (name, meant, misspelled_as) in [
            ("signingSecret", Some("signingSecrets"), Some("signingSecrets")),
            ("SIGNINGSECRETS", Some("signingSecrets"), Some("signingSecrets")),
            ("signSecrets", Some("signingSecrets"), None),
            ("baerer", Some("bearer"), Some("bearer")),
            ("token", None, None),
        ] {
            let known = ["signingSecrets", "bearer"];
            assert_eq!((nearest(name, known), misspelled(name, known)), (meant, misspelled_as), "{name}");
        }
        assert_eq!(nearest("x", []), None);
        assert_eq!(suggestion("baerer", &["basic", "bearer"]), "did you mean \"bearer\"?");
        assert_eq!(suggestion("token", &["basic", "bearer"]), "known are: basic, bearer");
    }
}
