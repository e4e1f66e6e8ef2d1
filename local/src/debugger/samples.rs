//! What there is to try: the samples of `events/`.

use axum::Json;
use serde_json::{Value, json};

use super::setup::name_of;

/// A provider's bodies, each by its route and its file's name.
macro_rules! bodies {
    ($($route:literal: $($name:literal),*;)*) => {
        &[$($(($route, $name, include_str!(concat!("../../../events/identity-webhook/bodies/", $name, ".json")))),*),*]
    };
}

const BODIES: &[(&str, &str, &str)] = bodies![
    "fusionauth":
        "fusionauth.user.login.success", "fusionauth.user.login.success-social", "fusionauth.user.create.complete",
        "fusionauth.user.update.complete", "fusionauth.user.update.complete-unchanged", "fusionauth.user.email.update",
        "fusionauth.user.registration.create.complete", "fusionauth.user.two-factor.failed-attempt",
        "fusionauth.user.deactivate", "fusionauth.user.delete.complete", "fusionauth.group.member.add.complete";
    "auth0/login": "auth0.login.action", "auth0.login.rule", "auth0.login.action-refresh";
    "auth0/logs": "auth0.logs.array", "auth0.logs.lines";
    "auth0/events":
        "auth0.events.user.created", "auth0.events.user.updated", "auth0.events.user.deleted",
        "auth0.events.organization.created";
    "clerk": "clerk.user.created", "clerk.session.created", "clerk.organizationMembership.created";
    "okta": "okta.login-and-failure", "okta.user.session.end";
];

/// Calls of Segment libraries as API Gateway hands them over.
const CALLS: &[(&str, &str)] = &[
    ("track", include_str!("../../../events/tracking-api/track.json")),
    ("a batch with one bad message", include_str!("../../../events/tracking-api/batch-one-invalid.json")),
];

/// All samples.
pub async fn samples() -> Json<Value> {
    let mut samples = Vec::new();
    for (route, name, body) in BODIES {
        let provider = route.split('/').next().unwrap_or(route);
        samples.push(json!({
            "group": name_of(provider),
            "name": name.strip_prefix(&format!("{}.", route.replace('/', "."))).unwrap_or(name),
            "path": format!("/identity/{route}"),
            "contentType": "application/json",
            "body": body,
        }));
    }
    for (name, event) in CALLS {
        let event: Value = serde_json::from_str(event).unwrap_or_default();
        let mut body: Value =
            event["body"].as_str().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
        // The page's own goes with it.
        body.as_object_mut().map(|body| body.remove("writeKey"));
        samples.push(json!({
            "group": "Segment library",
            "name": name,
            "path": event["rawPath"],
            "contentType": "application/json",
            "body": format!("{body:#}"),
        }));
    }
    Json(json!({ "samples": samples }))
}
