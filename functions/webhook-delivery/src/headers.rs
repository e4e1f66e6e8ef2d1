//! The headers that a user sets for a webhook.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

/// Headers of the connection or of the body's length, which the client sets.
const OF_THE_CLIENT: [&str; 12] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers that mark a request as Segue's. Only a signature may do that.
const OF_THE_SIGNATURES: [&str; 5] =
    ["webhook-id", "webhook-signature", "webhook-timestamp", "x-signature", "x-signature-previous"];

/// Reads the headers of a webhook. Removes spaces and tabs around a value, as the receiver's server would.
/// Marks the values as sensitive: they print as `Sensitive`, and HTTP/2 does not index them. `User-Agent` and
/// `Content-Type` are allowed.
///
/// # Errors
/// All problems, each with the header's name and never with its value.
pub fn parse(given: &Map<String, Value>) -> Result<HeaderMap, Vec<String>> {
    let mut headers = HeaderMap::with_capacity(given.len());
    let mut problems = Vec::new();
    for (name, value) in given {
        match parse_one(name, value) {
            Ok((name, _)) if headers.contains_key(&name) => {
                problems.push(format!("the header {name} occurs twice; upper and lower case are the same"));
            }
            Ok((name, value)) => {
                headers.insert(name, value);
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(headers) } else { Err(problems) }
}

fn parse_one(given: &str, value: &Value) -> Result<(HeaderName, HeaderValue), String> {
    let name = HeaderName::from_bytes(given.as_bytes()).map_err(|_| invalid_name(given))?;
    if OF_THE_CLIENT.contains(&name.as_str()) {
        return Err(format!("the header {name} cannot be set; the HTTP client sets it"));
    }
    if OF_THE_SIGNATURES.contains(&name.as_str()) {
        return Err(format!("the header {name} cannot be set; it is part of a signature"));
    }
    let text = value.as_str().ok_or_else(|| format!("the value of the header {name} is not a string"))?;
    let text = text.trim_matches([' ', '\t']);
    if let Some(character) = text.chars().find(|character| !matches!(character, ' '..='~')) {
        let kind = if character.is_ascii() {
            "a control character, such as a line break"
        } else {
            "a character beyond ASCII"
        };
        return Err(format!("the value of the header {name} has {kind}"));
    }
    let mut value =
        HeaderValue::from_str(text).map_err(|_| format!("the value of the header {name} is invalid"))?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// Returns the name up to the first character that is not allowed: if `Authorization: Bearer …` was set as a
/// name by mistake, the rest is a secret.
fn invalid_name(given: &str) -> String {
    let legal = |character: char| character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character);
    let start = given.find(|character| !legal(character)).map_or(given, |at| &given[..at]);
    if start.is_empty() {
        "a header's name is empty or begins with a character that no name has".to_owned()
    } else {
        let start: String = start.chars().take(40).collect();
        format!(
            "the name of the header that begins with {start} is not valid; a colon and blanks are not part of it"
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problems(given: &Value) -> Vec<String> {
        parse(given.as_object().unwrap()).unwrap_err()
    }

    #[test]
    fn usual_headers_are_taken_and_their_values_hidden() {
        let given = json!({
            "Authorization": "Bearer abc~!@#$%^&*()",
            "X-Source": " \t padded inside and out \t ",
            "x-empty": "",
            "User-Agent": "mine/1.0",
            "Content-Type": "application/json; charset=utf-8",
            "Cookie": "a=b:c:d",
        });
        let headers = parse(given.as_object().unwrap()).unwrap();
        for (name, expected) in [
            ("authorization", "Bearer abc~!@#$%^&*()"),
            ("x-source", "padded inside and out"),
            ("x-empty", ""),
            ("user-agent", "mine/1.0"),
            ("content-type", "application/json; charset=utf-8"),
            ("cookie", "a=b:c:d"),
        ] {
            assert_eq!(headers[name], expected, "{name}");
            assert_eq!(format!("{:?}", headers[name]), "Sensitive");
        }
        assert_eq!(headers.len(), 6);
        assert!(parse(&Map::new()).unwrap().is_empty());
    }

    #[test]
    fn headers_of_the_client_and_of_the_signatures_are_refused_in_any_case() {
        for name in OF_THE_CLIENT.iter().chain(&OF_THE_SIGNATURES) {
            for name in [(*name).to_owned(), name.to_ascii_uppercase()] {
                let problems = problems(&json!({ name.clone(): "hunter2" }));
                assert_eq!(problems.len(), 1);
                assert!(problems[0].contains(&name.to_ascii_lowercase()), "{problems:?}");
                assert!(problems[0].contains("cannot be set"), "{problems:?}");
                assert!(!problems[0].contains("hunter2"), "{problems:?}");
            }
        }
    }

    #[test]
    fn a_value_that_could_break_out_of_its_line_is_refused_without_being_shown() {
        for value in [
            "hunter2\r\nX-Evil: 1",
            "hunter2\n",
            "\0hunter2",
            "hun\tter2",
            "hunter2\u{7f}",
            "hunter2é",
            "hunter2\u{a0}",
        ] {
            let problems = problems(&json!({ "X-Token": value }));
            assert_eq!(problems.len(), 1, "{value:?}");
            assert!(problems[0].starts_with("the value of the header x-token has a "), "{problems:?}");
            assert!(!problems[0].contains("hunter2"), "{problems:?}");
        }
    }

    #[test]
    fn a_value_that_is_no_string_is_refused() {
        for value in [json!(1), json!(null), json!(true), json!(["a"]), json!({})] {
            assert_eq!(
                problems(&json!({ "X-Token": value })),
                ["the value of the header x-token is not a string"]
            );
        }
    }

    #[test]
    fn an_invalid_name_is_shown_only_as_far_as_it_is_a_name() {
        for (name, expected) in [
            ("Authorization: Bearer hunter2", "the header that begins with Authorization is"),
            ("X Token hunter2", "the header that begins with X is"),
            ("X-Tokén", "the header that begins with X-Tok is"),
            ("", "a header's name is empty"),
            (":authority", "a header's name is empty or begins with"),
        ] {
            let problems = problems(&json!({ name: "hunter2" }));
            assert!(problems[0].contains(expected), "{problems:?}");
            assert!(!problems[0].contains("hunter2"), "{problems:?}");
        }
    }

    #[test]
    fn all_problems_are_reported_together() {
        let given = json!({ "Host": "a", "x-a": "1", "X-A": "2", "X-B": 3 });
        assert_eq!(
            problems(&given),
            [
                "the header host cannot be set; the HTTP client sets it",
                "the header x-a occurs twice; upper and lower case are the same",
                "the value of the header x-b is not a string",
            ]
        );
    }
}
