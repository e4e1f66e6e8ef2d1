//! The origin of a message: a server, a browser or an app.

use std::fmt;

use serde_json::{Map, Value};

/// The names of Segment's server libraries in `context.library.name`. The address that they send from is not
/// the user's.
const SERVER: [&str; 13] = [
    "@segment/analytics-node",
    "analytics-clojure",
    "analytics-go",
    "analytics-java",
    "analytics-node",
    "analytics-node-next",
    "analytics-php",
    "analytics-python",
    "analytics-ruby",
    "analytics-rust",
    "analytics.net",
    "analytics_elixir",
    "segment-rust",
];

/// Segment's libraries for apps.
const MOBILE: [&str; 8] = [
    "@segment/analytics-react-native",
    "analytics-android",
    "analytics-csharp",
    "analytics-flutter",
    "analytics-ios",
    "analytics-kotlin",
    "analytics-react-native",
    "analytics-swift",
];

/// Segment's library for browsers.
const BROWSER: &str = "analytics.js";

/// The `channel` of a message (Segment spec, "Common fields").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// A server. Its address says nothing about the user.
    Server,
    /// A browser.
    Browser,
    /// An app.
    Mobile,
}

impl Channel {
    /// Returns the channel that a message names. `None` if it names none, or one that Segment does not know.
    pub fn named(message: &Map<String, Value>) -> Option<Self> {
        let name = message.get("channel")?.as_str()?;
        [Self::Server, Self::Browser, Self::Mobile].into_iter().find(|channel| channel.as_str() == name)
    }

    /// Returns the channel of a message. `from_client` says that the request looks like one of a browser or
    /// an app. The library in the message takes precedence over it, and so does a channel that the message
    /// names.
    pub fn of(message: &Map<String, Value>, from_client: bool) -> Self {
        let context = message.get("context");
        let library = context.and_then(|context| context.get("library")?.get("name")?.as_str());
        let library = library.map(|name| name.trim().to_ascii_lowercase());
        let device = context.and_then(|context| context.get("device")?.as_object());
        let is_device = device.is_some_and(|device| !device.is_empty());
        match library.as_deref() {
            Some(name) if SERVER.contains(&name) => Self::Server,
            _ if let Some(named) = Self::named(message) => named,
            Some(name) if MOBILE.contains(&name) => Self::Mobile,
            Some(BROWSER) => Self::Browser,
            _ if is_device => Self::Mobile,
            _ if from_client => Self::Browser,
            _ => Self::Server,
        }
    }

    /// Whether the user's own device sent it.
    pub fn is_client(self) -> bool {
        self != Self::Server
    }

    /// Returns the name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Browser => "browser",
            Self::Mobile => "mobile",
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_library_tells_the_channel_or_else_the_message_and_its_request() {
        let library = |name: &str| json!({"context": {"library": {"name": name}}});
        for (message, from_client, expected) in [
            (json!({}), false, Channel::Server),
            (json!({}), true, Channel::Browser),
            (json!({"context": 7}), true, Channel::Browser),
            (json!({"context": {"library": "analytics.js"}}), false, Channel::Server),
            (json!({"context": {"library": {"name": 7}}}), false, Channel::Server),
            (library("analytics.js"), false, Channel::Browser),
            (library("analytics-node"), true, Channel::Server),
            (library("Analytics.NET"), true, Channel::Server),
            (library("analytics-ruby"), true, Channel::Server),
            (library("analytics-ios"), false, Channel::Mobile),
            (library("analytics-flutter"), true, Channel::Mobile),
            (library("@segment/analytics-react-native"), false, Channel::Mobile),
            (library("somebody's own"), false, Channel::Server),
            (library("somebody's own"), true, Channel::Browser),
            (json!({"context": {"device": {"type": "ios"}}}), false, Channel::Mobile),
            (json!({"context": {"device": null}}), false, Channel::Server),
            (json!({"context": {"device": {}}}), false, Channel::Server),
            (
                json!({"context": {"device": {"type": "ios"}, "library": {"name": "analytics-go"}}}),
                true,
                Channel::Server,
            ),
            (json!({"channel": "mobile"}), false, Channel::Mobile),
            (json!({"channel": "server"}), true, Channel::Server),
            (json!({"channel": "kiosk"}), true, Channel::Browser),
        ] {
            let object = message.as_object().unwrap();
            assert_eq!(Channel::of(object, from_client), expected, "{message} {from_client}");
        }
    }
}
