//! URLs as people may see them: a user name, a password or a query may be a secret.

use std::borrow::Cow;

use reqwest::Url;

/// The stand-in for a secret.
const HIDDEN: &str = "***";

/// A URL without user name, password, query and fragment, even where it is no valid one.
pub fn url(text: &str) -> String {
    let Some(mut url) = Url::parse(text.trim()).ok().filter(|url| !url.cannot_be_a_base()) else {
        // A text that is no URL of a server may still hold a password, in front of its last @.
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
        // A URL that has them can have others.
        let _ = url.set_username(HIDDEN);
        let _ = url.set_password(None);
    }
    url.to_string()
}

/// Text in which URLs may be: no user name or password of theirs stays. The door of everything that is said to people,
/// so that no sentence has to think of it.
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

/// How much of a URL, from behind its `://` on, may be its user name and password.
fn user_part(word: &str) -> usize {
    let authority = word.find(['/', '?', '#']).unwrap_or(word.len());
    match (word[..authority].rfind('@'), word.rfind('@')) {
        (Some(at), _) => at,
        // A slash in a password makes what comes before it look like a host with a port that is no number.
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
    fn a_url_is_shown_without_what_may_be_a_secret() {
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
    fn no_password_stays_in_a_text() {
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
