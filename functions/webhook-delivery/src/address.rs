//! Checks that an address belongs to the public internet.
//!
//! The refused addresses are those that the IANA special-purpose address registries call not globally
//! reachable, and others that lead back to the caller's own network. Without this check, a webhook's URL
//! could read a cloud's metadata service or an internal server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;

/// Networks of IPv4 that are not public, as address and prefix length.
const NOT_PUBLIC_V4: [(Ipv4Addr, u32); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8), // "this network"; Linux takes 0.0.0.0 for the local host
    (Ipv4Addr::new(10, 0, 0, 0), 8), // private
    (Ipv4Addr::new(100, 64, 0, 0), 10), // shared by carriers; Alibaba's metadata, 100.100.100.200
    (Ipv4Addr::new(127, 0, 0, 0), 8), // loopback
    (Ipv4Addr::new(168, 63, 129, 16), 32), // Azure's metadata and DNS: a public address, but answered inside
    (Ipv4Addr::new(169, 254, 0, 0), 16), // link-local; the metadata of AWS, Google, Azure and most others
    (Ipv4Addr::new(172, 16, 0, 0), 12), // private
    (Ipv4Addr::new(192, 0, 0, 0), 24), // protocol assignments; Oracle's metadata, 192.0.0.192
    (Ipv4Addr::new(192, 0, 2, 0), 24), // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24), // relays of 6to4, withdrawn
    (Ipv4Addr::new(192, 168, 0, 0), 16), // private
    (Ipv4Addr::new(198, 18, 0, 0), 15), // benchmarks
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24), // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4), // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4), // reserved, and broadcast
];

/// The part of IPv6 that is assigned for use on the internet. All other addresses are special: loopback,
/// `fc00::/7` with the metadata of AWS at `fd00:ec2::254`, link-local, multicast, NAT64, discard, SRv6.
const UNICAST_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Networks within [`UNICAST_V6`] that are not public.
const NOT_PUBLIC_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments: Teredo, benchmarks, ORCHID
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4, which wraps any IPv4 address
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

/// Returns the address in a URL that has no host name. [`Url`] has already converted other spellings, such as
/// `0x7f.1`.
pub(crate) fn literal(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_matches(['[', ']']).parse().ok()
}

/// Whether `address` belongs to the public internet.
///
/// An IPv4 address mapped into IPv6 (`::ffff:0:0/96`) is judged as the IPv4 address, as the operating system
/// does. Other wrapped addresses (NAT64, 6to4, Teredo, `::a.b.c.d`) are always refused.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => is_public_v4(mapped),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !NOT_PUBLIC_V4
        .iter()
        .any(|(network, length)| (address.to_bits() ^ network.to_bits()) >> (Ipv4Addr::BITS - length) == 0)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let within = |(network, length): &(Ipv6Addr, u32)| {
        (address.to_bits() ^ network.to_bits()) >> (Ipv6Addr::BITS - length) == 0
    };
    within(&UNICAST_V6) && !NOT_PUBLIC_V6.iter().any(within)
}

#[cfg(test)]
mod table;
#[cfg(test)]
mod tests;
