//! An Auth0 user in Segment's names: the members that Auth0 itself defines and that describe the person.
//!
//! `user_metadata` and `app_metadata` may hold anything, so they are not read. `identities` hold other
//! providers' access tokens, so only the names of the connections are read. A member counts only if it has
//! its documented type, so nothing can hide under an allowed name.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::{
    members::{renamed, text},
    providers::shared::insert_created_at,
};

const TEXTS: &[(&str, &str)] = &[
    ("email", "email"),
    ("given_name", "firstName"),
    ("family_name", "lastName"),
    ("name", "name"),
    ("nickname", "nickname"),
    ("username", "username"),
    ("picture", "avatar"),
    ("phone_number", "phone"),
];

const FLAGS: &[(&str, &str)] =
    &[("email_verified", "emailVerified"), ("phone_verified", "phoneVerified"), ("blocked", "blocked")];

/// Returns the user in Segment's names.
pub(super) fn profile(user: &Map<String, Value>, now: Timestamp) -> Map<String, Value> {
    let mut profile = renamed(user, TEXTS);
    for (name, to) in FLAGS {
        if let Some(flag @ Value::Bool(_)) = user.get(*name) {
            profile.insert((*to).to_owned(), flag.clone());
        }
    }
    insert_created_at(user, "created_at", &mut profile, now);
    if let Some(count) = user.get("logins_count").filter(|count| count.is_u64()) {
        profile.insert("loginsCount".to_owned(), count.clone());
    }
    if let Some(Value::Array(identities)) = user.get("identities") {
        let connections = identities.iter().filter_map(|identity| text(identity.as_object()?, "connection"));
        let connections: Vec<&str> = connections.collect();
        if !connections.is_empty() {
            profile.insert("connections".to_owned(), connections.into());
        }
    }
    profile
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T08:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_user_is_described_in_segments_names_and_nothing_else_is_sent() {
        let user = json!({
            "user_id": "auth0|1", "email": "a@example.com", "email_verified": false, "given_name": "Ada",
            "family_name": "Berg", "name": "Ada Berg", "nickname": "ada", "username": "ab", "phone_number": "+4520",
            "phone_verified": true, "picture": "https://cdn.example.com/a.png", "blocked": false,
            "created_at": "2025-11-21T09:00:00+01:00", "updated_at": "2025-11-21T08:00:00Z", "logins_count": 3,
            "last_ip": "203.0.113.7", "user_metadata": {"a": 1}, "app_metadata": {"b": 2}, "multifactor": ["otp"],
            "identities": [{"connection": "db", "access_token": "x", "profileData": {"email": "b@example.com"}}],
            "unheard_of": "x",
        });
        let expected = json!({
            "email": "a@example.com", "firstName": "Ada", "lastName": "Berg", "name": "Ada Berg", "nickname": "ada",
            "username": "ab", "avatar": "https://cdn.example.com/a.png", "phone": "+4520", "emailVerified": false,
            "phoneVerified": true, "blocked": false, "createdAt": "2025-11-21T08:00:00.000Z", "loginsCount": 3,
            "connections": ["db"],
        });
        assert_eq!(Value::Object(profile(user.as_object().unwrap(), now())), expected);
    }

    #[test]
    fn a_member_of_another_type_than_documented_is_left_out() {
        let odd = json!({
            "email": {"a": 1}, "given_name": 7, "family_name": " ", "name": null, "email_verified": "true",
            "blocked": 1, "created_at": "soon", "logins_count": -1, "phone_number": [],
            "identities": [7, {}, {"connection": {"x": 1}}],
        });
        assert_eq!(Value::Object(profile(odd.as_object().unwrap(), now())), json!({}));
    }
}
