//! What is configured, for the page to say how to connect.

use axum::{Json, extract::State};
use serde::Serialize;
use serde_json::{Value, json};

use super::Debugger;

/// What is configured.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Setup {
    pub version: &'static str,
    /// The base of all URLs here, as this machine reaches it.
    pub url: String,
    /// The name that goes into message ids.
    pub deployment: String,
    /// Whether the stand-in takes Segment's place.
    pub stand_in: bool,
    pub endpoint: String,
    /// Whether calls of Segment libraries are taken.
    pub tracking_open: bool,
    /// The write key, where it is no secret.
    pub write_key: Option<String>,
    pub webhooks: Vec<String>,
    /// Whether webhooks of identity providers are taken without proof.
    pub unsigned: bool,
    /// What becomes of deleted users at Segment.
    pub regulations: Option<String>,
    /// The members of the identity secret that are configured.
    #[serde(skip)]
    pub authenticated: Vec<String>,
}

/// What is configured.
pub async fn setup(State(debugger): State<Debugger>) -> Json<Value> {
    let setup = &*debugger.setup;
    let mut json = json!(setup);
    let provider = |route: &&str| {
        let name = route.split('/').next().unwrap_or(route);
        json!({
            "name": name_of(name),
            "route": route,
            "url": format!("{}/identity/{route}", setup.url),
            "authenticated": setup.authenticated.iter().any(|member| member == route || member == name),
        })
    };
    json["providers"] = identity_webhook::addresses().iter().map(provider).collect();
    Json(json)
}

/// How a provider writes its name.
pub fn name_of(provider: &str) -> &str {
    match provider {
        "fusionauth" => "FusionAuth",
        "auth0" => "Auth0",
        "clerk" => "Clerk",
        "okta" => "Okta",
        other => other,
    }
}
