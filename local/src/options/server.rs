//! The `segue serve` that runs, as the commands ask it.

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

/// How long it may take to answer.
const DEADLINE: Duration = Duration::from_secs(30);

/// Where it is.
#[derive(Args)]
pub struct Server {
    /// Where the `segue serve` listens that has the store open, if there is one
    #[arg(long, env = "SEGUE_LISTEN", default_value = "127.0.0.1:3000", value_name = "ADDRESS")]
    pub listen: SocketAddr,
}

impl Server {
    /// Where it is, as this machine reaches it.
    pub fn host(&self) -> String {
        reachable(self.listen).ip().to_string()
    }

    /// Posts JSON to its page, with the page's token where there is one.
    pub async fn post(
        &self,
        path: &str,
        body: &impl Serialize,
        token: Option<&Secret>,
    ) -> Result<Value, CommandError> {
        let request = http::client()?.post(self.url(path)).header("content-type", "application/json");
        self.read(request.body(serde_json::to_vec(body)?), token).await
    }

    /// Gets JSON from its page, as [`post`](Self::post) posts it.
    pub async fn get(&self, path: &str, token: Option<&Secret>) -> Result<Value, CommandError> {
        self.read(http::client()?.get(self.url(path)), token).await
    }

    /// Deletes what its page has there, as [`post`](Self::post) posts.
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
            format!("the store is in use, but nothing answers at {listen}; say with --listen where segue serve listens")
        })?;
        Ok(serde_json::from_slice(&read_body(answer, &listen.to_string()).await?)?)
    }
}

/// The address by which this machine reaches a server that listens there.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if ip.is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
        _ => address,
    }
}

/// A request with the page's token, where there is one.
pub fn authorized(request: RequestBuilder, token: Option<&Secret>) -> RequestBuilder {
    match token {
        Some(token) => request.bearer_auth(token.expose()),
        None => request,
    }
}

/// The body of an answer, unless it is a refusal of the one at `place`.
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
            "what listens at {place} has no page: it is off, or that is no segue serve; start segue serve with --page loopback, \
             or stop it first where the command can do without"
        )
        .into());
    }
    if status == StatusCode::UNAUTHORIZED {
        return Err(format!(
            "what listens at {place} wants its page's token: run this where segue serve was started, name its folder with --data-dir, \
             or give the token with --token or SEGUE_PAGE_TOKEN"
        )
        .into());
    }
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    let message =
        answer["message"].as_str().unwrap_or("that is no answer of segue serve; is the address right?");
    Err(format!("what listens at {place} answered {status}: {}", escape_inline(message)).into())
}
