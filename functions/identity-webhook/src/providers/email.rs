//! Whether a text that may be a user name is an e-mail address.

/// Whether it has the form of one: a name, one `@`, and a domain with a dot in it.
pub(super) fn is_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(name, domain)| {
        let spaced = text.contains(char::is_whitespace);
        !name.is_empty() && domain.contains('.') && !domain.contains('@') && !spaced
    })
}
