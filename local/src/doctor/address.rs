//! Checks that `segue serve` can listen at its address, or does already, and who can open its page, which shows personal
//! data.

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

/// The most that is read of an answer, in bytes. Ours is shorter.
const MAX_ANSWER_BYTES: usize = 1_024;

/// The address's finding. Where the authentication is not usable, that is said there.
pub async fn check(options: &serve::Options, authentication: Option<&Authentication>) -> Finding {
    let listen = options.listen;
    if let Some(authentication) = authentication
        && (authentication.is_configured() || options.allow_unsigned)
        && let Err(error) = options.check_exposure(authentication)
    {
        return Finding::problem(CHECK, error.to_string(), "change SEGUE_LISTEN, or what it asks for");
    }
    let error = match TcpListener::bind(listen).await {
        Ok(_) if listen.port() == 0 => return Finding::ok(CHECK, "a free port is found at the start"),
        Ok(_) => return Finding::ok(CHECK, format!("{listen} is free")),
        Err(error) => error,
    };
    match error.kind() {
        ErrorKind::AddrInUse if is_segue(listen).await => {
            Finding::ok(CHECK, format!("segue serve listens at {listen}"))
        }
        ErrorKind::AddrInUse => Finding::problem(
            CHECK,
            format!("another program listens at {listen}"),
            "stop it, or choose another address with --listen",
        ),
        ErrorKind::AddrNotAvailable => Finding::problem(
            CHECK,
            format!("{} is no address of this machine", listen.ip()),
            "use 127.0.0.1, or 0.0.0.0 for all of its addresses",
        ),
        ErrorKind::PermissionDenied => Finding::problem(
            CHECK,
            format!("port {} needs a privilege that you do not have", listen.port()),
            "choose a port from 1024 on with --listen",
        ),
        _ => Finding::problem(CHECK, format!("{listen}: {error}"), "choose another with --listen"),
    }
}

/// The page's finding.
pub fn page(options: &serve::Options) -> Finding {
    match options.page.audience() {
        Err(error) => {
            Finding::problem(PAGE, error.to_string(), "correct SEGUE_PAGE_TOKEN, or leave it out to get one")
        }
        Ok(Page::Off) => Finding::ok(PAGE, "off"),
        Ok(Page::Everyone) if !options.listen.ip().is_loopback() => Finding::warning(
            PAGE,
            "open to other machines, to whoever has the token, which goes over the network unencrypted",
            "let them come through a proxy that speaks TLS, or say --page loopback",
        ),
        Ok(Page::Everyone) => {
            Finding::ok(PAGE, "open to everybody who reaches this address and has the token")
        }
        Ok(Page::Loopback) if options.is_trial() => Finding::ok(PAGE, "open to this machine"),
        Ok(Page::Loopback) => Finding::ok(PAGE, "open to everybody who is on this machine and has the token"),
    }
}

/// Whether what listens there answers as `segue serve` does.
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
