//! Which call an address is.

use segment::MessageType;

/// A call of Segment's HTTP API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// The body is one message of this type.
    One(MessageType),
    /// The body has a list of messages.
    Batch,
}

/// The call of a path. A stage name or a base path may come before `/v1/`, and a slash may follow. The
/// browser and mobile libraries name a call by its first letter.
pub(crate) fn find(path: &str) -> Option<Call> {
    let (_, name) = path.trim_end_matches('/').rsplit_once("/v1/")?;
    if matches!(name, "batch" | "b" | "import") {
        return Some(Call::Batch);
    }
    // A delete exists only on the way to destinations.
    let mut types = MessageType::ALL.into_iter().filter(|one| *one != MessageType::Delete);
    types.find(|one| name == one.as_str() || name == &one.as_str()[..1]).map(Call::One)
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
        ] {
            for path in [
                format!("/v1/{name}"),
                format!("/v1/{name}/"),
                format!("/prod/v1/{name}"),
                format!("/a/v1/b/v1/{name}"),
            ] {
                assert_eq!(find(&path), Some(expected), "{path}");
            }
        }
    }

    #[test]
    fn what_is_no_call_is_not_found() {
        for path in ["", "/", "/v1", "/v1/", "/v1/delete", "/v1/d", "/v1/x", "/v1/Track", "/v1/track/x"] {
            assert_eq!(find(path), None, "{path}");
        }
        assert_eq!(find("/v2/track"), None);
        assert_eq!(find("/track"), None);
    }
}
