//! Which addresses a webhook may have: those of the public Internet.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is not one of the public Internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressKind {
    /// This machine: 127.0.0.0/8, `::1`.
    Loopback,
    /// A private network: 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, `fc00::/7`.
    Private,
    /// The link, among others the metadata service of a cloud: 169.254.0.0/16, `fe80::/10`.
    LinkLocal,
    /// Behind a provider's address translation: 100.64.0.0/10.
    Shared,
    /// Set aside for measurements: 198.18.0.0/15.
    Benchmarking,
    /// Set aside for something else, or for nothing yet: no webhook is there.
    Reserved,
    /// Many machines.
    Multicast,
    /// No machine: 0.0.0.0/8, `::`.
    Unspecified,
}

impl AddressKind {
    /// Whether a webhook may be there if its operator says so.
    pub(crate) fn can_be_allowed(self) -> bool {
        !matches!(self, Self::Reserved | Self::Multicast | Self::Unspecified)
    }
}

impl fmt::Display for AddressKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::LinkLocal => "link-local",
            Self::Shared => "shared",
            Self::Benchmarking => "benchmarking",
            Self::Reserved => "reserved",
            Self::Multicast => "multicast",
            Self::Unspecified => "unspecified",
        })
    }
}

/// What is not public in IPv4: network, bits, kind.
const V4: [(Ipv4Addr, u32, AddressKind); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, AddressKind::Unspecified),
    (Ipv4Addr::new(10, 0, 0, 0), 8, AddressKind::Private),
    (Ipv4Addr::new(100, 64, 0, 0), 10, AddressKind::Shared),
    (Ipv4Addr::new(127, 0, 0, 0), 8, AddressKind::Loopback),
    (Ipv4Addr::new(169, 254, 0, 0), 16, AddressKind::LinkLocal),
    (Ipv4Addr::new(172, 16, 0, 0), 12, AddressKind::Private),
    (Ipv4Addr::new(192, 0, 0, 0), 24, AddressKind::Reserved),
    (Ipv4Addr::new(192, 0, 2, 0), 24, AddressKind::Reserved),
    (Ipv4Addr::new(192, 88, 99, 0), 24, AddressKind::Reserved),
    (Ipv4Addr::new(192, 168, 0, 0), 16, AddressKind::Private),
    (Ipv4Addr::new(198, 18, 0, 0), 15, AddressKind::Benchmarking),
    (Ipv4Addr::new(198, 51, 100, 0), 24, AddressKind::Reserved),
    (Ipv4Addr::new(203, 0, 113, 0), 24, AddressKind::Reserved),
    (Ipv4Addr::new(224, 0, 0, 0), 4, AddressKind::Multicast),
    (Ipv4Addr::new(240, 0, 0, 0), 4, AddressKind::Reserved),
];

/// What is not public in IPv6, besides all that has not been given out.
const V6: [(Ipv6Addr, u32, AddressKind); 9] = [
    (Ipv6Addr::UNSPECIFIED, 128, AddressKind::Unspecified),
    (Ipv6Addr::LOCALHOST, 128, AddressKind::Loopback),
    (v6(0xfc00, 0), 7, AddressKind::Private),
    (v6(0xfe80, 0), 10, AddressKind::LinkLocal),
    // Site-local: given up, but some networks have it still.
    (v6(0xfec0, 0), 10, AddressKind::Private),
    (v6(0xff00, 0), 8, AddressKind::Multicast),
    // Protocols, tunnels to anywhere (Teredo), measurements.
    (v6(0x2001, 0), 23, AddressKind::Reserved),
    (v6(0x2001, 0xdb8), 32, AddressKind::Reserved),
    (v6(0x3fff, 0), 20, AddressKind::Reserved),
];

/// All public addresses are in here, but those that hold a public IPv4 address.
const GIVEN_OUT: (Ipv6Addr, u32) = (v6(0x2000, 0), 3);

const fn v6(first: u16, second: u16) -> Ipv6Addr {
    Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0)
}

/// Why this is not an address of the public Internet, if it is not one.
pub(crate) fn not_public(address: IpAddr) -> Option<AddressKind> {
    match address {
        IpAddr::V4(address) => v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => v4(inner),
            None => {
                let listed = V6.into_iter().find(|(network, bits, _)| {
                    same_head(address.to_bits(), network.to_bits(), *bits, 128)
                });
                let (network, bits) = GIVEN_OUT;
                let given_out = same_head(address.to_bits(), network.to_bits(), bits, 128);
                let unlisted = (!given_out).then_some(AddressKind::Reserved);
                listed.map(|(_, _, kind)| kind).or(unlisted)
            }
        },
    }
}

fn v4(address: Ipv4Addr) -> Option<AddressKind> {
    let within = |network: Ipv4Addr, bits| {
        same_head(
            address.to_bits().into(),
            network.to_bits().into(),
            bits,
            Ipv4Addr::BITS,
        )
    };
    V4.into_iter()
        .find(|(network, bits, _)| within(*network, *bits))
        .map(|(_, _, kind)| kind)
}

/// The IPv4 address that an IPv6 address leads to: mapped, compatible, translated (NAT64) or tunnelled (6to4).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let of = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match (a, b, c, d, e, f) {
        // `::` and `::1` are names of their own.
        (0, 0, 0, 0, 0, 0) if g == 0 && h <= 1 => None,
        (0, 0, 0, 0, 0, 0 | 0xffff) | (0, 0, 0, 0, 0xffff, 0) | (0x64, 0xff9b, 0, 0, 0, 0) => {
            Some(of(g, h))
        }
        (0x2002, ..) => Some(of(b, c)),
        _ => None,
    }
}

/// Whether two addresses of so many bits begin with the same `bits`.
fn same_head(one: u128, other: u128, bits: u32, of: u32) -> bool {
    (one ^ other).checked_shr(of - bits).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(address: &str) -> Option<AddressKind> {
        not_public(address.parse().unwrap())
    }

    #[test]
    fn networks_begin_and_end_where_they_should() {
        use AddressKind::*;
        let rows = [
            ("0.0.0.0", Some(Unspecified)),
            ("0.255.255.255", Some(Unspecified)),
            ("1.0.0.0", None),
            ("9.255.255.255", None),
            ("10.0.0.0", Some(Private)),
            ("10.255.255.255", Some(Private)),
            ("11.0.0.0", None),
            ("100.63.255.255", None),
            ("100.64.0.0", Some(Shared)),
            ("100.127.255.255", Some(Shared)),
            ("100.128.0.0", None),
            ("126.255.255.255", None),
            ("127.0.0.1", Some(Loopback)),
            ("127.255.255.255", Some(Loopback)),
            ("128.0.0.0", None),
            ("169.253.255.255", None),
            ("169.254.169.254", Some(LinkLocal)),
            ("169.255.0.0", None),
            ("172.15.255.255", None),
            ("172.16.0.0", Some(Private)),
            ("172.31.255.255", Some(Private)),
            ("172.32.0.0", None),
            ("192.0.0.170", Some(Reserved)),
            ("192.0.1.0", None),
            ("192.0.2.1", Some(Reserved)),
            ("192.88.99.1", Some(Reserved)),
            ("192.168.255.255", Some(Private)),
            ("192.169.0.0", None),
            ("198.17.255.255", None),
            ("198.18.0.0", Some(Benchmarking)),
            ("198.19.255.255", Some(Benchmarking)),
            ("198.20.0.0", None),
            ("198.51.100.7", Some(Reserved)),
            ("203.0.113.7", Some(Reserved)),
            ("223.255.255.255", None),
            ("224.0.0.1", Some(Multicast)),
            ("239.255.255.255", Some(Multicast)),
            ("240.0.0.0", Some(Reserved)),
            ("255.255.255.255", Some(Reserved)),
            ("::", Some(Unspecified)),
            ("::1", Some(Loopback)),
            ("::2", Some(Unspecified)),
            ("fbff::1", Some(Reserved)),
            ("fc00::1", Some(Private)),
            ("fdff:ffff::1", Some(Private)),
            ("fe80::1", Some(LinkLocal)),
            ("febf::1", Some(LinkLocal)),
            ("fec0::1", Some(Private)),
            ("ff02::1", Some(Multicast)),
            ("1fff::1", Some(Reserved)),
            ("2000::1", None),
            ("2001:1ff::1", Some(Reserved)),
            ("2001:200::1", None),
            ("2001:db8::1", Some(Reserved)),
            ("2001:db9::1", None),
            ("2606:4700::1111", None),
            ("3fff:fff::1", Some(Reserved)),
            ("3fff:1000::1", None),
            ("4000::1", Some(Reserved)),
            ("64:ff9b:1::8.8.8.8", Some(Reserved)),
        ];
        for (address, expected) in rows {
            assert_eq!(kind(address), expected, "{address}");
        }
    }

    #[test]
    fn an_ipv4_address_inside_counts() {
        let wraps: [fn(&str) -> String; 4] = [
            |inner| format!("::ffff:{inner}"),
            |inner| format!("::ffff:0:{inner}"),
            |inner| format!("::{inner}"),
            |inner| format!("64:ff9b::{inner}"),
        ];
        for wrap in wraps {
            assert_eq!(kind(&wrap("127.0.0.1")), Some(AddressKind::Loopback));
            assert_eq!(kind(&wrap("169.254.169.254")), Some(AddressKind::LinkLocal));
            assert_eq!(kind(&wrap("8.8.8.8")), None);
        }
        assert_eq!(kind("2002:7f00:1::1"), Some(AddressKind::Loopback));
        assert_eq!(kind("2002:a00:1::1"), Some(AddressKind::Private));
        assert_eq!(kind("2002:808:808::1"), None);
    }
}
