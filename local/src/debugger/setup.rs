//! What is configured, for the page to say how to connect.

use axum::{Json, extract::State, http::HeaderMap};
use identity::{Provider, providers};
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

/// What is configured, with URLs as whoever asks reaches this server.
pub async fn setup(State(debugger): State<Debugger>, headers: HeaderMap) -> Json<Value> {
    let setup = &*debugger.setup;
    let mut json = json!(setup);
    let url = base_url(&headers).unwrap_or_else(|| setup.url.clone());
    json["url"] = url.as_str().into();
    let provider = |provider: &Provider| {
        let Provider { route, name, title, .. } = provider;
        json!({
            "name": title,
            "route": route,
            "url": format!("{url}/identity/{route}"),
            "authenticated": setup.authenticated.iter().any(|member| member == route || member == name),
        })
    };
    json["providers"] = providers::webhooks().map(provider).collect();
    Json(json)
}

/// The base of all URLs for the one who asks; with TLS where a proxy says so.
fn base_url(headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let scheme = if text("x-forwarded-proto") == Some("https") { "https" } else { "http" };
    text("host").map(|host| format!("{scheme}://{host}"))
}
