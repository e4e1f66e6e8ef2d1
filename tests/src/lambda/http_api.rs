//! API Gateway's HTTP API: routes requests to functions, as events of payload format 2.0.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use super::Function;
use crate::{cloud::ACCOUNT, metrics::Metrics, stack::Notes};

/// API Gateway developer guide, "Quotas for configuring and running an HTTP API".
const MAX_BODY: usize = 10 << 20;

/// What a caller gets.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Lower-case names with their values.
    pub headers: BTreeMap<String, String>,
    /// The body as JSON. Another text is a string, none is `null`.
    pub body: Value,
}

/// A route of the template.
pub(crate) struct Route {
    /// Such as `POST`, or `ANY`.
    pub method: String,
    /// Such as `/v1/{proxy+}`.
    pub path: String,
    /// What it leads to.
    pub function: Arc<Function>,
}

/// The running API. It stops with the runtime.
pub(crate) struct HttpApi {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    id: String,
    routes: Vec<Route>,
    log_format: String,
    log: Mutex<Vec<String>>,
    metrics: Arc<Metrics>,
    notes: Arc<Notes>,
}

impl HttpApi {
    /// Binds a port before there are routes: functions may want to know the address.
    pub(crate) async fn bind() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        (listener, url)
    }

    /// Serves the routes.
    pub(crate) fn serve(
        listener: TcpListener,
        id: &str,
        routes: Vec<Route>,
        log_format: &str,
        metrics: Arc<Metrics>,
        notes: Arc<Notes>,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let (id, log_format) = (id.to_owned(), log_format.to_owned());
        let shared = Arc::new(Shared { id, routes, log_format, log: Mutex::default(), metrics, notes });
        let router = Router::new().fallback(handle).with_state(shared.clone());
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { address, shared }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its access log.
    pub(crate) fn log(&self) -> Vec<String> {
        self.shared.log.lock().unwrap().clone()
    }
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return shared.answer(
            "-",
            StatusCode::PAYLOAD_TOO_LARGE,
            HeaderMap::new(),
            message("Request Entity Too Large"),
        );
    };
    let (method, path) = (parts.method.as_str(), parts.uri.path());
    let mut matching: Vec<&Route> = shared
        .routes
        .iter()
        .filter(|route| route.method == "ANY" || route.method == method)
        .filter(|route| rest(&route.path, path).is_some())
        .collect();
    // A full match goes before a greedy one.
    matching.sort_by_key(|route| (route.path.contains('{'), route.method == "ANY"));
    let Some(route) = matching.first() else {
        shared.notes.add(format!("no route of the HTTP API takes {method} {path}"));
        return shared.answer("-", StatusCode::NOT_FOUND, HeaderMap::new(), message("Not Found"));
    };
    let key = format!("{} {}", route.method, route.path);
    let event = event(&shared.id, &key, route, &parts, &body, peer);
    let failed = || message("Internal Server Error");
    let (status, headers, body) = match route.function.invoke(event.to_string()).await {
        Ok(answer) => {
            read(&answer).unwrap_or_else(|| (StatusCode::INTERNAL_SERVER_ERROR, HeaderMap::new(), failed()))
        }
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, HeaderMap::new(), failed()),
    };
    shared.answer(&key, status, headers, body)
}

impl Shared {
    fn answer(&self, key: &str, status: StatusCode, headers: HeaderMap, body: Bytes) -> Response {
        self.metrics.aws("AWS/ApiGateway", "Count", ("ApiId", &self.id), 1.0);
        if status.is_server_error() {
            self.metrics.aws("AWS/ApiGateway", "5xx", ("ApiId", &self.id), 1.0);
        }
        let mut line = self.log_format.clone();
        for (variable, value) in [
            ("$context.requestId", "request".to_owned()),
            ("$context.routeKey", key.to_owned()),
            ("$context.status", status.as_str().to_owned()),
            ("$context.responseLatency", "1".to_owned()),
            ("$context.responseLength", body.len().to_string()),
            ("$context.integrationErrorMessage", "-".to_owned()),
        ] {
            line = line.replace(variable, &value);
        }
        self.log.lock().unwrap().push(line);
        (status, headers, Body::from(body)).into_response()
    }
}

/// What the path has where the route has `{proxy+}`.
fn rest<'a>(route: &str, path: &'a str) -> Option<&'a str> {
    match route.split_once("{proxy+}") {
        Some((head, "")) => path.strip_prefix(head).filter(|rest| !rest.is_empty()),
        _ => (route == path).then_some(""),
    }
}

/// API Gateway developer guide, "AWS Lambda proxy integrations", payload format version 2.0.
fn event(
    id: &str,
    key: &str,
    route: &Route,
    parts: &axum::http::request::Parts,
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
    let is_text = ["text/", "application/json", "application/javascript", "application/xml"]
        .iter()
        .any(|kind| header("content-type").starts_with(kind));
    let plain =
        (is_text && header("content-encoding").is_empty()).then(|| std::str::from_utf8(body).ok()).flatten();
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
        event["body"] = plain.map_or_else(|| STANDARD.encode(body), str::to_owned).into();
    }
    event
}

/// The function's answer, if it is one that API Gateway understands.
fn read(answer: &str) -> Option<(StatusCode, HeaderMap, Bytes)> {
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

fn message(text: &str) -> Bytes {
    json!({"message": text}).to_string().into()
}
