//! Who may see the page: it shows personal data, and its buttons redrive and purge.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use segment::Secret;

use crate::{
    http::names::{foreign_site, is_this_machine},
    refusal::refusal,
};

/// Who is let in.
#[derive(Clone)]
pub struct Access {
    /// Whether others than this machine are.
    pub everyone: bool,
    /// The token that opens it. None only while everything is a trial: nothing is configured, and others are kept out.
    pub token: Option<Arc<Secret>>,
    /// The cookie that holds the token once the page was opened with it. Browsers keep cookies by host and not by port, so
    /// each server of a machine has one of its own name.
    pub cookie: String,
}

impl Access {
    /// Access to the server that listens at `port`.
    pub fn new(everyone: bool, token: Option<Secret>, port: u16) -> Self {
        Self { everyone, token: token.map(Arc::new), cookie: format!("segue_page_{port}") }
    }

    fn token_in_headers<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        if let Some(bearer) =
            text(headers, header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "))
        {
            return Some(bearer);
        }
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        cookies
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .find(|(name, _)| *name == self.cookie)
            .map(|(_, value)| value)
    }
}

/// Lets in who may see the page.
pub async fn guard(
    State(access): State<Access>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    // A link of another site may lead to the page; its scripts may ask for nothing.
    let is_link = request.uri().path() == "/" && !headers.contains_key(header::ORIGIN);
    if let Some(site) = foreign_site(headers).filter(|_| !is_link) {
        return refusal(
            StatusCode::FORBIDDEN,
            "forbidden",
            &format!("This address takes nothing from {site}."),
        );
    }
    if !access.everyone && !is_this_machine(peer, &request) {
        let message = "This address answers to the machine it runs on only, by the names localhost and 127.0.0.1 and without a \
                       proxy. For others, start segue serve with --page everyone.";
        return refusal(StatusCode::FORBIDDEN, "forbidden", message);
    }
    let Some(token) = &access.token else { return next.run(request).await };
    if token_in_query(request.uri()).is_some_and(|given| token.matches(given.as_bytes())) {
        let cookie = format!("{}={}; Path=/; HttpOnly; SameSite=Strict", access.cookie, token.expose());
        let mut response = Redirect::to("/").into_response();
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        return response;
    }
    if access.token_in_headers(headers).is_some_and(|given| token.matches(given.as_bytes())) {
        return next.run(request).await;
    }
    let message = "Open the page with its token, as /?token=...: segue serve says where it is when it starts. Commands take it \
                   as --token.";
    refusal(StatusCode::UNAUTHORIZED, "unauthorized", message)
}

fn token_in_query(uri: &Uri) -> Option<&str> {
    uri.query()?.split('&').find_map(|pair| pair.strip_prefix("token=")).filter(|_| uri.path() == "/")
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}
