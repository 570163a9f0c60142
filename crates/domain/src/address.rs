//! Which IP addresses may be dialled from a bank's network on a stranger's word (S-07, D-12).
//!
//! Public is what the IANA registries keep for nothing else: global unicast, less the exceptions. An IPv6 address whose
//! packets end at the IPv4 address inside it (mapped, NAT64, 6to4) is judged by what it carries; the wrappings that hide where
//! packets end (Teredo, IPv4-compatible, local NAT64) are refused whole. What a bank has listed by itself may be dialled
//! whatever it is. This is the one judgement: registrations ask it of literal addresses, the HTTP client of each address it
//! is about to dial. Names are not resolved here.

mod network;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use network::{Network, NetworkError};

/// What an address is judged by. The default lists nothing: only public addresses may be dialled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// Networks that may be dialled whatever they are kept for.
    pub allowed: Vec<Network>,
}

/// What became of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Anybody's: it may be dialled.
    Public,
    /// Not public, but the bank listed this network: it may be dialled.
    Allowed(Network),
    /// It may not be dialled.
    Refused(Kept),
}

/// What an address that is not public is kept for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// "This" host or network.
    Unspecified,
    /// The machine itself.
    Loopback,
    /// RFC 1918.
    Private,
    /// Between a carrier and its customers (RFC 6598).
    CarrierNat,
    /// One cable.
    LinkLocal,
    /// Where clouds tell a machine its secrets.
    CloudMetadata,
    /// Assigned to protocols, not to hosts.
    Protocols,
    /// Books and manuals.
    Documentation,
    /// Measuring equipment.
    Benchmarks,
    /// Many hosts at once.
    Multicast,
    /// All hosts at once.
    Broadcast,
    /// RFC 4193, the private addresses of IPv6.
    UniqueLocal,
    /// What came before those.
    SiteLocal,
    /// A tunnel or translation that does not show where packets end.
    Tunnel,
    /// Identifiers that look like addresses (RFC 4843, RFC 7343).
    Orchid,
    /// Where packets are thrown away (RFC 6666).
    Discard,
    /// Nobody's yet.
    Reserved,
}

/// Whether an address may be dialled, and why.
pub fn judge(address: IpAddr, policy: &Policy) -> Verdict {
    let Some(kept) = kept_for(address) else {
        return Verdict::Public;
    };
    let allowing = policy
        .allowed
        .iter()
        .find(|network| network.contains(address));
    allowing.map_or(Verdict::Refused(kept), |network| Verdict::Allowed(*network))
}

impl Verdict {
    /// Whether the address may be dialled.
    pub fn may_be_dialled(self) -> bool {
        !matches!(self, Self::Refused(_))
    }
}

/// To follow "the address is".
impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "unspecified",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::CarrierNat => "behind a carrier's NAT",
            Self::LinkLocal => "link-local",
            Self::CloudMetadata => "that of a cloud's metadata",
            Self::Protocols => "assigned to a protocol",
            Self::Documentation => "for documentation",
            Self::Benchmarks => "for benchmarks",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::UniqueLocal => "unique-local",
            Self::SiteLocal => "site-local",
            Self::Tunnel => "a tunnel's",
            Self::Orchid => "an identifier",
            Self::Discard => "for discarding",
            Self::Reserved => "reserved",
        })
    }
}

fn kept_for(address: IpAddr) -> Option<Kept> {
    match address {
        IpAddr::V4(v4) => kept_v4(v4),
        IpAddr::V6(v6) => carried_v4(v6).map_or_else(|| kept_v6(v6), kept_v4),
    }
}

fn kept_v4(address: Ipv4Addr) -> Option<Kept> {
    let bits = address.to_bits();
    let inside =
        |(network, prefix, _): &&(Ipv4Addr, u32, Kept)| within_v4(bits, network.to_bits(), *prefix);
    KEPT_V4.iter().find(inside).map(|(.., kept)| *kept)
}

/// Only global unicast (2000::/3) is public, less what is kept inside it.
fn kept_v6(address: Ipv6Addr) -> Option<Kept> {
    let bits = address.to_bits();
    let inside =
        |(network, prefix, _): &&(Ipv6Addr, u32, Kept)| within_v6(bits, network.to_bits(), *prefix);
    let named = KEPT_V6.iter().find(inside).map(|(.., kept)| *kept);
    let global = within_v6(bits, GLOBAL_UNICAST.to_bits(), 3);
    named.or((!global).then_some(Kept::Reserved))
}

/// The IPv4 address inside an IPv6 one, where the network would take it out again.
fn carried_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let from = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match (a, b) {
        (0, 0) if [c, d, e] == [0, 0, 0] && f == 0xffff => Some(from(g, h)),
        (0x64, 0xff9b) if [c, d, e, f] == [0, 0, 0, 0] => Some(from(g, h)),
        (0x2002, _) => Some(from(b, c)),
        _ => None,
    }
}

/// Whether the first `prefix` bits are the same. No prefix at all holds for everything.
fn within_v4(bits: u32, network: u32, prefix: u32) -> bool {
    (bits ^ network).checked_shr(32 - prefix).unwrap_or(0) == 0
}

fn within_v6(bits: u128, network: u128, prefix: u32) -> bool {
    (bits ^ network).checked_shr(128 - prefix).unwrap_or(0) == 0
}

const fn v4(a: u8, b: u8, c: u8, d: u8) -> Ipv4Addr {
    Ipv4Addr::new(a, b, c, d)
}

/// An IPv6 network is known by its first four groups, or by those and its last.
const fn v6(a: u16, b: u16, c: u16, d: u16, h: u16) -> Ipv6Addr {
    Ipv6Addr::new(a, b, c, d, 0, 0, 0, h)
}

/// IPv4 networks kept for another purpose; the first that fits names it.
const KEPT_V4: [(Ipv4Addr, u32, Kept); 20] = [
    (v4(169, 254, 169, 254), 32, Kept::CloudMetadata), // most clouds
    (v4(100, 100, 100, 200), 32, Kept::CloudMetadata), // Alibaba
    (v4(192, 0, 0, 192), 32, Kept::CloudMetadata),     // Oracle
    (v4(168, 63, 129, 16), 32, Kept::CloudMetadata),   // Azure, in public space
    (v4(0, 0, 0, 0), 8, Kept::Unspecified),
    (v4(10, 0, 0, 0), 8, Kept::Private),
    (v4(100, 64, 0, 0), 10, Kept::CarrierNat),
    (v4(127, 0, 0, 0), 8, Kept::Loopback),
    (v4(169, 254, 0, 0), 16, Kept::LinkLocal),
    (v4(172, 16, 0, 0), 12, Kept::Private),
    (v4(192, 0, 0, 0), 24, Kept::Protocols),
    (v4(192, 0, 2, 0), 24, Kept::Documentation),
    (v4(192, 88, 99, 0), 24, Kept::Tunnel), // 6to4 relays, retired
    (v4(192, 168, 0, 0), 16, Kept::Private),
    (v4(198, 18, 0, 0), 15, Kept::Benchmarks),
    (v4(198, 51, 100, 0), 24, Kept::Documentation),
    (v4(203, 0, 113, 0), 24, Kept::Documentation),
    (v4(224, 0, 0, 0), 4, Kept::Multicast),
    (v4(255, 255, 255, 255), 32, Kept::Broadcast),
    (v4(240, 0, 0, 0), 4, Kept::Reserved),
];

const GLOBAL_UNICAST: Ipv6Addr = v6(0x2000, 0, 0, 0, 0);

/// IPv6 networks kept for another purpose; the first that fits names it.
const KEPT_V6: [(Ipv6Addr, u32, Kept); 18] = [
    (v6(0, 0, 0, 0, 0), 128, Kept::Unspecified),
    (v6(0, 0, 0, 0, 1), 128, Kept::Loopback),
    (v6(0, 0, 0, 0, 0), 96, Kept::Tunnel), // IPv4-compatible
    (v6(0x64, 0xff9b, 1, 0, 0), 48, Kept::Tunnel), // local NAT64
    (v6(0x100, 0, 0, 0, 0), 64, Kept::Discard),
    (v6(0x2001, 0, 0, 0, 0), 32, Kept::Tunnel), // Teredo
    (v6(0x2001, 2, 0, 0, 0), 48, Kept::Benchmarks),
    (v6(0x2001, 0x10, 0, 0, 0), 28, Kept::Orchid),
    (v6(0x2001, 0x20, 0, 0, 0), 28, Kept::Orchid),
    (v6(0x2001, 0, 0, 0, 0), 23, Kept::Protocols),
    (v6(0x2001, 0xdb8, 0, 0, 0), 32, Kept::Documentation),
    (v6(0x3fff, 0, 0, 0, 0), 20, Kept::Documentation),
    (v6(0xfd00, 0xec2, 0, 0, 0x254), 128, Kept::CloudMetadata), // AWS
    (v6(0xfd20, 0xce, 0, 0, 0x254), 128, Kept::CloudMetadata),  // Google
    (v6(0xfc00, 0, 0, 0, 0), 7, Kept::UniqueLocal),
    (v6(0xfe80, 0, 0, 0, 0), 10, Kept::LinkLocal),
    (v6(0xfec0, 0, 0, 0, 0), 10, Kept::SiteLocal),
    (v6(0xff00, 0, 0, 0, 0), 8, Kept::Multicast),
];
