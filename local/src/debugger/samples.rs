//! The samples of Try it, from `events/`.

use axum::{Json, extract::State};
use identity::Provider;
use serde_json::{Value, json};

use super::Debugger;

/// Pairs the providers' bodies with their names, which begin with the route.
macro_rules! bodies {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../../events/identity-webhook/bodies/", $name, ".json")))),*]
    };
}

const BODIES: &[(&str, &str)] = bodies![
    "fusionauth.user.login.success" "fusionauth.user.login.success-social" "fusionauth.user.create.complete"
    "fusionauth.user.update.complete" "fusionauth.user.update.complete-unchanged" "fusionauth.user.email.update"
    "fusionauth.user.registration.create.complete" "fusionauth.user.two-factor.failed-attempt"
    "fusionauth.user.deactivate" "fusionauth.user.delete.complete" "fusionauth.group.member.add.complete"
    "auth0.login.action" "auth0.login.rule" "auth0.login.action-refresh"
    "auth0.logs.array" "auth0.logs.lines"
    "auth0.events.user.created" "auth0.events.user.updated" "auth0.events.user.deleted"
    "auth0.events.organization.created"
    "clerk.user.created" "clerk.session.created" "clerk.organizationMembership.created"
    "okta.login-and-failure" "okta.user.session.end"
    "keycloak.access.REGISTER" "keycloak.access.LOGIN" "keycloak.admin.USER-CREATE"
    "kinde.user.created" "kinde.user.authenticated"
    "logto.PostRegister" "logto.PostSignIn" "logto.User.Deleted"
    "ory.registration.after" "ory.login.after"
    "stytch.user.CREATE" "stytch.member.CREATE"
    "supabase.auth.users.INSERT" "supabase.auth.sessions.INSERT" "supabase.auth.users.DELETE"
    "supabase-hook.after-user-created"
    "workos.user.created" "workos.session.created" "workos.organization_membership.created"
];

/// Calls of Segment libraries as API Gateway hands them over.
const CALLS: &[(&str, &str)] = &[
    ("track", include_str!("../../../events/tracking-api/track.json")),
    ("a batch with one bad message", include_str!("../../../events/tracking-api/batch-one-invalid.json")),
];

/// Returns all samples.
pub async fn samples(State(debugger): State<Debugger>) -> Json<Value> {
    let providers = debugger.view_context.config.providers();
    let mut samples = Vec::new();
    for (name, body) in BODIES {
        let of_provider = |provider: &'static Provider| {
            Some((provider, name.strip_prefix(&format!("{}.", provider.route.replace('/', ".")))?))
        };
        let Some((provider, name)) = providers.webhooks().find_map(of_provider) else { continue };
        samples.push(json!({
            "group": provider.title,
            "name": name,
            "path": format!("/identity/{}", provider.route),
            "contentType": "application/json",
            "body": body,
        }));
    }
    for provider in debugger.view_context.config.mappings.declared() {
        samples.push(json!({
            "group": provider.title,
            "name": "a body of your own",
            "path": format!("/identity/{}", provider.route),
            "contentType": "application/json",
            "body": "{}",
        }));
    }
    for (name, event) in CALLS {
        let event: Value = serde_json::from_str(event).unwrap_or_default();
        let mut body: Value =
            event["body"].as_str().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
        // Try it adds the write key of this server.
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
