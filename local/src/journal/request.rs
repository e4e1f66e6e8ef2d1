//! A sent request as one text: the URL, a line for each header, a blank line, the body. As one text it is compressed
//! with the others.

use delivery::Request;

use super::text::{Text, Texts};

/// Keeps a request as a text.
pub fn recorded(request: &Request, texts: &Texts) -> Text {
    let Request { url, headers, body } = request;
    let size = |(name, value): (&http::HeaderName, &http::HeaderValue)| name.as_str().len() + value.len() + 3;
    let head = url.len() + 2 + headers.iter().map(size).sum::<usize>();
    let mut text = Vec::with_capacity(head + body.len());
    text.extend_from_slice(url.as_bytes());
    for (name, value) in headers {
        text.push(b'\n');
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
    }
    text.extend_from_slice(b"\n\n");
    text.extend_from_slice(body);
    texts.keep(text)
}

/// The parts of such a text.
pub struct Parts<'t> {
    /// The URL.
    pub url: &'t str,
    /// The headers, in order.
    pub headers: Vec<(&'t str, &'t str)>,
    /// The body.
    pub body: &'t str,
}

impl<'t> Parts<'t> {
    /// Reads the parts.
    pub fn of(text: &'t str) -> Self {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = head.split('\n');
        let url = lines.next().unwrap_or_default();
        Self { url, headers: lines.filter_map(|line| line.split_once(": ")).collect(), body }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::text::Reader, *};

    #[test]
    fn a_request_reads_as_it_was_written() {
        let headers = [("x-signature", "a: b"), ("empty", "")];
        let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let request = Request {
            url: "https://a.example/x?y=%0A".to_owned(),
            headers: http::HeaderMap::from_iter(headers),
            body: "{}\n\n[]".into(),
        };
        let text = recorded(&request, &Texts::default()).read(&mut Reader::default());
        let Parts { url, headers, body } = Parts::of(&text);
        assert_eq!((url, body), ("https://a.example/x?y=%0A", "{}\n\n[]"));
        assert_eq!(headers, [("x-signature", "a: b"), ("empty", "")]);
    }
}
