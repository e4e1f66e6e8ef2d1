use proptest::prelude::*;

use super::{table::NOT_PUBLIC, *};

/// The public addresses before and after those networks, and some well-known ones.
const PUBLIC: [&str; 44] = [
    "1.0.0.0",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "168.63.129.17",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.0.1.255",
    "192.0.3.0",
    "192.88.98.255",
    "192.88.100.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "198.51.99.255",
    "198.51.101.0",
    "203.0.112.255",
    "203.0.114.0",
    "223.255.255.255",
    "8.8.8.8",
    "1.1.1.1",
    "52.94.236.248",
    "2000::",
    "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:200::",
    "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:db9::",
    "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2003::",
    "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "3fff:1000::",
    "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2606:4700:4700::1111",
    "2a00:1450:4001:800::200e",
    "2620:4f:8000::",
];

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn no_special_network_is_public_from_its_first_address_to_its_last() {
    for (name, first, last) in NOT_PUBLIC {
        let (first, last) = (address(first), address(last));
        let middle = match (first, last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                IpAddr::from(Ipv4Addr::from_bits(first.to_bits().midpoint(last.to_bits())))
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                IpAddr::from(Ipv6Addr::from_bits(first.to_bits().midpoint(last.to_bits())))
            }
            _ => panic!("{name}"),
        };
        for address in [first, middle, last] {
            assert!(!is_public(address), "{address} is {name}");
        }
    }
}

#[test]
fn the_neighbors_of_the_special_networks_are_public() {
    for text in PUBLIC {
        assert!(is_public(address(text)), "{text}");
    }
    // The neighbors of the assigned 2000::/3 are not.
    assert!(!is_public(address("1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")));
    assert!(!is_public(address("4000::")));
}

#[test]
fn no_metadata_service_is_public() {
    for text in [
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
        "169.254.169.253",
        "169.254.169.123",
        "169.254.0.23",
        "169.254.42.42",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd00:ec2::253",
        "fd20:ce::254",
        "fd00:42::42",
        "fe80::a9fe:a9fe",
    ] {
        assert!(!is_public(address(text)), "{text}");
    }
}

#[test]
fn a_wrapped_address_is_always_refused() {
    for text in [
        "::8.8.8.8",
        "::ffff:0:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "64:ff9b:1::8.8.8.8",
        "2002:808:808::1",
        "2001:0:808:808::1",
        "::ffff:169.254.169.254",
        "::ffff:127.0.0.1",
        "64:ff9b::169.254.169.254",
        "2002:a9fe:a9fe::1",
        "2002:7f00:1::",
    ] {
        assert!(!is_public(address(text)), "{text}");
    }
    assert!(is_public(address("::ffff:8.8.8.8")), "the operating system connects to 8.8.8.8");
}

proptest! {
    #[test]
    fn a_mapped_address_is_judged_as_its_ipv4_address(bits: u32) {
        let inside = Ipv4Addr::from_bits(bits);
        prop_assert_eq!(is_public(inside.to_ipv6_mapped().into()), is_public(inside.into()));
        prop_assert!(!is_public(inside.to_ipv6_compatible().into()));
        let nat64 = Ipv6Addr::from_bits(0x0064_ff9b << 96 | u128::from(bits));
        let six_to_four = Ipv6Addr::from_bits(0x2002 << 112 | u128::from(bits) << 80 | 1);
        prop_assert!(!is_public(nat64.into()) && !is_public(six_to_four.into()));
    }

    #[test]
    fn an_address_that_the_standard_library_calls_special_is_not_public(v4: u32, v6: u128) {
        let v4 = Ipv4Addr::from_bits(v4);
        let special = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast()
            || v4.is_broadcast() || v4.is_documentation() || v4.is_unspecified();
        prop_assert!(!(special && is_public(v4.into())));
        let v6 = Ipv6Addr::from_bits(v6);
        let special = v6.is_loopback() || v6.is_unspecified() || v6.is_multicast() || v6.is_unique_local()
            || v6.is_unicast_link_local();
        prop_assert!(!(special && is_public(v6.into())));
    }
}
