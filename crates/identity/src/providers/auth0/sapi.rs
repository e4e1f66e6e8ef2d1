//! `sapi`: a call of the Management API. The log's `user_id` is the caller. The user that the call is about
//! is in the request's path, in its body, or in the response.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::{
    error::Unusable,
    event::Subject,
    members::{object, text},
    path::find,
};

pub(super) const CODE: &str = "sapi";

/// The user and the organization that a call is about.
pub(super) struct CallSubject<'a> {
    pub subject: Subject<'a>,
    pub organization: Option<Cow<'a, str>>,
    /// The name of one member, when a call names several.
    pub member: Option<&'a str>,
}

/// Returns the subjects of a call: several users when members were added to or removed from an organization,
/// otherwise at most one.
pub(super) fn call_subjects(log: &Map<String, Value>) -> Vec<Result<CallSubject<'_>, Unusable>> {
    let segments = segments(log);
    let subject = match Resource::of(segments.as_deref()) {
        Resource::Members(organization) => return members(log, &organization),
        Resource::User(id) => Subject::User(id),
        // The answer to a deletion has no user. A user in it would be somebody else, and a deletion cannot be
        // undone.
        Resource::Users | Resource::Unknown if !is_deletion(log) => match response(log) {
            // A new user has an id only in the response.
            Some(user) => Subject::user(user, "user_id", "details.response.body.user_id"),
            None => Subject::Unknown(Unusable::new("details.response.body.user_id", "is missing")),
        },
        _ => Subject::Unknown(Unusable::new("details.request.path", "is not that of a user")),
    };
    vec![Ok(CallSubject { subject, organization: organization(segments.as_deref()), member: None })]
}

fn members<'a>(
    log: &'a Map<String, Value>,
    organization: &Cow<'a, str>,
) -> Vec<Result<CallSubject<'a>, Unusable>> {
    let place = "details.request.body.members";
    let members = find(log, place.split('.')).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if members.is_empty() {
        return vec![Err(Unusable::new(place, "has no members"))];
    }
    let one = |(index, member): (usize, &'a Value)| match member.as_str() {
        Some(id) if !id.trim().is_empty() => Ok(CallSubject {
            subject: Subject::User(id.into()),
            organization: Some(organization.clone()),
            member: Some(id),
        }),
        _ => Err(Unusable::new(format!("{place}.{index}"), "must be a user's id")),
    };
    members.iter().enumerate().map(one).collect()
}

/// Returns the user in the response, if the call was about a user.
pub(super) fn user(log: &Map<String, Value>) -> Option<&Map<String, Value>> {
    match Resource::of(segments(log).as_deref()) {
        Resource::Users | Resource::Unknown => response(log).filter(|user| user.contains_key("user_id")),
        // An answer about somebody else would give the user another person's traits.
        Resource::User(id) => response(log).filter(|user| text(user, "user_id") == Some(&*id)),
        Resource::Members(_) | Resource::Other => None,
    }
}

fn is_deletion(log: &Map<String, Value>) -> bool {
    let method = find(log, ["details", "request", "method"].into_iter()).and_then(Value::as_str);
    let description = text(log, "description").unwrap_or_default().to_ascii_lowercase();
    description.contains("delete") || method.is_some_and(|method| method.eq_ignore_ascii_case("delete"))
}

/// Returns the user in the request's path.
pub(super) fn user_in_path(log: &Map<String, Value>) -> Option<Cow<'_, str>> {
    match Resource::of(segments(log).as_deref()) {
        Resource::User(id) => Some(id),
        _ => None,
    }
}

/// Returns the organization in the request's path.
pub(super) fn organization_in_path(log: &Map<String, Value>) -> Option<Cow<'_, str>> {
    organization(segments(log).as_deref())
}

fn organization<'a>(segments: Option<&[&'a str]>) -> Option<Cow<'a, str>> {
    match segments? {
        ["organizations", id, ..] => decoded(id),
        _ => None,
    }
}

/// The resource that the request's path names.
enum Resource<'a> {
    Users,
    User(Cow<'a, str>),
    Members(Cow<'a, str>),
    Other,
    /// Old logs have no path.
    Unknown,
}

impl<'a> Resource<'a> {
    fn of(segments: Option<&[&'a str]>) -> Self {
        let Some(segments) = segments else { return Self::Unknown };
        let place = match segments {
            ["users"] => Some(Self::Users),
            ["users", id, ..] | ["organizations", _, "members", id, ..] => decoded(id).map(Self::User),
            ["organizations", id, "members"] => decoded(id).map(Self::Members),
            _ => None,
        };
        place.unwrap_or(Self::Other)
    }
}

fn segments(log: &Map<String, Value>) -> Option<Vec<&str>> {
    let path = text(object(object(log, "details")?, "request")?, "path")?;
    let path = path.split(['?', '#']).next().unwrap_or(path);
    let path = path.strip_prefix("/api/v2/").unwrap_or(path);
    Some(path.split('/').filter(|segment| !segment.is_empty()).collect())
}

fn response(log: &Map<String, Value>) -> Option<&Map<String, Value>> {
    object(object(object(log, "details")?, "response")?, "body")
}

/// Decodes a percent-encoded part of a path: `auth0%7C1` is the user `auth0|1`.
fn decoded(segment: &str) -> Option<Cow<'_, str>> {
    percent_decode_str(segment).decode_utf8().ok().filter(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_of_a_path_is_decoded_once_or_is_none() {
        for (segment, expected) in [
            ("auth0%7C68d0", Some("auth0|68d0")),
            ("auth0|68d0", Some("auth0|68d0")),
            ("auth0%7c68d0", Some("auth0|68d0")),
            ("samlp%7Ccorp%7Cada%40example.com", Some("samlp|corp|ada@example.com")),
            ("email%7C%C3%B8", Some("email|ø")),
            ("a%257Cb", Some("a%7Cb")),
            ("50%", Some("50%")),
            ("a%+1b", Some("a%+1b")),
            ("a%zz", Some("a%zz")),
            ("%FF", None),
            ("%20", None),
        ] {
            assert_eq!(decoded(segment).as_deref(), expected, "{segment}");
        }
    }
}
