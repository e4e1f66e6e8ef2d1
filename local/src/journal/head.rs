//! What a row of the page needs of a message.

use std::borrow::Cow;

use segment::json;
use serde::Deserialize;

/// The members of a message that a person looks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    pub message_id: Option<String>,
    pub message_type: Option<String>,
    /// The `userId`, or the `anonymousId` of a visitor.
    pub user: Option<String>,
    /// A track's event, or a page's or screen's name, or a group's id.
    pub event: Option<String>,
    /// The library that made it, with its version.
    pub library: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    #[serde(borrow, default)]
    message_id: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "type")]
    message_type: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    user_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    anonymous_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    event: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    group_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    context: Option<Context<'a>>,
}

#[derive(Deserialize)]
struct Context<'a> {
    #[serde(borrow, default)]
    library: Option<Library<'a>>,
}

#[derive(Deserialize)]
struct Library<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    version: Option<Cow<'a, str>>,
}

impl Head {
    /// Reads a message that was checked. What is of another type than Segment has it makes all of it unknown, but for
    /// the id.
    pub fn of(message: &str) -> Self {
        let Ok(message) = serde_json::from_str::<Message>(message) else { return Self::by_value(message) };
        let owned = |text: Option<Cow<str>>| text.map(Cow::into_owned);
        let library = message.context.and_then(|context| context.library);
        let library = library.and_then(|library| {
            let (name, version) = (library.name?, library.version);
            Some(version.map_or_else(|| name.to_string(), |version| format!("{name} {version}")))
        });
        Self {
            message_id: owned(message.message_id),
            message_type: owned(message.message_type),
            user: owned(message.user_id.or(message.anonymous_id)),
            event: owned(message.event.or(message.name).or(message.group_id)),
            library,
        }
    }

    fn by_value(message: &str) -> Self {
        let value = json::parse(message.as_bytes()).unwrap_or_default();
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        Self {
            message_id: text("messageId"),
            message_type: text("type"),
            user: text("userId").or_else(|| text("anonymousId")),
            event: text("event").or_else(|| text("name")).or_else(|| text("groupId")),
            library: None,
        }
    }
}

/// The ids of a queued message, or of the messages of a batch that is sent again together.
pub fn message_ids(body: &str) -> Vec<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Id {
        message_id: Option<String>,
    }
    let batch = || serde_json::from_str::<Vec<Id>>(body);
    let one = || serde_json::from_str::<Id>(body).map(|id| vec![id]);
    let ids = if body.starts_with('[') { batch() } else { one() };
    ids.unwrap_or_default().into_iter().filter_map(|id| id.message_id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_has_what_a_row_shows() {
        let head = Head::of(
            r#"{"type":"track","userId":"u\"1","event":"é","messageId":"m","properties":{"userId":1e400},
                "context":{"library":{"name":"analytics-node","version":"3.1.0"},"ip":"1.1.1.1"}}"#,
        );
        let expected = Head {
            message_id: Some("m".to_owned()),
            message_type: Some("track".to_owned()),
            user: Some("u\"1".to_owned()),
            event: Some("é".to_owned()),
            library: Some("analytics-node 3.1.0".to_owned()),
        };
        assert_eq!(head, expected);
    }

    #[test]
    fn what_is_of_another_type_is_left_out() {
        for (message, user, event) in [
            (r#"{"messageId":"m","anonymousId":"a","name":"Home"}"#, Some("a"), Some("Home")),
            (r#"{"messageId":"m","userId":"u","name":7}"#, Some("u"), None),
            (r#"{"messageId":"m","groupId":"g","context":7}"#, None, Some("g")),
            (r#"{"messageId":"m","context":{"library":{"name":null,"version":"1"}}}"#, None, None),
        ] {
            let head = Head::of(message);
            assert_eq!(head.message_id.as_deref(), Some("m"), "{message}");
            assert_eq!((head.user.as_deref(), head.event.as_deref()), (user, event), "{message}");
            assert_eq!(head.library, None, "{message}");
        }
    }
}
