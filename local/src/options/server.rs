//! Requests of commands to a running `segue serve`.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use clap::Args;
use platform::http;
use reqwest::{RequestBuilder, Response, StatusCode};
use segment::Secret;
use serde::Serialize;
use serde_json::Value;

use crate::{console::terminal::escape_inline, error::CommandError};

/// The time limit of a request.
const DEADLINE: Duration = Duration::from_secs(30);

/// The address of the server.
#[derive(Args)]
pub struct Server {
    /// The address of a running segue serve. If it has the store open, it does the work
    #[arg(long, env = "SEGUE_LISTEN", default_value = "127.0.0.1:3000", value_name = "ADDRESS")]
    pub listen: SocketAddr,
}

impl Server {
    /// Returns the host at which this machine reaches it.
    pub fn host(&self) -> String {
        reachable(self.listen).ip().to_string()
    }

    /// Posts JSON to its page, with the page's token if there is one.
    pub async fn post(
        &self,
        path: &str,
        body: &impl Serialize,
        token: Option<&Secret>,
    ) -> Result<Value, CommandError> {
        let request = http::client()?.post(self.url(path)).header("content-type", "application/json");
        self.read(request.body(serde_json::to_vec(body)?), token).await
    }

    /// Gets JSON from its page, like [`post`](Self::post).
    pub async fn get(&self, path: &str, token: Option<&Secret>) -> Result<Value, CommandError> {
        self.read(http::client()?.get(self.url(path)), token).await
    }

    /// Sends a DELETE to its page, like [`post`](Self::post).
    pub async fn delete(&self, path: &str, token: Option<&Secret>) -> Result<Value, CommandError> {
        self.read(http::client()?.delete(self.url(path)), token).await
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/debugger/api/{path}", reachable(self.listen))
    }

    async fn read(&self, request: RequestBuilder, token: Option<&Secret>) -> Result<Value, CommandError> {
        let listen = self.listen;
        let answer = authorized(request, token).timeout(DEADLINE).send().await;
        let answer = answer.map_err(|_| {
            format!("the store is in use, but no server answers at {listen}; pass the address of segue serve with --listen")
        })?;
        Ok(serde_json::from_slice(&read_body(answer, &listen.to_string()).await?)?)
    }
}

/// Returns the address at which this machine reaches a server that listens at `address`.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if ip.is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
        _ => address,
    }
}

/// Adds the page's token to a request, if there is one.
pub fn authorized(request: RequestBuilder, token: Option<&Secret>) -> RequestBuilder {
    match token {
        Some(token) => request.bearer_auth(token.expose()),
        None => request,
    }
}

/// Reads the body of an answer.
///
/// # Errors
/// A sentence if the status is an error. `place` is the server's address.
pub async fn read_body(mut answer: Response, place: &str) -> Result<Vec<u8>, CommandError> {
    let status = answer.status();
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
        body.extend_from_slice(&chunk);
    }
    if status.is_success() {
        return Ok(body);
    }
    if status == StatusCode::NOT_FOUND {
        return Err(format!(
            "the server at {place} has no page: the page is off, or it is not segue serve; start segue serve with --page \
             loopback, or stop it and run this command without it"
        )
        .into());
    }
    if status == StatusCode::UNAUTHORIZED {
        return Err(format!(
            "the server at {place} needs its page's token: run this in the folder where segue serve was started, name its \
             data directory with --data-dir, or pass the token with --token or SEGUE_PAGE_TOKEN"
        )
        .into());
    }
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    let message =
        answer["message"].as_str().unwrap_or("this is not an answer of segue serve; check the address");
    Err(format!("the server at {place} answered {status}: {}", escape_inline(message)).into())
}
