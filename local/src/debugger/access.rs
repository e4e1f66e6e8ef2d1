//! Who may see the page: it shows personal data, and its buttons redrive and purge.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use segment::Secret;

use crate::router::refusal;

/// The cookie that holds the token once the page was opened with it.
const COOKIE: &str = "segue_page";

/// Who is let in.
#[derive(Clone)]
pub enum Access {
    /// This machine.
    Loopback,
    /// Whoever has the token.
    Token(Arc<Secret>),
}

/// Lets in who may see the page.
pub async fn guard(
    State(access): State<Access>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    if let Some(origin) = foreign_origin(request.headers()) {
        let message = format!("This address takes nothing from pages of {origin}.");
        return refusal(StatusCode::FORBIDDEN, "forbidden", &message);
    }
    match &access {
        Access::Loopback if !is_this_machine(peer, request.headers()) => refusal(
            StatusCode::FORBIDDEN,
            "forbidden",
            "This address answers to the machine it runs on only, by the names localhost and 127.0.0.1 and without a proxy. For \
             others, start segue serve with --page everyone.",
        ),
        Access::Token(token) if token_in_query(request.uri()).is_some_and(|given| same(token, given)) => {
            let cookie = format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict", token.expose());
            let mut response = Redirect::to("/").into_response();
            if let Ok(cookie) = HeaderValue::from_str(&cookie) {
                response.headers_mut().insert(header::SET_COOKIE, cookie);
            }
            response
        }
        Access::Token(token) if !token_in_head(request.headers()).is_some_and(|given| same(token, given)) => {
            let message = "Open the page with the link that segue serve printed; it has the token. Commands take it as --page-token.";
            refusal(StatusCode::UNAUTHORIZED, "unauthorized", message)
        }
        _ => next.run(request).await,
    }
}

/// Lets in this machine only.
pub async fn this_machine_only(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    if is_this_machine(peer, request.headers()) {
        next.run(request).await
    } else {
        refusal(StatusCode::FORBIDDEN, "forbidden", "This address answers to the machine it runs on only.")
    }
}

/// A connection from this machine, to a name that only this machine has: a page of another site, whose own name was
/// made to lead here (DNS rebinding), comes with that as `Host`. Who comes through a proxy may be anybody.
fn is_this_machine(peer: SocketAddr, headers: &HeaderMap) -> bool {
    let proxied =
        ["forwarded", "x-forwarded-for", "x-real-ip"].iter().any(|name| headers.contains_key(*name));
    let host = text(headers, header::HOST).unwrap_or_default();
    let host =
        host.rsplit_once(':').map_or(host, |(name, port)| if port.contains(']') { host } else { name });
    peer.ip().to_canonical().is_loopback() && !proxied && ["localhost", "127.0.0.1", "[::1]"].contains(&host)
}

/// The site whose page a browser sent this for, unless it is our own.
fn foreign_origin(headers: &HeaderMap) -> Option<&str> {
    let origin = text(headers, header::ORIGIN)?;
    let host = text(headers, header::HOST).unwrap_or_default();
    let own = origin.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host));
    (!own).then_some(origin)
}

fn token_in_query(uri: &Uri) -> Option<&str> {
    uri.query()?.split('&').find_map(|pair| pair.strip_prefix("token=")).filter(|_| uri.path() == "/")
}

fn token_in_head(headers: &HeaderMap) -> Option<&str> {
    if let Some(bearer) = text(headers, header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "))
    {
        return Some(bearer);
    }
    let cookies = text(headers, header::COOKIE)?.split(';');
    cookies
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value)
}

fn same(token: &Secret, given: &str) -> bool {
    token.matches(given.as_bytes())
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}
