//! Checks that `segue serve` can listen at its address, or already does, and who can open its page. The page
//! shows personal data.

use std::{io::ErrorKind, net::SocketAddr};

use identity_webhook::Authentication;
use platform::http::client;
use serde_json::Value;
use tokio::net::TcpListener;

use super::{DEADLINE, finding::Finding};
use crate::{
    options::server::reachable,
    serve::{self, Page},
};

const CHECK: &str = "address";

const PAGE: &str = "page";

/// The most bytes that are read of an answer. Segue's answer is shorter.
const MAX_ANSWER_BYTES: usize = 1_024;

/// Returns the finding about the address. Another check reports an authentication that is not usable.
pub async fn check(options: &serve::Options, authentication: Option<&Authentication>) -> Finding {
    let listen = options.listen;
    if let Some(authentication) = authentication
        && (authentication.is_configured() || options.allow_unsigned)
        && let Err(error) = options.check_exposure(authentication)
    {
        return Finding::problem(
            CHECK,
            error.to_string(),
            "listen on 127.0.0.1 instead (SEGUE_LISTEN), or set what the message names",
        );
    }
    let error = match TcpListener::bind(listen).await {
        Ok(_) if listen.port() == 0 => {
            return Finding::ok(CHECK, "segue serve chooses a free port when it starts");
        }
        Ok(_) => return Finding::ok(CHECK, format!("{listen} is free")),
        Err(error) => error,
    };
    match error.kind() {
        ErrorKind::AddrInUse if is_segue(listen).await => {
            Finding::ok(CHECK, format!("segue serve is running at {listen}"))
        }
        ErrorKind::AddrInUse => Finding::problem(
            CHECK,
            format!("another program listens at {listen}"),
            "stop that program, or choose another address with --listen",
        ),
        ErrorKind::AddrNotAvailable => Finding::problem(
            CHECK,
            format!("{} is not an address of this machine", listen.ip()),
            "use 127.0.0.1, or 0.0.0.0 for all addresses of this machine",
        ),
        ErrorKind::PermissionDenied => Finding::problem(
            CHECK,
            format!("you may not listen on port {}", listen.port()),
            "choose port 1024 or higher with --listen",
        ),
        _ => Finding::problem(CHECK, format!("{listen}: {error}"), "choose another address with --listen"),
    }
}

/// Returns the finding about the page.
pub fn page(options: &serve::Options) -> Finding {
    match options.page.audience() {
        Err(error) => Finding::problem(
            PAGE,
            error.to_string(),
            "correct SEGUE_PAGE_TOKEN, or unset it and let Segue make a token",
        ),
        Ok(Page::Off) => Finding::ok(PAGE, "off"),
        Ok(Page::Everyone) if !options.listen.ip().is_loopback() => Finding::warning(
            PAGE,
            "open to other machines for everyone with the token, which crosses the network unencrypted",
            "put a TLS proxy in front, or use --page loopback",
        ),
        Ok(Page::Everyone) => {
            Finding::ok(PAGE, "open to everyone who reaches this address and has the token")
        }
        Ok(Page::Loopback) if options.is_trial() => Finding::ok(PAGE, "open to this machine"),
        Ok(Page::Loopback) => Finding::ok(PAGE, "open to everyone who is on this machine and has the token"),
    }
}

/// Whether the server at this address is a `segue serve`.
pub async fn is_segue(listen: SocketAddr) -> bool {
    health(listen).await.is_some_and(|answer| answer["status"] == "ok")
}

async fn health(listen: SocketAddr) -> Option<Value> {
    let url = format!("http://{}/health", reachable(listen));
    let mut answer = client().ok()?.get(url).timeout(DEADLINE).send().await.ok()?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.ok()? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER_BYTES {
            return None;
        }
    }
    serde_json::from_slice(&body).ok()
}
