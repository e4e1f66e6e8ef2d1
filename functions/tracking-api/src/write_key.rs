//! Reads the write key of a request, and finds the name of each key.

use std::collections::{BTreeMap, BTreeSet};

use http::{HeaderMap, Request, header};
use platform::{encoding, write_keys::WriteKeys};
use serde_json::{Map, Value};

use crate::route::parameters;

/// Why a request is not authentic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(
        "there is no write key; give it as the user name of Basic authentication, as writeKey in the body, \
         or as ?writeKey="
    )]
    Missing,
    #[error("its Authorization header cannot be read; it must be Basic and the base64 of \"<write key>:\"")]
    Unreadable,
    #[error("a write key is not configured here")]
    Unknown,
    #[error("no write key is configured here; the log says more")]
    NotConfigured,
}

/// Returns the write keys outside the body, the more specific first: Basic user names, then `?writeKey=`.
pub(crate) fn from_head<B>(request: &Request<B>) -> Result<Vec<String>, Refusal> {
    let mut keys = basic(request.headers())?;
    let parameters = parameters(request.uri().query().unwrap_or_default());
    keys.extend(parameters.filter(|(name, _)| name == "writeKey").map(|(_, value)| value));
    Ok(keys.iter().map(|key| key.trim().to_owned()).filter(|key| !key.is_empty()).collect())
}

/// Removes and returns the write key of a body or a message, because destinations must not see it.
pub(crate) fn take(object: &mut Map<String, Value>) -> Result<Option<String>, Refusal> {
    // A plain `remove` would move the last field to its place.
    match object.shift_remove("writeKey") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(key)) => Ok(Some(key.trim().to_owned()).filter(|key| !key.is_empty())),
        Some(_) => Err(Refusal::Unknown),
    }
}

/// Returns the names of all these keys, if every one of them is known.
pub(crate) fn names(known: &WriteKeys, keys: &BTreeSet<&str>) -> Option<BTreeMap<String, String>> {
    keys.iter().map(|key| Some(((*key).to_owned(), known.name_of(key)?.to_owned()))).collect()
}

/// Returns the user names of Basic authentication. Other schemes, such as the bearer tokens that some
/// libraries send beside the `writeKey` in the body, name no write key.
fn basic(headers: &HeaderMap) -> Result<Vec<String>, Refusal> {
    let mut keys = Vec::new();
    for value in headers.get_all(header::AUTHORIZATION) {
        if let Some(credentials) = encoding::basic(value.as_bytes()) {
            let credentials = credentials.map_err(|_| Refusal::Unreadable)?;
            let credentials = String::from_utf8(credentials).map_err(|_| Refusal::Unreadable)?;
            keys.push(credentials.split(':').next().unwrap_or_default().to_owned());
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(uri: &str, authorization: &[&str]) -> Result<Vec<String>, Refusal> {
        let request = authorization
            .iter()
            .fold(Request::post(uri), |request, value| request.header(header::AUTHORIZATION, *value));
        from_head(&request.body(()).unwrap())
    }

    #[test]
    fn the_head_names_keys_in_authorization_and_in_the_query() {
        for (uri, authorization, expected) in [
            ("/", &[][..], &[][..]),
            ("/", &["Basic azE6"], &["k1"]),
            ("/", &["basic  azE6"], &["k1"]),
            ("/", &["Basic azE="], &["k1"]),
            ("/", &["Basic IGsxCjo="], &["k1"]),
            ("/?writeKey=+k1%0A", &[], &["k1"]),
            ("/", &["Basic azE"], &["k1"]),
            ("/", &["Basic azE6cGFzczp3b3Jk"], &["k1"]),
            ("/", &["Basic Og=="], &[]),
            ("/", &["Basic"], &[]),
            ("/", &["Bearer azE6"], &[]),
            ("/", &["Bearer x", "Basic azE6"], &["k1"]),
            ("/?writeKey=k2", &["Basic azE6"], &["k1", "k2"]),
            ("/?a=b&writeKey=%6b%2B+%zz%4", &[], &["k+ %zz%4"]),
            ("/?writeKey=a&writeKey=b", &[], &["a", "b"]),
            ("/?writeKey=&writekey=c&writeKey", &[], &[]),
        ] {
            let found = keys(uri, authorization).unwrap();
            assert_eq!(found, expected, "{uri} {authorization:?}");
        }
    }

    #[test]
    fn credentials_that_cannot_be_read_are_refused() {
        for authorization in ["Basic !", "Basic //8=", "Basic azE6 azE6"] {
            assert_eq!(keys("/?writeKey=k", &[authorization]), Err(Refusal::Unreadable), "{authorization}");
        }
    }

    #[test]
    fn a_write_key_is_taken_out_and_the_order_stays() {
        let object = |text: &str| segment::json::parse_object(text.as_bytes()).unwrap();
        let mut body = object(r#"{"a":1,"writeKey":"k","b":2,"c":3}"#);
        assert_eq!(take(&mut body), Ok(Some("k".to_owned())));
        assert_eq!(segment::json::encode(&body), r#"{"a":1,"b":2,"c":3}"#);
        for (text, expected) in [
            (r#"{}"#, Ok(None)),
            (r#"{"writeKey":null}"#, Ok(None)),
            (r#"{"writeKey":""}"#, Ok(None)),
            (r#"{"writeKey":7}"#, Err(Refusal::Unknown)),
        ] {
            assert_eq!(take(&mut object(text)), expected, "{text}");
        }
    }
}
