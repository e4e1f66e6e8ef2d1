//! The page: plain HTML. It reloads itself until something has arrived, and then no more, because that would
//! close the message that somebody has opened.

use std::fmt::Write;

use segment::Endpoint;
use serde_json::Value;

use crate::stand_in::Entry;

const HEAD: &str = include_str!("page.html");

/// Renders the page. `counts` are each queue's name, its depth and its dead letters.
pub fn render(entries: &[Entry], counts: &[(&str, u64, u64)], endpoint: Option<&Endpoint>) -> String {
    let mut html = HEAD.to_owned();
    for (name, depth, dead) in counts {
        // Writing into a string cannot fail, here and below.
        let _ = write!(
            html,
            "<p>Waiting for {name}: <b>{depth}</b>. In the dead-letter queue: <b>{dead}</b>.</p>"
        );
    }
    if let Some(endpoint) = endpoint {
        let endpoint = escape(&endpoint.to_string());
        let _ = write!(html, "<p>Messages go to {endpoint}; Segment's own debugger shows them.</p>");
    } else if entries.is_empty() {
        html += "<meta http-equiv=refresh content=2><p>Nothing has arrived yet. Paste the webhook URL that the terminal shows into FusionAuth, or \
                 run the <code>curl</code> line there.</p>";
    } else {
        html += "<p><a href=/>Reload</a> to see what came since.</p><table><thead><tr><th>Received<th>Type<th>User<th>Event<th>Message</tr></thead><tbody>";
        entries.iter().for_each(|entry| row(&mut html, entry));
        html += "</tbody></table>";
    }
    html += "</main></body></html>";
    html
}

fn row(html: &mut String, entry: &Entry) {
    let message: Value = serde_json::from_str(&entry.message).unwrap_or_default();
    let text = |field: &str| escape(message[field].as_str().unwrap_or_default());
    let pretty = escape(&serde_json::to_string_pretty(&message).unwrap_or_default());
    let user = if message["userId"].is_null() { text("anonymousId") } else { text("userId") };
    let dropped =
        entry.dropped.as_deref().map(|reason| format!("<em>Segment drops it: {}</em>", escape(reason)));
    let _ = write!(
        html,
        "<tr><td><time>{}</time><td>{}<td>{user}<td>{}<td>{}<details><summary>{}</summary><pre>{pretty}</pre></details></tr>",
        escape(&entry.received_at),
        text("type"),
        text("event"),
        dropped.unwrap_or_default(),
        message["messageId"].as_str().map_or_else(|| "without a messageId".to_owned(), escape),
    );
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_message_holds_is_text_and_never_markup() {
        let entry = Entry {
            received_at: "2026-11-21T04:00:00.000Z".to_owned(),
            message_id: None,
            message: r#"{"type":"identify","userId":"<img src=x onerror='alert(1)'>","event":"\"&"}"#
                .to_owned(),
            dropped: Some("<b>".to_owned()),
        };
        let html = render(&[entry], &[], None);
        assert!(!html.contains("<img") && !html.contains("<b>:"));
        assert!(html.contains("<td>&lt;img src=x onerror=&#39;alert(1)&#39;&gt;<td>&quot;&amp;<td>"));
    }
}
