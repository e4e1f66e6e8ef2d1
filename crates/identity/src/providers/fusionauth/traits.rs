//! The profile: the fields of FusionAuth's guide and Segment's reserved names. The guide reads `data`,
//! `memberships`, `preferredLanguages`, `registrations` and `twoFactor` from the event, where they never are;
//! here each is read from its real place. A member counts only if it has its documented type, so nothing can
//! hide under an allowed name. An empty list is ignored, because FusionAuth sends one if it has not read the
//! data.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::identities;
use crate::{
    members::text,
    providers::shared::{insert_created_at, time},
};

#[derive(Clone, Copy)]
enum MemberType {
    Text,
    Flag,
    /// Sent as milliseconds since 1970, as FusionAuth sends it.
    Instant,
    Texts,
}

/// The user's plain members. `birthday` is Segment's name for `birthDate`, and `avatar` for `imageUrl`.
const USER: &[(&str, &str, MemberType)] = &[
    ("email", "email", MemberType::Text),
    ("firstName", "firstName", MemberType::Text),
    ("lastName", "lastName", MemberType::Text),
    ("fullName", "name", MemberType::Text),
    ("username", "username", MemberType::Text),
    ("imageUrl", "avatar", MemberType::Text),
    ("birthDate", "birthday", MemberType::Text),
    ("birthDate", "birthDate", MemberType::Text),
    ("active", "active", MemberType::Flag),
    ("connectorId", "connectorId", MemberType::Text),
    ("insertInstant", "insertInstant", MemberType::Instant),
    ("lastLoginInstant", "lastLoginInstant", MemberType::Instant),
    ("lastUpdateInstant", "lastUpdateInstant", MemberType::Instant),
    ("passwordChangeRequired", "passwordChangeRequired", MemberType::Flag),
    ("passwordLastUpdateInstant", "passwordLastUpdateInstant", MemberType::Instant),
    ("preferredLanguages", "preferredLanguages", MemberType::Texts),
    ("tenantId", "tenantId", MemberType::Text),
    ("usernameStatus", "usernameStatus", MemberType::Text),
    ("verified", "verified", MemberType::Flag),
    ("verifiedInstant", "verifiedInstant", MemberType::Instant),
];

/// The members of a registration that are sent. Its `tokens` and `authenticationToken` are credentials.
const REGISTRATION: &[(&str, &str, MemberType)] = &[
    ("applicationId", "applicationId", MemberType::Text),
    ("id", "id", MemberType::Text),
    ("insertInstant", "insertInstant", MemberType::Instant),
    ("lastLoginInstant", "lastLoginInstant", MemberType::Instant),
    ("lastUpdateInstant", "lastUpdateInstant", MemberType::Instant),
    ("preferredLanguages", "preferredLanguages", MemberType::Texts),
    ("roles", "roles", MemberType::Texts),
    ("timezone", "timezone", MemberType::Text),
    ("username", "username", MemberType::Text),
    ("usernameStatus", "usernameStatus", MemberType::Text),
    ("verified", "verified", MemberType::Flag),
    ("verifiedInstant", "verifiedInstant", MemberType::Instant),
];

const MEMBERSHIP: &[(&str, &str, MemberType)] = &[
    ("id", "id", MemberType::Text),
    ("groupId", "groupId", MemberType::Text),
    ("userId", "userId", MemberType::Text),
    ("insertInstant", "insertInstant", MemberType::Instant),
];

/// Returns a user in Segment's names.
pub(super) fn profile(user: &Map<String, Value>, now: Timestamp) -> Map<String, Value> {
    let mut traits = plain(user, USER, now);
    if let Some(phone) = text(user, "mobilePhone").or_else(|| text(user, "phoneNumber")) {
        traits.insert("phone".to_owned(), phone.into());
    }
    identities::insert_missing(user, &mut traits);
    insert_created_at(user, "insertInstant", &mut traits, now);
    if let Some(Value::Object(two_factor)) = user.get("twoFactor") {
        let methods = two_factor_methods(two_factor);
        if !methods.is_empty() {
            traits.insert("twoFactor".to_owned(), json!({"methods": methods}));
        }
    }
    for (name, list) in [("memberships", MEMBERSHIP), ("registrations", REGISTRATION)] {
        if let Some(Value::Array(items)) = user.get(name) {
            let items = items.iter().filter_map(Value::as_object);
            let items = items.map(|item| with_data(item, list, now)).filter(|item| !item.is_empty());
            let items: Vec<Value> = items.map(Value::Object).collect();
            if !items.is_empty() {
                traits.insert(name.to_owned(), items.into());
            }
        }
    }
    insert_data(user, &mut traits);
    traits
}

/// Returns the fields within the members of a profile that are not plain.
pub(super) fn nested(member: &str) -> Vec<&'static str> {
    let list = match member {
        "registrations" => REGISTRATION,
        "memberships" => MEMBERSHIP,
        "twoFactor" => return vec!["methods"],
        _ => return Vec::new(),
    };
    list.iter().map(|(_, name, _)| *name).chain(["data"]).collect()
}

/// Returns only the kinds of second factor: a method's other members are its secret and the person's
/// addresses.
fn two_factor_methods(two_factor: &Map<String, Value>) -> Vec<&str> {
    let methods = two_factor.get("methods").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    methods.iter().filter_map(|method| text(method.as_object()?, "method")).collect()
}

fn with_data(
    item: &Map<String, Value>,
    list: &[(&str, &str, MemberType)],
    now: Timestamp,
) -> Map<String, Value> {
    let mut kept = plain(item, list, now);
    insert_data(item, &mut kept);
    kept
}

/// Copies free-form data.
fn insert_data(from: &Map<String, Value>, to: &mut Map<String, Value>) {
    if let Some(Value::Object(data)) = from.get("data")
        && !data.is_empty()
    {
        to.insert("data".to_owned(), data.clone().into());
    }
}

fn plain(from: &Map<String, Value>, list: &[(&str, &str, MemberType)], now: Timestamp) -> Map<String, Value> {
    // With room for the members that are added later, so that it need not grow.
    let mut plain = Map::with_capacity(list.len() + 6);
    plain.extend(
        list.iter().filter_map(|(name, as_name, kind)| {
            Some(((*as_name).to_owned(), value(from, name, *kind, now)?))
        }),
    );
    plain
}

fn value(from: &Map<String, Value>, name: &str, kind: MemberType, now: Timestamp) -> Option<Value> {
    let value = from.get(name)?;
    let fits = match kind {
        MemberType::Text => is_text(value),
        MemberType::Flag => value.is_boolean(),
        MemberType::Instant => return Some(time(from, name, now)?.as_millisecond().into()),
        MemberType::Texts => {
            value.as_array().is_some_and(|items| !items.is_empty() && items.iter().all(is_text))
        }
    };
    fits.then(|| value.clone())
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T08:00:00Z".parse().unwrap()
    }

    fn user(value: Value) -> Map<String, Value> {
        let Value::Object(user) = value else { panic!("an object") };
        user
    }

    #[test]
    fn a_member_of_another_type_than_documented_is_no_trait() {
        let odd = user(json!({
            "email": {"address": "a@example.com"}, "firstName": 7, "lastName": " ", "active": "yes",
            "insertInstant": 1.5, "preferredLanguages": ["en", 7], "memberships": {}, "registrations": [1],
            "data": "free", "twoFactor": [], "birthDate": null, "unknown": "x",
        }));
        assert_eq!(Value::Object(profile(&odd, now())), json!({}));
    }

    #[test]
    fn second_factors_keep_only_their_kind() {
        let user = user(json!({"twoFactor": {
            "methods": [{"id": "X", "method": "authenticator", "secret": "S"}, {"method": "sms", "mobilePhone": "1"}, 5],
            "recoveryCodes": ["a", "b"],
        }}));
        assert_eq!(
            Value::Object(profile(&user, now())),
            json!({"twoFactor": {"methods": ["authenticator", "sms"]}})
        );
    }

    #[test]
    fn an_instant_is_read_like_any_time_and_left_out_when_it_is_implausible() {
        for (instant, expected) in [
            (
                json!(1_600_000_000_000_i64),
                json!({"insertInstant": 1_600_000_000_000_i64, "createdAt": "2020-09-13T12:26:40.000Z"}),
            ),
            (
                json!(1_600_000_000),
                json!({"insertInstant": 1_600_000_000_000_i64, "createdAt": "2020-09-13T12:26:40.000Z"}),
            ),
            (
                json!("2020-09-13T12:26:40Z"),
                json!({"insertInstant": 1_600_000_000_000_i64, "createdAt": "2020-09-13T12:26:40.000Z"}),
            ),
            (json!(0), json!({})),
            (json!(9_999_999_999_999_i64), json!({})),
            (json!(true), json!({})),
        ] {
            let user = user(json!({"insertInstant": instant}));
            assert_eq!(Value::Object(profile(&user, now())), expected, "{user:?}");
        }
    }
}
