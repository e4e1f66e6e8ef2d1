//! Try it: sends a body as a provider or a library would, with a valid signature or token, which is checked
//! as usual.

use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::JsonRejection},
    http::{Request, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use identity::{Mapped, Mapper};
use identity_webhook::{NoSigningKey, address_of};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ApiError, Debugger};
use crate::refusal::refusal;

/// A body and its path.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TryRequest {
    path: String,
    #[serde(default)]
    content_type: Option<String>,
    body: String,
}

/// Sends the body. Returns the answer and the ids of the new rows. If only the provider can sign it, sends
/// nothing and returns the messages that the mapping makes.
pub async fn try_it(
    State(debugger): State<Debugger>,
    sample: Result<Json<TryRequest>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(sample) = sample?;
    Ok(send(&debugger, sample).await)
}

async fn send(debugger: &Debugger, sample: TryRequest) -> Response {
    let content_type = sample.content_type.as_deref().unwrap_or("application/json");
    let request = Request::post(&sample.path).header(header::CONTENT_TYPE, content_type);
    let Ok(mut request) = request.body(Bytes::from(sample.body)) else {
        return refusal(StatusCode::BAD_REQUEST, "invalid", "The path or the content type is invalid.");
    };
    let revision = debugger.journal.revision();
    let (answer, arrival) = if let Some(address) = address_of(&sample.path) {
        if let Err(unprovable) = add_proof(debugger, address, &mut request) {
            return dry_run(debugger, address, request.body(), unprovable);
        }
        debugger.handlers.identity(request).await
    } else if sample.path.starts_with("/v1/") {
        let keys = debugger.write_keys.get().await.ok();
        let key = keys
            .as_ref()
            .and_then(|keys| keys.get(settings::DEFAULT_WRITE_KEY))
            .map_or("", |key| key.expose());
        if let Ok(value) = format!("Basic {}", STANDARD.encode(format!("{key}:"))).parse() {
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        debugger.handlers.tracking(request, None).await
    } else {
        let message = "The path must begin with /identity/ or /v1/.";
        return refusal(StatusCode::BAD_REQUEST, "invalid", message);
    };
    let ids = arrival.map_or_else(Vec::new, |arrival| debugger.journal.items_from(&arrival, revision));
    Json(json!({"status": answer.status().as_u16(), "answer": String::from_utf8_lossy(answer.body()), "ids": ids})).into_response()
}

fn add_proof(debugger: &Debugger, address: &str, request: &mut Request<Bytes>) -> Result<(), NoSigningKey> {
    let body = request.body().clone();
    let now = debugger.journal.now();
    debugger.view_context.authentication.prove(address, request.headers_mut(), &body, now)
}

/// Returns the messages that the mapping makes of a body, as `segue map` shows them.
fn dry_run(debugger: &Debugger, address: &str, body: &[u8], reason: NoSigningKey) -> Response {
    let context = &debugger.view_context;
    let mapper = Mapper::new(&context.config, context.authentication.hash_key(), debugger.journal.now());
    let explained = || mapper.explain(context.config.providers().named(address)?.read(body)?.events()?);
    match explained() {
        Ok(mapping) => {
            let message = |mapped: &Mapped| -> Value { mapped.message.as_object().clone().into() };
            let messages: Vec<Value> = mapping.messages.iter().map(message).collect();
            let ignored: Vec<String> = mapping.ignored.iter().map(ToString::to_string).collect();
            let reason = format!("Nothing was sent: {reason}. This is what the mapping makes of it.");
            Json(json!({"reason": reason, "messages": messages, "ignored": ignored})).into_response()
        }
        Err(error) => {
            refusal(StatusCode::UNPROCESSABLE_ENTITY, "unusable", &format!("Nothing was sent: {error}."))
        }
    }
}
