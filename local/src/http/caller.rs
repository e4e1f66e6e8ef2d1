//! The address of a caller.

use std::net::IpAddr;

use axum::http::HeaderMap;

/// Returns the address of the browser or app that sends. Behind a proxy, the proxy names it in
/// `X-Forwarded-For`. A forged header does no harm, since a message may contain any address itself.
pub fn address(peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let peer = peer.to_canonical();
    if is_public(peer) {
        return peer;
    }
    let values = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let mut addresses = values.flat_map(|value| value.split(',')).filter_map(read);
    addresses.find(|address| is_public(*address)).unwrap_or(peer)
}

/// Parses an address, with or without a port.
fn read(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let with_port = || text.parse().ok().map(|address: std::net::SocketAddr| address.ip());
    text.parse().ok().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

/// Returns whether the address can be a user's on the internet. An own proxy seldom has one.
fn is_public(address: IpAddr) -> bool {
    match address {
        // 100.64.0.0/10 is shared address space of carriers (RFC 6598).
        IpAddr::V4(v4) if v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64 => false,
        IpAddr::V4(v4) => !(v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified()),
        IpAddr::V6(v6) => {
            !(v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_unspecified())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_own_proxy_names_the_caller() {
        for (peer, forwarded, expected) in [
            ("127.0.0.1", &[][..], "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("::ffff:10.0.0.1", &["198.51.100.7, 203.0.113.1"], "198.51.100.7"),
            ("::1", &["10.1.2.3,2001:db8::1"], "2001:db8::1"),
            ("172.17.0.1", &["unknown", "[2001:db8::1]:4711, 198.51.100.7:80"], "2001:db8::1"),
            ("192.168.1.1", &["10.1.2.3, ?"], "192.168.1.1"),
            ("127.0.0.1", &["100.64.1.2, \"203.0.113.5\""], "203.0.113.5"),
            ("203.0.113.9", &["198.51.100.7"], "203.0.113.9"),
            ("::ffff:203.0.113.9", &[], "203.0.113.9"),
        ] {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append("x-forwarded-for", value.parse().unwrap());
            }
            let found = address(peer.parse().unwrap(), &headers);
            assert_eq!(found, expected.parse::<IpAddr>().unwrap(), "{peer} {forwarded:?}");
        }
    }
}
