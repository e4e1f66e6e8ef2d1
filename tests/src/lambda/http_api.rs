//! API Gateway's HTTP API. It routes requests to functions as events of payload format 2.0.

mod event;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::Value;
use tokio::{net::TcpListener, time::Instant};

use self::event::{event, message, read, rest};
use super::Function;
use crate::{
    metrics::{Metric, Metrics},
    stack::Notes,
};

/// The largest request (API Gateway developer guide, "Quotas for configuring and running an HTTP API").
const MAX_BODY: usize = 10 << 20;

/// A route of the template.
pub(crate) struct Route {
    /// The method, such as `POST` or `ANY`.
    pub method: String,
    /// The path, such as `/v1/{proxy+}`.
    pub path: String,
    /// The function.
    pub function: Arc<Function>,
}

/// The settings of the stage for its callers.
pub(crate) struct Access {
    /// Requests a second.
    pub rate: f64,
    /// Requests at once.
    pub burst: f64,
    /// The format of a line of the access log.
    pub log_format: String,
    /// The filters that count lines of the log.
    pub filters: Vec<MetricFilter>,
}

/// Counts the lines of the log in which a member has this value.
pub(crate) struct MetricFilter {
    pub member: String,
    pub value: String,
    pub metric: Metric,
}

/// The running API. It stops with the runtime.
pub(crate) struct HttpApi {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    id: String,
    routes: Vec<Route>,
    access: Access,
    tokens: Mutex<(Instant, f64)>,
    log: Mutex<Vec<String>>,
    metrics: Arc<Metrics>,
    notes: Arc<Notes>,
}

impl HttpApi {
    /// Binds a port before there are routes, because functions may need the address.
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
        access: Access,
        metrics: Arc<Metrics>,
        notes: Arc<Notes>,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let tokens = Mutex::new((Instant::now(), access.burst));
        let id = id.to_owned();
        let shared = Arc::new(Shared { id, routes, access, tokens, log: Mutex::default(), metrics, notes });
        let router = Router::new().fallback(handle).with_state(shared.clone());
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { address, shared }
    }

    /// Returns its URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns its access log.
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
    if !shared.takes_another() {
        return shared.answer(
            "-",
            StatusCode::TOO_MANY_REQUESTS,
            HeaderMap::new(),
            message("Too Many Requests"),
        );
    }
    let (method, path) = (parts.method.as_str(), parts.uri.path());
    let mut matching: Vec<&Route> = shared
        .routes
        .iter()
        .filter(|route| route.method == "ANY" || route.method == method)
        .filter(|route| rest(&route.path, path).is_some())
        .collect();
    // A full match takes precedence over a greedy one.
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
    /// Whether the token bucket allows another request (API Gateway developer guide, "Throttle requests to
    /// your HTTP APIs").
    fn takes_another(&self) -> bool {
        let mut tokens = self.tokens.lock().unwrap();
        let now = Instant::now();
        let filled = tokens.1 + (now - tokens.0).as_secs_f64() * self.access.rate;
        *tokens = (now, filled.min(self.access.burst));
        let takes = tokens.1 >= 1.0;
        tokens.1 -= f64::from(u8::from(takes));
        takes
    }

    fn answer(&self, key: &str, status: StatusCode, headers: HeaderMap, body: Bytes) -> Response {
        self.metrics.aws("AWS/ApiGateway", "Count", ("ApiId", &self.id), 1.0);
        if status.is_server_error() {
            self.metrics.aws("AWS/ApiGateway", "5xx", ("ApiId", &self.id), 1.0);
        }
        let mut line = self.access.log_format.clone();
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
        let logged: Value = serde_json::from_str(&line).unwrap();
        for filter in self.access.filters.iter().filter(|filter| logged[&filter.member] == *filter.value) {
            self.metrics.add(filter.metric.clone(), 1.0);
        }
        self.log.lock().unwrap().push(line);
        (status, headers, Body::from(body)).into_response()
    }
}
