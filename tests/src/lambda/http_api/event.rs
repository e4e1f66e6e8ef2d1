//! Converts a request into the event for a function, and the function's answer into a response.

use std::{borrow::Cow, collections::BTreeMap, net::SocketAddr};

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, request::Parts},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::Route;
use crate::cloud::ACCOUNT;

/// Returns the part of the path for `{proxy+}` in the route.
pub(super) fn rest<'a>(route: &str, path: &'a str) -> Option<&'a str> {
    match route.split_once("{proxy+}") {
        Some((head, "")) => path.strip_prefix(head).filter(|rest| !rest.is_empty()),
        _ => (route == path).then_some(""),
    }
}

/// Returns the event (API Gateway developer guide, "AWS Lambda proxy integrations", payload format version
/// 2.0).
pub(super) fn event(
    id: &str,
    key: &str,
    route: &Route,
    parts: &Parts,
    body: &[u8],
    peer: SocketAddr,
) -> Value {
    let path = parts.uri.path();
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in &parts.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let all = headers.entry(name.as_str().to_owned()).or_default();
        *all = if all.is_empty() { value.into_owned() } else { format!("{all},{value}") };
    }
    headers.insert("x-forwarded-for".to_owned(), peer.ip().to_string());
    headers.insert("x-forwarded-proto".to_owned(), "https".to_owned());
    let header = |name: &str| headers.get(name).map(String::as_str).unwrap_or_default();
    // The content type alone decides, as others measured (ministackorg/ministack#766): gzip with the content
    // type JSON is damaged.
    let is_text = ["text/", "application/json", "application/javascript", "application/xml"]
        .iter()
        .any(|kind| header("content-type").starts_with(kind));
    let plain = is_text.then(|| String::from_utf8_lossy(body));
    let mut event = json!({
        "version": "2.0",
        "routeKey": key,
        "rawPath": path,
        "rawQueryString": parts.uri.query().unwrap_or_default(),
        "headers": headers,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": id,
            "domainName": header("host"),
            "domainPrefix": id,
            "http": {
                "method": parts.method.as_str(),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": peer.ip().to_string(),
                "userAgent": header("user-agent"),
            },
            "requestId": "request",
            "routeKey": key,
            "stage": "$default",
            "time": "21/Nov/2026:08:00:00 +0000",
            "timeEpoch": 1_795_248_000_000_u64,
        },
        "isBase64Encoded": plain.is_none() && !body.is_empty(),
    });
    if let Some(rest) = rest(&route.path, path).filter(|rest| !rest.is_empty()) {
        event["pathParameters"] = json!({"proxy": rest});
    }
    if !body.is_empty() {
        event["body"] = plain.map_or_else(|| STANDARD.encode(body), Cow::into_owned).into();
    }
    event
}

/// Reads the function's answer, if API Gateway understands it.
pub(super) fn read(answer: &str) -> Option<(StatusCode, HeaderMap, Bytes)> {
    let answer: Map<String, Value> = serde_json::from_str(answer).ok()?;
    let status = StatusCode::from_u16(answer.get("statusCode")?.as_u64()?.try_into().ok()?).ok()?;
    let mut headers = HeaderMap::new();
    for (name, value) in answer.get("headers").and_then(Value::as_object).into_iter().flatten() {
        headers.insert(HeaderName::try_from(name).ok()?, HeaderValue::try_from(value.as_str()?).ok()?);
    }
    let body = answer.get("body").and_then(Value::as_str).unwrap_or_default();
    let body = match answer.get("isBase64Encoded").and_then(Value::as_bool) {
        Some(true) => STANDARD.decode(body).ok()?.into(),
        _ => Bytes::from(body.to_owned()),
    };
    Some((status, headers, body))
}

/// Returns the API's own message.
pub(super) fn message(text: &str) -> Bytes {
    json!({"message": text}).to_string().into()
}
