//! Formats a row of the live list as a line.

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use crate::console::terminal::escape_inline;

const DIM: Style = Style::new().dimmed();

/// Returns the time, source, type, user, event and state of a row. `anstream` removes the colors if needed.
pub fn format_row(row: &Value) -> String {
    let text = |name: &str| escape_inline(row[name].as_str().unwrap_or_default()).into_owned();
    // 2026-11-21T04:00:00.123Z
    let at = text("at");
    let time = at.get(11..23).unwrap_or(&at);
    let mut parts =
        vec![format!("{DIM}{time}{DIM:#}"), [text("source"), text("kind")].join(" ").trim().to_owned()];
    parts.extend([text("type"), text("user"), text("event")]);
    if let Some(times) = row["times"].as_u64().filter(|times| *times > 1) {
        parts.push(format!("×{times}"));
    }
    parts.retain(|part| !part.is_empty());
    format!("{}  {}", parts.join("  "), states(row).join("; "))
}

/// Returns the state of each destination, or that of the row if it has no destination.
fn states(row: &Value) -> Vec<String> {
    let destinations = row["destinations"].as_array().map(Vec::as_slice).unwrap_or_default();
    let whole = row["state"].as_str().unwrap_or_default();
    if destinations.is_empty() || whole == "dropped" {
        return vec![state(whole, row)];
    }
    destinations
        .iter()
        .map(|one| {
            format!(
                "{} {}",
                escape_inline(one["name"].as_str().unwrap_or_default()),
                state(one["state"].as_str().unwrap_or_default(), one)
            )
        })
        .collect()
}

fn state(name: &str, of: &Value) -> String {
    let color = match name {
        "delivered" => AnsiColor::Green,
        "queued" | "ignored" => AnsiColor::Blue,
        "retrying" => AnsiColor::Yellow,
        _ => AnsiColor::Red,
    };
    let style = color.on_default();
    let mut text = format!("{style}{}{style:#}", escape_inline(name));
    if let Some(attempts) = of["attempts"].as_u64().filter(|attempts| *attempts > 0 && name == "retrying") {
        text += &format!(" after attempt {attempts}");
        if let Some(due) = of["due"].as_str().and_then(|due| due.get(11..19)) {
            text += &format!(", next at {}", escape_inline(due));
        }
    }
    match of["reason"].as_str().filter(|_| name != "delivered") {
        Some(reason) => format!("{text} ({})", escape_inline(reason)),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_shows_the_state_of_a_message() {
        let mut row = json!({
            "at": "2026-11-21T04:00:00.123Z", "source": "fusionauth", "kind": "user.login.success", "type": "track",
            "user": "u1", "event": "Signed In", "times": 2, "state": "retrying", "reason": null,
            "destinations": [
                {"name": "Segment", "state": "retrying", "attempts": 3, "due": "2026-11-21T04:00:20.000Z", "reason": "Segment answered 429"},
                {"name": "a.example/1f", "state": "delivered", "attempts": 0, "due": null, "reason": null},
            ],
        });
        assert_eq!(
            strip_str(&format_row(&row)).to_string(),
            "04:00:00.123  fusionauth user.login.success  track  u1  Signed In  ×2  Segment retrying after attempt 3, next at \
             04:00:20 (Segment answered 429); a.example/1f delivered"
        );
        row["destinations"] = json!([]);
        (row["state"], row["reason"], row["type"]) =
            ("ignored".into(), "nothing changed".into(), json!(null));
        assert!(strip_str(&format_row(&row)).to_string().ends_with("×2  ignored (nothing changed)"));
    }

    #[test]
    fn control_characters_in_a_row_are_escaped() {
        let hostile = "\u{1b}[31m\u{7}\n\u{9b}\u{202e}";
        let destination = json!({"name": hostile, "state": hostile, "reason": hostile});
        let due = json!({"state": "retrying", "attempts": 1, "due": format!("2026-11-21{hostile}--------")});
        for row in [
            json!({"at": hostile, "source": hostile, "kind": hostile, "type": hostile, "user": hostile, "event": hostile}),
            json!({"state": hostile, "reason": hostile}),
            json!({"destinations": [destination, due]}),
        ] {
            let line = format_row(&row);
            let kept = strip_str(&line).to_string();
            assert!(!kept.contains('\u{202e}') && !kept.chars().any(char::is_control), "{line:?}");
            assert!(line.contains(r"\u{1b}[31m") || line.contains(r"\u{9b}"), "{line:?}");
        }
    }
}
