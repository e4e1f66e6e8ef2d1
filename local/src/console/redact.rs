//! Removes secrets from URLs that are printed: user names, passwords and queries.

use std::borrow::Cow;

use reqwest::Url;

/// Replaces a secret.
const HIDDEN: &str = "***";

/// Returns a URL without user name, password, query and fragment, even if the URL is not valid.
pub fn url(text: &str) -> String {
    let Some(mut url) = Url::parse(text.trim()).ok().filter(|url| !url.cannot_be_a_base()) else {
        // Text that is not a server's URL may still hold a password before its last @.
        let text = text.split(['?', '#']).next().unwrap_or_default();
        return match (text.find("://"), text.rfind('@')) {
            (Some(scheme), Some(at)) if scheme < at => {
                format!("{}://{HIDDEN}{}", &text[..scheme], &text[at..])
            }
            (None, Some(at)) => format!("{HIDDEN}{}", &text[at..]),
            _ => text.to_owned(),
        };
    };
    if url.query().is_some() {
        url.set_query(Some(HIDDEN));
    }
    url.set_fragment(None);
    if !url.username().is_empty() || url.password().is_some() {
        // This cannot fail: a URL with a user name can have another.
        let _ = url.set_username(HIDDEN);
        let _ = url.set_password(None);
    }
    url.to_string()
}

/// Removes user names and passwords from the URLs in a text. Everything printed passes through it, so no
/// message has to do this itself.
pub fn passwords(text: &str) -> Cow<'_, str> {
    let mut shown = Cow::Borrowed("");
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + "://".len());
        let end = after.find(|character: char| character.is_whitespace() || "\"'`<>".contains(character));
        let word = &after[..end.unwrap_or(after.len())];
        let hidden = user_part(word);
        shown += before;
        if hidden > 0 {
            shown += HIDDEN;
        }
        rest = &after[hidden..];
    }
    if shown.is_empty() { Cow::Borrowed(rest) } else { shown + rest }
}

/// Returns the length of the user name and password in a URL, counted from behind its `://`.
fn user_part(word: &str) -> usize {
    let authority = word.find(['/', '?', '#']).unwrap_or(word.len());
    match (word[..authority].rfind('@'), word.rfind('@')) {
        (Some(at), _) => at,
        // With a slash in a password, the part before it looks like a host with an invalid port.
        (None, Some(at)) if !is_host(&word[..authority]) => at,
        _ => 0,
    }
}

fn is_host(text: &str) -> bool {
    Url::parse(&format!("http://{text}/")).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        for (text, expected) in [
            ("https://api.segment.io/v1", "https://api.segment.io/v1"),
            ("https://me:hunter2@a.example/x?token=hunter2#hunter2", "https://***@a.example/x?***"),
            ("https://hunter2@a.example", "https://***@a.example/"),
            ("https://me:hunter2@", "https://***@"),
            ("https://me:hunt/er2@a.example", "https://***@a.example"),
            ("me:hunter2@a.example?hunter2", "***@a.example"),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(url(text), expected, "{text}");
        }
    }

    #[test]
    fn passwords_are_removed_from_a_text() {
        for (text, expected) in [
            ("no URL", "no URL"),
            ("see https://docs.example/@you, or ftp://x", "see https://docs.example/@you, or ftp://x"),
            ("'https://me:hunter2@a.example' is wrong", "'https://***@a.example' is wrong"),
            ("a://b@c d://e:f@g", "a://***@c d://***@g"),
            ("(http://me:hu@nter2@a.example:80/x)", "(http://***@a.example:80/x)"),
            ("https://me:hunt/er2@a.example", "https://***@a.example"),
        ] {
            assert_eq!(passwords(text), expected);
        }
    }
}
