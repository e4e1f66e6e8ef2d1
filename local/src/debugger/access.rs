//! Guards the page, which shows personal data and can redrive and purge.

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

/// The access rules of the page.
#[derive(Clone)]
pub struct Access {
    /// Whether other machines have access.
    pub everyone: bool,
    /// The token that opens the page. None only if nothing is configured and other machines have no access.
    pub token: Option<Arc<Secret>>,
    /// The name of the cookie with the token. Browsers share cookies between the ports of a host, so it
    /// contains the port.
    pub cookie: String,
}

impl Access {
    /// Creates the rules for the server on `port`.
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

/// Refuses requests without access.
pub async fn guard(
    State(access): State<Access>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    // Another site may link to the page, but its scripts have no access.
    let is_link = request.uri().path() == "/" && !headers.contains_key(header::ORIGIN);
    if let Some(site) = foreign_site(headers).filter(|_| !is_link) {
        return refusal(
            StatusCode::FORBIDDEN,
            "forbidden",
            &format!("This address accepts no requests from {site}."),
        );
    }
    if !access.everyone && !is_this_machine(peer, &request) {
        let message = "Only this machine can open the page, as localhost or 127.0.0.1 and without a proxy. For other machines, start \
                       segue serve with --page everyone.";
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
    let message = "Open the page with its token, as /?token=...: it is in segue.page-token in the data directory. Commands take \
                   it as --token.";
    refusal(StatusCode::UNAUTHORIZED, "unauthorized", message)
}

fn token_in_query(uri: &Uri) -> Option<&str> {
    uri.query()?.split('&').find_map(|pair| pair.strip_prefix("token=")).filter(|_| uri.path() == "/")
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}
