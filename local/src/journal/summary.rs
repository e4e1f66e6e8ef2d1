//! The members of a message that its row shows.

use std::collections::HashMap;

use identity::provider_of_message;
use segment::json;
use settings::LIBRARY;

/// The members of a message that its row shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub message_id: Option<String>,
    pub message_type: Option<String>,
    /// The `userId`, or the `anonymousId` of a visitor.
    pub user: Option<String>,
    /// A track's event, or a page's or screen's name, or a group's id.
    pub event: Option<String>,
    /// The library that sent it, with its version.
    pub library: Option<String>,
}

impl Summary {
    /// Reads a checked message. Leaves out members of an unexpected type.
    pub fn of(message: &str) -> Self {
        let message = Members::of(message);
        let library = message.object("context").object("library");
        let version = library.text("version").map_or_else(String::new, |version| format!(" {version}"));
        let first = |names: &[&str]| names.iter().find_map(|name| message.text(name));
        Self {
            message_id: message.text("messageId"),
            message_type: message.text("type"),
            user: first(&["userId", "anonymousId"]),
            event: first(&["event", "name", "groupId"]),
            library: library.text("name").map(|name| name + &version),
        }
    }

    /// Returns the name of the identity provider whose event Segue made the message of.
    pub fn provider(&self) -> Option<&str> {
        let (library, _) = self.library.as_ref()?.split_once(' ')?;
        let message_id = self.message_id.as_ref().filter(|_| library == LIBRARY.name)?;
        provider_of_message(message_id)
    }
}

/// The members of an object, each with its JSON text. Most of them are never parsed.
struct Members<'t>(HashMap<String, &'t str>);

impl<'t> Members<'t> {
    fn of(text: &'t str) -> Self {
        Self(json::members(text).collect())
    }

    fn object(&self, name: &str) -> Self {
        Self::of(self.0.get(name).copied().unwrap_or_default())
    }

    fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.0.get(name)?).ok()
    }
}

/// Returns the id of a queued message, or the ids of a batch that is retried together.
pub fn message_ids(body: &str) -> Vec<String> {
    let id = |message: &str| {
        let (_, id) = json::members(message).find(|(name, _)| name == "messageId")?;
        serde_json::from_str(id).ok()
    };
    if body.starts_with('[') {
        json::items(body).filter_map(id).collect()
    } else {
        id(body).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_has_the_members_that_a_row_shows() {
        let summary = Summary::of(
            r#"{"type":"track","userId":"u\"1","event":"é","messageId":"m","properties":{"userId":1e400},
                "context":{"library":{"name":"analytics-node","version":"3.1.0"},"ip":"1.1.1.1"}}"#,
        );
        let expected = Summary {
            message_id: Some("m".to_owned()),
            message_type: Some("track".to_owned()),
            user: Some("u\"1".to_owned()),
            event: Some("é".to_owned()),
            library: Some("analytics-node 3.1.0".to_owned()),
        };
        assert_eq!(summary, expected);
    }

    #[test]
    fn a_message_that_segue_made_names_its_provider() {
        // A digest has hyphens too, and so may the name of a provider.
        let digest = "a-b".repeat(14) + "c";
        let (auth0, own) = (format!("auth0-{digest}"), format!("my-own-{digest}"));
        for (library, message_id, expected) in [
            (Some("segue 0.1.0"), Some(auth0.as_str()), Some("auth0")),
            (Some("segue 0.1.0"), Some(&own), Some("my-own")),
            (Some("segue 0.1.0"), Some("auth0-1"), None),
            (Some("analytics-node 3.1.0"), Some(&auth0), None),
            (None, Some(&auth0), None),
            (Some("segue 0.1.0"), None, None),
        ] {
            let text = |text: Option<&str>| text.map(str::to_owned);
            let summary =
                Summary { library: text(library), message_id: text(message_id), ..Summary::default() };
            assert_eq!(summary.provider(), expected, "{library:?} {message_id:?}");
        }
    }

    #[test]
    fn a_member_of_another_type_is_left_out() {
        for (message, user, event) in [
            (r#"{"messageId":"m","anonymousId":"a","name":"Home"}"#, Some("a"), Some("Home")),
            (r#"{"messageId":"m","userId":"u","name":7}"#, Some("u"), None),
            (r#"{"messageId":"m","groupId":"g","context":7}"#, None, Some("g")),
            (r#"{"messageId":"m","context":{"library":{"name":null,"version":"1"}}}"#, None, None),
        ] {
            let summary = Summary::of(message);
            assert_eq!(summary.message_id.as_deref(), Some("m"), "{message}");
            assert_eq!((summary.user.as_deref(), summary.event.as_deref()), (user, event), "{message}");
            assert_eq!(summary.library, None, "{message}");
        }
    }
}
