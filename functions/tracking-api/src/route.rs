//! Finds the call for an address, and reads the parameters of its query.

use segment::MessageType;

/// A call of Segment's HTTP API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// The body is one message of this type.
    One(MessageType),
    /// The body has a list of messages.
    Batch,
    /// The query is one message of this type, and the answer is an image.
    Pixel(MessageType),
}

/// Returns the call for a path. A stage name or a base path may come before `/v1/`, and slashes may be
/// doubled or at the end. The browser and mobile libraries name a call by its first letter.
pub(crate) fn find(path: &str) -> Option<Call> {
    // A delete exists only on the way to destinations.
    let mut types = MessageType::ALL.into_iter().filter(|one| *one != MessageType::Delete);
    match name(path)?.as_slice() {
        // React Native's library adds its letter to the address of a proxy.
        ["batch" | "b" | "import"] | ["batch", "b"] => Some(Call::Batch),
        ["pixel", name] => types.find(|one| *name == one.as_str()).map(Call::Pixel),
        [name] => types.find(|one| *name == one.as_str() || *name == &one.as_str()[..1]).map(Call::One),
        _ => None,
    }
}

/// Whether only browsers, apps and mails use that path: a call of one letter, or a pixel.
pub(crate) fn is_for_clients(path: &str) -> bool {
    matches!(name(path).as_deref(), Some([.., last]) if last.len() == 1)
        || matches!(find(path), Some(Call::Pixel(_)))
}

/// Returns the decoded parameters of a query, in order. A parameter without a value is left out. As in
/// browsers, a percent sign that begins no escape stays as it is.
pub(crate) fn parameters(query: &str) -> impl Iterator<Item = (String, String)> {
    let pairs = query.split('&').filter(|pair| pair.contains('='));
    pairs.flat_map(|pair| form_urlencoded::parse(pair.as_bytes()).into_owned())
}

/// Returns the parts of a path after `/v1/`.
fn name(path: &str) -> Option<Vec<&str>> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let version = parts.iter().rposition(|part| *part == "v1")?;
    Some(parts[version + 1..].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_has_its_names() {
        for (name, expected) in [
            ("identify", Call::One(MessageType::Identify)),
            ("i", Call::One(MessageType::Identify)),
            ("track", Call::One(MessageType::Track)),
            ("t", Call::One(MessageType::Track)),
            ("page", Call::One(MessageType::Page)),
            ("p", Call::One(MessageType::Page)),
            ("screen", Call::One(MessageType::Screen)),
            ("s", Call::One(MessageType::Screen)),
            ("group", Call::One(MessageType::Group)),
            ("g", Call::One(MessageType::Group)),
            ("alias", Call::One(MessageType::Alias)),
            ("a", Call::One(MessageType::Alias)),
            ("batch", Call::Batch),
            ("b", Call::Batch),
            ("import", Call::Batch),
            ("batch/b", Call::Batch),
            ("pixel/track", Call::Pixel(MessageType::Track)),
            ("pixel/identify", Call::Pixel(MessageType::Identify)),
        ] {
            for path in [
                format!("/v1/{name}"),
                format!("/v1/{name}/"),
                format!("/prod/v1/{name}"),
                format!("/a/v1/b/v1/{name}"),
                format!("//v1//{name}//"),
            ] {
                assert_eq!(find(&path), Some(expected), "{path}");
            }
        }
    }

    #[test]
    fn a_path_that_is_no_call_is_not_found() {
        for path in [
            "",
            "/",
            "/v1",
            "/v1/",
            "/v1/delete",
            "/v1/d",
            "/v1/x",
            "/v1/Track",
            "/v1/track/x",
            "/v1/pixel",
            "/v1/pixel/t",
            "/v1/pixel/batch",
            "/v1/pixel/delete",
        ] {
            assert_eq!(find(path), None, "{path}");
        }
        assert_eq!(find("/v2/track"), None);
        assert_eq!(find("/track"), None);
    }

    #[test]
    fn letters_and_pixels_are_for_clients() {
        for (path, expected) in [
            ("/v1/t", true),
            ("/prod/v1/b/", true),
            ("/v1/pixel/track", true),
            ("/v1/batch/b", true),
            ("/v1/track", false),
            ("/v1/batch", false),
            ("/v1/import/", false),
            ("/", false),
        ] {
            assert_eq!(is_for_clients(path), expected, "{path}");
        }
    }
}
