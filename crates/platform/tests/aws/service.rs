//! An AWS service whose answers the test sets.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use aws_config::{BehaviorVersion, Region};
use aws_sdk_sqs::config::Credentials;
use axum::{Router, http::StatusCode, routing::any};
use platform::aws::Aws;

/// The requests to the service, in order.
pub type Requests = Arc<Mutex<Vec<String>>>;

/// Starts a service that answers each request's body with the result of `answer`, or never if that is `None`.
/// Returns a client for it and its requests.
pub async fn start(
    answer: impl Fn(&str) -> Option<(u16, String)> + Send + Sync + 'static,
) -> (Aws, Requests) {
    let (url, requests) = listen(answer).await;
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::from_static("eu-central-1"))
        .credentials_provider(Credentials::new("id", "key", None, None, "test"))
        .endpoint_url(url);
    (Aws::load(loader).await.unwrap(), requests)
}

/// Starts such a service. Returns its URL and its requests.
pub async fn listen(
    answer: impl Fn(&str) -> Option<(u16, String)> + Send + Sync + 'static,
) -> (String, Requests) {
    let requests = Requests::default();
    let (seen, answer) = (requests.clone(), Arc::new(answer));
    let handler = move |body: String| {
        let (seen, answer) = (seen.clone(), answer.clone());
        async move {
            seen.lock().unwrap().push(body.clone());
            match answer(&body) {
                Some((status, text)) => (StatusCode::from_u16(status).unwrap(), text),
                None => std::future::pending().await,
            }
        }
    };
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(any(handler))).await });
    (url, requests)
}
