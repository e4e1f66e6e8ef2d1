//! The draft of a provider's file, guessed from a body. Each guess has a comment that says how to correct it.

mod parts;

use serde_json::Value;

use self::parts::{Parts, event, quoted, simple};
use crate::error::CommandError;

/// Returns the file for a provider of this name, from a body with an event of it.
///
/// # Errors
/// When the body holds no object.
pub fn of(name: &str, body: &Value) -> Result<String, CommandError> {
    let body = simple(body);
    let (list, event) = event(&body)?;
    let parts = Parts::find(event);
    // In a list of types, a star stands for any text.
    let types = if parts.type_text.contains('*') { String::new() } else { quoted(&parts.type_text) };
    let mut file = String::new();
    let mut line = |text: &str| {
        file.push_str(text);
        file.push('\n');
    };
    line(&format!(
        "# {name}, for Segue. Try it after each change: segue map --provider {name}.toml BODY.json"
    ));
    line("# docs/provider-files.md describes every key. `event` is one event, as the provider sent it.");
    line("");
    line(&format!("[{name}]"));
    line(&format!("title = {}", quoted(name)));
    line("# The event types that the provider documents. With them, Segue finds typos in the rules below.");
    line(&format!("types = [{types}]"));
    line("# Members that are never read: no rule can name them.");
    let never: Vec<String> = parts.credentials.iter().map(|path| quoted(path)).collect();
    line(&format!("never = [{}]", never.join(", ")));
    line("");
    line("# How a request proves that it is genuine. The secret goes into the identity secret:");
    line(&format!("# segue secret add {name} secret.json --provider {name}.toml --write"));
    line(&format!("[{name}.proof]"));
    line("kind = \"bearer\"");
    for (about, keys) in PROOFS {
        line(&format!("# {about}"));
        keys.iter().for_each(|key| line(&format!("#     {key}")));
    }
    line("");
    line(&format!("[{name}.event]"));
    if let Some(list) = &list {
        line("# A body has several events, in this member.");
        line(&format!("list = {}", quoted(list)));
    }
    line(&format!("type = {}", parts.type_expression()));
    match &parts.id {
        Some(id) => {
            line("# The same when the event is sent again. Without it, the whole event is its id.");
            line(&format!("id = {id}"));
        }
        None => line("# No id was found, so the whole event is its id: id = \"event.id\""),
    }
    match &parts.time {
        Some(time) => line(&format!("time = {}", quoted(time))),
        None => {
            line("# No time was found, so messages have the time of receipt: time = \"event.created_at\"");
        }
    }
    line("");
    line(
        "# The person that an event is about. For other types, add an entry above this one, with types = [\"session.*\"].",
    );
    line(&format!("[[{name}.subject]]"));
    if let Some(user) = &parts.user {
        line(&format!("user = {}", quoted(user)));
    }
    match &parts.user_id {
        Some(id) => line(&format!("userId = {id}")),
        None => {
            line("# No user's id was found. Correct this path.");
            line("userId = \"event.user.id\"");
        }
    }
    line("");
    match (&parts.ip, &parts.user_agent) {
        (None, None) => line("# No address of the person's device was found: ip, userAgent."),
        (ip, user_agent) => {
            line(
                "# The person's device. List the types of events that the person causes, not an administrator.",
            );
            line(&format!("[{name}.context]"));
            if !types.is_empty() {
                line(&format!("types = [{types}]"));
            }
            for (key, path) in [("ip", ip), ("userAgent", user_agent)] {
                if let Some(path) = path {
                    line(&format!("{key} = {}", quoted(path)));
                }
            }
        }
    }
    line("");
    line("# The user in Segment's names. Only these members can leave. Remove the # of those that you want.");
    line(&format!("[{name}.profile]"));
    for (trait_name, source) in &parts.traits {
        line(&format!("{trait_name} = {source}"));
    }
    for (trait_name, source) in &parts.others {
        line(&format!("# {trait_name} = {source}"));
    }
    line("");
    line("# What an event becomes: identify, track, group or delete. segue mappings explains the rules.");
    line(&format!("[{name}.sets.user]"));
    for (trait_name, _) in &parts.traits {
        line(&format!("{trait_name} = \"profile.{trait_name}\""));
    }
    line("");
    line(&format!("[{name}.on.{}]", quoted(&parts.type_text)));
    line("identify = { traits = \"user\" }");
    match segment_name(&parts.type_text) {
        Some(segment) => line(&format!(
            "track = {{ event = {{ provider = {}, segment = {} }} }}",
            quoted(&parts.type_text),
            quoted(segment)
        )),
        None => line("track = {}"),
    }
    Ok(file)
}

/// Returns the name in Segment's spec for an event type, if the type says what it is.
fn segment_name(event_type: &str) -> Option<&'static str> {
    let event_type = event_type.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| event_type.contains(word));
    if has(&["fail", "delete", "update", "error"]) {
        None
    } else if has(&["register", "signup", "sign_up", "user.created", "user_created", "usercreated"]) {
        Some("Signed Up")
    } else if has(&["logout", "signout", "sign_out", "logged_out", "session.ended"]) {
        Some("Signed Out")
    } else if has(&["login", "signin", "sign_in", "logged_in", "session.created", "session.started"]) {
        Some("Signed In")
    } else {
        None
    }
}

/// The other proofs, as comments.
const PROOFS: [(&str, &[&str]); 6] = [
    ("Signed by Svix or by Standard Webhooks:", &["kind = \"standard-webhooks\""]),
    (
        "Signed with an HMAC of the body (also hmac-sha1, hmac-sha512, encoding = \"base64\"):",
        &["kind = \"hmac-sha256\"", "header = \"X-Signature\"", "form = \"sha256={signature}\""],
    ),
    (
        "Signed with an HMAC of a time and the body (also timestampHeader = \"X-Time\"):",
        &[
            "kind = \"hmac-sha256\"",
            "header = \"X-Signature\"",
            "form = \"t={timestamp}, v1={signature}\"",
            "content = \"{timestamp}.{body}\"",
            "timestamp = \"seconds\"",
        ],
    ),
    (
        "A JWT with the hash of the body (or kind = \"jwt-body\", a body that is a JWT):",
        &["kind = \"jwt\"", "header = \"Authorization\"", "bodyHash = \"request_body_sha256\""],
    ),
    ("A user name and a password:", &["kind = \"basic\""]),
    ("A secret in a header:", &["kind = \"header\"", "header = \"X-Api-Key\""]),
];

#[cfg(test)]
mod tests {
    use identity::{Config, Mapper};
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    /// 2026-11-21.
    const NOW: Timestamp = Timestamp::constant(1_795_248_000, 0);

    /// Returns the user ids of the messages that a draft makes of its own body.
    fn users(body: &Value) -> Vec<String> {
        let draft = of("acme", body).unwrap();
        let mut config = Config::new("d");
        config.mappings =
            Mappings::with("acme.toml", &draft).unwrap_or_else(|error| panic!("{error}\n{draft}"));
        let provider = config.providers().named("acme").unwrap();
        let body = body.to_string();
        let body = provider.read(body.as_bytes()).unwrap();
        let mapping = Mapper::new(&config, None, NOW).map(body.events().unwrap());
        let mapping = mapping.unwrap_or_else(|error| panic!("{error}\n{draft}"));
        let id = |mapped: &identity::Mapped| mapped.message.user_id().unwrap_or_default().to_owned();
        mapping.messages.iter().map(id).collect()
    }

    use identity::Mappings;

    #[test]
    fn a_draft_maps_the_body_that_it_was_made_from() {
        for (body, user) in [
            (
                json!({"type": "user.created", "id": "e1", "data": {"id": "u1", "email": "a@example.com"}}),
                "u1",
            ),
            (json!({"event": {"type": "x", "user": {"user_id": 7, "mail": "a@example.com"}}}), "7"),
            (json!({"event_type": "login", "user_id": "u2", "ip": "203.0.113.7"}), "u2"),
            (json!([{"type": "login", "actor": {"sub": "u3", "email": "b@example.com"}}]), "u3"),
            (json!({"events": [{"name": "login", "user": {"id": "u4"}}]}), "u4"),
            (
                json!({"type": "a\"b\\c\n", "user": {"id": "u5", "odd.name": "x", "it's": 1, "{x}": true, "pass\"word": "x"}}),
                "u5",
            ),
            (json!({"user": {"uuid": "u6", "created": 1_795_248_000, "name": {"given_name": "A"}}}), "u6"),
        ] {
            assert_eq!(users(&body), [user, user], "{body}");
        }
    }

    #[test]
    fn a_credential_is_named_as_never_read_and_nowhere_else() {
        let body =
            json!({"type": "x", "user": {"id": "u", "password": "hush", "apiKey": "hush"}, "token": "hush"});
        let draft = of("acme", &body).unwrap();
        assert!(!draft.contains("hush"), "{draft}");
        assert!(
            draft.contains(r#"never = ["event.user.password", "event.user.apiKey", "event.token"]"#),
            "{draft}"
        );
        assert_eq!(draft.matches("password").count(), 2, "{draft}");
    }

    #[test]
    fn a_body_without_an_object_is_refused() {
        for body in [json!(7), json!([]), json!(["x"]), json!(null)] {
            assert!(of("acme", &body).is_err(), "{body}");
        }
    }
}
