//! Checks the `Host` and the origin that a request claims. These checks only refuse; they never grant access.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, StatusCode, Version, header},
    middleware::Next,
    response::Response,
};

use crate::refusal::refusal;

/// The names of this machine only.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The names of this server. A browser sends the host of the URL as `Host`, so a name that another site
/// points here (DNS rebinding) is not one of them.
#[derive(Clone, Debug)]
pub struct Names {
    /// The address of the listener.
    listen: IpAddr,
    /// The names from `--public-host`.
    public: Vec<String>,
}

impl Names {
    /// Creates the names of a server that listens at `listen`. Others reach it by the `public` names.
    pub fn new(listen: IpAddr, public: Vec<String>) -> Self {
        Self { listen, public }
    }

    /// Returns the reason to refuse a request: it is for another host, or from a page of another site.
    pub fn refusal(&self, headers: &HeaderMap) -> Option<String> {
        if let Some(site) = foreign_site(headers) {
            return Some(format!(
                "This address accepts no requests from {site} without a signature or token. See docs/commands.md, \
                 \"Who may send\"."
            ));
        }
        let hosts = headers.get_all(header::HOST).iter().map(|value| value.to_str().unwrap_or("?"));
        let hosts: Vec<&str> = hosts.map(name_of).collect();
        let foreign = hosts.iter().find(|host| !self.knows(host)).copied();
        let foreign = &*short(foreign.or(hosts.is_empty().then_some("no host"))?);
        Some(format!(
            "This request is for {foreign:?}, which is not a known name of this server, and it has no signature or token. To \
             accept the name, start segue serve with --public-host {foreign}. To require signatures or tokens, set \
             IDENTITY_SECRET."
        ))
    }

    fn knows(&self, host: &str) -> bool {
        // Another site cannot own an IP address as its name, so each address of this machine is fine.
        let listens = address(host).is_some_and(|ip| ip == self.listen || self.listen.is_unspecified());
        listens || is_loopback(host) || self.public.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

/// Parses a `--public-host`, which may be a whole URL, into its name.
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

/// Refuses requests for another host and from pages of other sites.
pub async fn guard(State(names): State<Names>, request: Request, next: Next) -> Response {
    match names.refusal(request.headers()) {
        Some(message) => refusal(StatusCode::FORBIDDEN, "forbidden", &message),
        None => next.run(request).await,
    }
}

/// Refuses requests of other machines.
pub async fn this_machine_only(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    if is_this_machine(peer, &request) {
        next.run(request).await
    } else {
        refusal(StatusCode::FORBIDDEN, "forbidden", "Only the machine that runs Segue can use this address.")
    }
}

/// Returns whether the connection is from this machine, by a loopback name, and without signs of a proxy. A proxy
/// can hide itself, so nothing important may depend on this alone.
pub fn is_this_machine(peer: SocketAddr, request: &Request) -> bool {
    let headers = request.headers();
    let proxied =
        |name: &str| name.starts_with("x-forwarded-") || ["forwarded", "via", "x-real-ip"].contains(&name);
    let by_proxy = request.version() < Version::HTTP_11 || headers.keys().any(|name| proxied(name.as_str()));
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).map_or("", name_of);
    peer.ip().to_canonical().is_loopback() && !by_proxy && is_loopback(host)
}

/// Returns the foreign site whose page sent the request, if any.
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

/// Shortens a stranger's text for an answer and for the log.
fn short(text: &str) -> String {
    text.chars().take(100).collect()
}

fn is_loopback(name: &str) -> bool {
    LOOPBACK.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Parses a host that is an address, such as `[::1]`. Returns None for a name.
pub fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Returns a host without its port and its final dot.
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
    fn pages_of_other_sites_are_detected_by_origin_and_by_sec_fetch_site() {
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
