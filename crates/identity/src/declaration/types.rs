//! Event types and families of them.

/// Patterns of event types. In a pattern, one `*` stands for any text.
#[derive(Debug)]
pub(crate) enum Types {
    /// Every type.
    All,
    /// The types that fit one of these.
    Listed(Vec<Pattern>),
}

/// A pattern, split at its `*`.
#[derive(Debug)]
pub(crate) struct Pattern {
    start: String,
    /// The text after the `*`. Without a `*` there is none, and the whole type is the start.
    end: Option<String>,
}

impl Types {
    /// No type.
    pub const NONE: Self = Self::Listed(Vec::new());

    pub fn fit(&self, event_type: &str) -> bool {
        match self {
            Self::All => true,
            Self::Listed(patterns) => patterns.iter().any(|pattern| pattern.fits(event_type)),
        }
    }
}

impl Pattern {
    /// Reads a pattern. Returns `None` if it has more than one `*`.
    pub fn read(text: &str) -> Option<Self> {
        match text.split_once('*') {
            Some((_, end)) if end.contains('*') => None,
            Some((start, end)) => Some(Self { start: start.to_owned(), end: Some(end.to_owned()) }),
            None => Some(Self { start: text.to_owned(), end: None }),
        }
    }

    fn fits(&self, event_type: &str) -> bool {
        match &self.end {
            None => event_type == self.start,
            Some(end) => {
                event_type.strip_prefix(self.start.as_str()).is_some_and(|rest| rest.ends_with(end.as_str()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, event_type, expected) in [
            ("user.created", "user.created", true),
            ("user.created", "user.created2", false),
            ("user.*", "user.created", true),
            ("user.*", "user.", true),
            ("user.*", "user", false),
            ("*.deleted", "user.deleted", true),
            ("*", "", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("authentication.*_succeeded", "authentication.sso_succeeded", true),
            ("authentication.*_succeeded", "authentication.sso_failed", false),
        ] {
            assert_eq!(Pattern::read(pattern).unwrap().fits(event_type), expected, "{pattern} {event_type}");
        }
        assert!(Pattern::read("a*b*").is_none());
    }
}
