//! The host that a request is for, and the site that it comes from, as it says of itself. That only closes doors: it never opens one.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, StatusCode, Version, header},
    middleware::Next,
    response::Response,
};

use crate::refusal::refusal;

/// The names that only this machine has.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The names of this server. A browser sends the name that a page asked for as `Host`: one that was made to lead here
/// by another site (DNS rebinding) is none of these.
#[derive(Clone, Debug)]
pub struct Names {
    /// Where it listens.
    listen: IpAddr,
    /// Those that were given with `--public-host`.
    public: Vec<String>,
}

impl Names {
    /// The names of a server that listens at `listen`; `public` are those by which others reach it.
    pub fn new(listen: IpAddr, public: Vec<String>) -> Self {
        Self { listen, public }
    }

    /// Why this request is not for us, or comes from a page of another site.
    pub fn refusal(&self, headers: &HeaderMap) -> Option<String> {
        if let Some(site) = foreign_site(headers) {
            return Some(format!(
                "This address takes nothing from {site} without proof that the sender is genuine. See docs/commands.md, \
                 \"Who may send\"."
            ));
        }
        let hosts = headers.get_all(header::HOST).iter().map(|value| value.to_str().unwrap_or("?"));
        let hosts: Vec<&str> = hosts.map(name_of).collect();
        let foreign = hosts.iter().find(|host| !self.knows(host)).copied();
        let foreign = &*short(foreign.or(hosts.is_empty().then_some("no host"))?);
        Some(format!(
            "This request is for {foreign:?}, which is not a name of this server, and it has no proof. If it is one, start segue serve \
             with --public-host {foreign}; or let senders prove who they are with IDENTITY_SECRET."
        ))
    }

    fn knows(&self, host: &str) -> bool {
        // No other site can get an address as its name, so each of this machine's will do.
        let listens = address(host).is_some_and(|ip| ip == self.listen || self.listen.is_unspecified());
        listens || is_loopback(host) || self.public.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

/// The name in what somebody gave for `--public-host`, which may be a whole URL.
pub fn public_host(text: &str) -> Result<String, String> {
    let authority = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or_default();
    let name = name_of(authority).trim_end_matches('.');
    let is_name = |character: char| character.is_ascii_alphanumeric() || ".-[]:".contains(character);
    match !name.is_empty() && name.chars().all(is_name) {
        true => Ok(name.to_owned()),
        false => Err("it must be a name such as abc.ngrok.app".to_owned()),
    }
}

/// Refuses what is not for us, and what a page of another site sends.
pub async fn guard(State(names): State<Names>, request: Request, next: Next) -> Response {
    match names.refusal(request.headers()) {
        Some(message) => refusal(StatusCode::FORBIDDEN, "forbidden", &message),
        None => next.run(request).await,
    }
}

/// Lets in this machine only.
pub async fn this_machine_only(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    if is_this_machine(peer, &request) {
        next.run(request).await
    } else {
        refusal(StatusCode::FORBIDDEN, "forbidden", "This address answers to the machine it runs on only.")
    }
}

/// Whether it is a connection from this machine, by a name that only this machine has, and does not look like one of a
/// proxy. A proxy need not say that it is one, so nothing that is worth protecting depends on this alone.
pub fn is_this_machine(peer: SocketAddr, request: &Request) -> bool {
    let headers = request.headers();
    let proxied =
        |name: &str| name.starts_with("x-forwarded-") || ["forwarded", "via", "x-real-ip"].contains(&name);
    let by_proxy = request.version() < Version::HTTP_11 || headers.keys().any(|name| proxied(name.as_str()));
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).map_or("", name_of);
    peer.ip().to_canonical().is_loopback() && !by_proxy && is_loopback(host)
}

/// The site whose page a browser sent this for, unless it is our own.
pub fn foreign_site(headers: &HeaderMap) -> Option<String> {
    let texts = |name: &'static str| headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("?"));
    let host = texts("host").next().unwrap_or_default();
    let own = |origin: &&str| {
        origin.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
    };
    if let Some(origin) = texts("origin").find(|origin| !own(origin)) {
        return Some(format!("pages of {}", short(origin)));
    }
    let foreign = texts("sec-fetch-site").any(|site| !["same-origin", "none"].contains(&site));
    foreign.then(|| "pages of other sites".to_owned())
}

/// The beginning of what a stranger wrote, for an answer and for the log.
fn short(text: &str) -> String {
    text.chars().take(100).collect()
}

fn is_loopback(name: &str) -> bool {
    LOOPBACK.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// The address that a host is, such as `[::1]`; None where it is a name.
pub fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// A host without its port, and without the dot at its end.
fn name_of(host: &str) -> &str {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    };
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(listen: &str, public: &[&str], headers: &[(&'static str, &str)]) -> bool {
        let names = Names::new(listen.parse().unwrap(), public.iter().map(|&name| name.to_owned()).collect());
        let headers = headers
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), value.parse().unwrap()));
        names.refusal(&headers.collect()).is_some()
    }

    #[test]
    fn a_server_knows_its_own_names_and_no_others() {
        for (listen, public, host, expected) in [
            ("127.0.0.1", &[][..], "localhost:3000", false),
            ("127.0.0.1", &[], "LOCALHOST", false),
            ("127.0.0.1", &[], "localhost.:3000", false),
            ("127.0.0.1", &[], "127.0.0.1:1", false),
            ("127.0.0.1", &[], "[::1]:3000", false),
            ("127.0.0.1", &[], "192.0.2.1", true),
            ("127.0.0.1", &[], "evil.example", true),
            ("127.0.0.1", &[], "127.0.0.1.evil.example", true),
            ("127.0.0.1", &[], "", true),
            ("127.0.0.1", &["hooks.example"], "Hooks.example:443", false),
            ("127.0.0.1", &["hooks.example"], "other.hooks.example", true),
            ("192.0.2.1", &[], "192.0.2.1:3000", false),
            ("192.0.2.1", &[], "192.0.2.2:3000", true),
            ("0.0.0.0", &[], "192.0.2.2:3000", false),
            ("::", &[], "[2001:db8::1]:3000", false),
            ("0.0.0.0", &[], "evil.example", true),
        ] {
            assert_eq!(refused(listen, public, &[("host", host)]), expected, "{listen} {public:?} {host}");
        }
        assert!(refused("127.0.0.1", &[], &[]), "a request without a host");
    }

    #[test]
    fn a_public_host_is_a_name_or_the_url_of_one() {
        for text in
            ["abc.ngrok.app", "https://abc.ngrok.app", "abc.ngrok.app:443", "https://abc.ngrok.app:443/x/"]
        {
            assert_eq!(public_host(text).as_deref(), Ok("abc.ngrok.app"), "{text}");
        }
        for text in ["", "*.ngrok.app", "a,b", "https://", "me@a.example"] {
            assert!(public_host(text).is_err(), "{text}");
        }
    }

    #[test]
    fn pages_of_other_sites_are_told_by_origin_and_by_sec_fetch_site() {
        for (headers, expected) in [
            (&[][..], false),
            (&[("origin", "http://localhost:3000")], false),
            (&[("origin", "http://LOCALHOST:3000")], false),
            (&[("origin", "http://localhost:3001")], true),
            (&[("origin", "https://evil.example")], true),
            (&[("origin", "null")], true),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "same-origin")], false),
            (&[("sec-fetch-site", "same-site")], true),
            (&[("sec-fetch-site", "cross-site")], true),
        ] {
            let headers = [&[("host", "localhost:3000")], headers].concat();
            assert_eq!(refused("127.0.0.1", &[], &headers), expected, "{headers:?}");
        }
    }
}
