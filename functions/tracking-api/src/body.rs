//! Reads the JSON text in the body of a request.

use std::{borrow::Cow, io::Read};

use flate2::read::MultiGzDecoder;
use http::{HeaderMap, header};

use crate::{MAX_BODY_BYTES, response::Failure};

/// The beginning of every gzip, and of no JSON.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// The beginning of a gzip that was decoded as UTF-8 on the way: 8B is not valid and became U+FFFD. The next
/// byte names the compression method, of which there is one. An HTTP API does this if it decides by the
/// content type alone.
const DAMAGED_GZIP: &[u8] = b"\x1f\xef\xbf\xbd\x08";

/// The mark that some writers of UTF-8 put first. A parser may ignore it (RFC 8259, section 8.1).
const BYTE_ORDER_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// The numbers that Python writes and JSON does not have, the longest first.
const NO_NUMBERS: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];

/// Returns the text of a body, inflated if it is gzip. A proxy may have removed the header that says so. The
/// size limit applies before and after inflating. A number that JSON does not have becomes null; otherwise it
/// would cost all messages of its batch.
pub(crate) fn text<'a>(headers: &HeaderMap, body: &'a [u8]) -> Result<Cow<'a, [u8]>, Failure> {
    // This check comes first, because the damage makes a body larger.
    if body.starts_with(DAMAGED_GZIP) {
        return Err(Failure::DamagedGzip);
    }
    if body.len() > MAX_BODY_BYTES {
        return Err(Failure::TooLarge);
    }
    let encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    let encodings = encodings.flat_map(|value| value.to_str().unwrap_or("?").split(',')).map(str::trim);
    let encodings: Vec<&str> = encodings.filter(|name| !matches!(*name, "" | "identity")).collect();
    let text = match encodings.as_slice() {
        [] if body.starts_with(GZIP) => inflate(body)?,
        [] => Cow::Borrowed(body),
        [name] if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => {
            // An AWS REST API inflates a body but leaves the header. No gzip begins with a brace.
            let is_inflated = body.trim_ascii_start().starts_with(b"{");
            if is_inflated { Cow::Borrowed(body) } else { inflate(body)? }
        }
        _ => return Err(Failure::Encoded),
    };
    let text = match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)),
        Cow::Owned(text) if text.starts_with(BYTE_ORDER_MARK) => {
            Cow::Owned(text[BYTE_ORDER_MARK.len()..].to_vec())
        }
        text => text,
    };
    Ok(without_nan(&text).map_or(text, Cow::Owned))
}

/// Returns the text with null in the place of each number that JSON does not have, or `None` if there is
/// none.
fn without_nan(text: &[u8]) -> Option<Vec<u8>> {
    // Few texts contain these pairs of letters, and only those are searched further.
    if !text.windows(2).any(|two| two == b"Na" || two == b"In") {
        return None;
    }
    let mut repaired = Vec::with_capacity(text.len());
    let (mut at, mut in_text, mut found) = (0, false, false);
    while let Some(&byte) = text.get(at) {
        let no_number = NO_NUMBERS.into_iter().find(|name| !in_text && text[at..].starts_with(name));
        let length = match (byte, no_number) {
            (_, Some(name)) => {
                found = true;
                repaired.extend_from_slice(b"null");
                at += name.len();
                continue;
            }
            (b'\\', _) if in_text => 2.min(text.len() - at),
            _ => 1,
        };
        in_text ^= byte == b'"';
        repaired.extend_from_slice(&text[at..at + length]);
        at += length;
    }
    found.then_some(repaired)
}

fn inflate(body: &[u8]) -> Result<Cow<'_, [u8]>, Failure> {
    let mut text = Vec::new();
    // One byte above the limit shows that there is more. Nothing further is inflated.
    let mut bounded = MultiGzDecoder::new(body).take(MAX_BODY_BYTES as u64 + 1);
    bounded.read_to_end(&mut text).map_err(|_| Failure::NotGzip)?;
    if text.len() > MAX_BODY_BYTES { Err(Failure::TooLarge) } else { Ok(Cow::Owned(text)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_json_does_not_have_become_null_and_texts_stay() {
        for (text, expected) in [
            (r#"{"a":NaN,"b":[Infinity,-Infinity, NaN]}"#, Some(r#"{"a":null,"b":[null,null, null]}"#)),
            (r#"{"a":"NaN \\\" Infinity","b":NaN}"#, Some(r#"{"a":"NaN \\\" Infinity","b":null}"#)),
            (r#"{"a":"NaN","Infinity":"\\"}"#, None),
            (r#"{"a":1}"#, None),
            (r#""Na\"#, None),
        ] {
            let repaired = without_nan(text.as_bytes()).map(|text| String::from_utf8(text).unwrap());
            assert_eq!(repaired.as_deref(), expected, "{text}");
        }
    }
}
