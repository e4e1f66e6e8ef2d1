//! From the bytes of a request to the JSON text in them.

use std::{borrow::Cow, io::Read};

use crate::{MAX_BODY_BYTES, response::Failure};
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, header};

/// The text of a body, inflated when its encoding is gzip. The limit holds before and after.
pub(crate) fn text<'a>(headers: &HeaderMap, body: &'a [u8]) -> Result<Cow<'a, [u8]>, Failure> {
    if body.len() > MAX_BODY_BYTES {
        return Err(Failure::TooLarge);
    }
    let encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    let encodings = encodings.flat_map(|value| value.to_str().unwrap_or("?").split(',')).map(str::trim);
    let encodings: Vec<&str> = encodings.filter(|name| !matches!(*name, "" | "identity")).collect();
    match encodings.as_slice() {
        [] => Ok(Cow::Borrowed(body)),
        [name] if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => inflate(body),
        _ => Err(Failure::Encoded),
    }
}

fn inflate(body: &[u8]) -> Result<Cow<'_, [u8]>, Failure> {
    let mut text = Vec::new();
    // One byte more than the limit tells that there is more, and that is as far as it goes.
    let mut bounded = MultiGzDecoder::new(body).take(MAX_BODY_BYTES as u64 + 1);
    bounded.read_to_end(&mut text).map_err(|_| Failure::NotGzip)?;
    if text.len() > MAX_BODY_BYTES { Err(Failure::TooLarge) } else { Ok(Cow::Owned(text)) }
}
