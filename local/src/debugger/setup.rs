//! The configuration that the page shows under Connect.

use axum::{Json, extract::State, http::HeaderMap};
use identity::{Provider, Providers};
use serde::Serialize;
use serde_json::{Value, json};

use super::Debugger;

/// The configuration for people.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Setup {
    pub version: &'static str,
    /// The base URL, as this machine reaches it.
    pub url: String,
    /// The deployment name, which is a part of message ids.
    pub deployment: String,
    /// Whether the stand-in replaces Segment.
    pub stand_in: bool,
    pub endpoint: String,
    /// Whether calls of Segment libraries are accepted.
    pub tracking_open: bool,
    /// The write key, if it is the stand-in's well-known one.
    pub write_key: Option<String>,
    pub webhooks: Vec<String>,
    /// Whether webhooks of identity providers are accepted without a signature or a token.
    pub unsigned: bool,
    /// The database that gets every message.
    pub warehouse: Option<String>,
    /// The treatment of deleted users at Segment.
    pub regulations: Option<String>,
    /// The members of the identity secret that are configured.
    #[serde(skip)]
    pub authenticated: Vec<String>,
    #[serde(skip)]
    pub providers: Providers,
    /// The providers that the user's files declare or change.
    #[serde(skip)]
    pub own_providers: Vec<&'static str>,
}

/// Returns the configuration, with URLs for the host of this request.
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
    json["providers"] = setup.providers.webhooks().map(provider).collect();
    Json(json)
}

/// Returns the base URL for the host of a request, with https if a proxy says so.
fn base_url(headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let scheme = if text("x-forwarded-proto") == Some("https") { "https" } else { "http" };
    text("host").map(|host| format!("{scheme}://{host}"))
}
