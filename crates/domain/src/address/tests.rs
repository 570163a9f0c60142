use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::{Kept, Network, NetworkError, Policy, Verdict, judge};

fn verdict(text: &str) -> Verdict {
    judge(text.parse().unwrap(), &Policy::default())
}

fn allowing(networks: &[&str]) -> Policy {
    let allowed = networks.iter().map(|text| text.parse().unwrap()).collect();
    Policy { allowed }
}

fn in_6to4(v4: Ipv4Addr) -> Ipv6Addr {
    Ipv6Addr::from_bits(0x2002 << 112 | u128::from(v4.to_bits()) << 80 | 1)
}

fn in_nat64(v4: Ipv4Addr) -> Ipv6Addr {
    Ipv6Addr::from_bits(0x0064_ff9b << 96 | u128::from(v4.to_bits()))
}

// S-07, D-12
#[test]
fn public_addresses_are_public_however_they_are_wrapped() {
    for text in [
        "8.8.8.8",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.1",
        "172.32.0.1",
        "192.0.1.1",
        "198.20.0.0",
        "223.255.255.255",
        "2606:4700::1111",
        "2001:200::1",
        "2001:4860:4860::8888",
        "3ffe::1",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
    ] {
        assert_eq!(verdict(text), Verdict::Public, "{text}");
    }
}

// S-07, D-12
#[test]
fn an_address_kept_for_another_purpose_is_refused_with_that_purpose() {
    for (text, kept) in [
        ("0.0.0.0", Kept::Unspecified),
        ("0.1.2.3", Kept::Unspecified),
        ("10.1.2.3", Kept::Private),
        ("100.64.0.1", Kept::CarrierNat),
        ("100.127.255.255", Kept::CarrierNat),
        ("100.100.100.200", Kept::CloudMetadata),
        ("127.0.0.1", Kept::Loopback),
        ("127.255.255.255", Kept::Loopback),
        ("168.63.129.16", Kept::CloudMetadata),
        ("169.254.169.254", Kept::CloudMetadata),
        ("169.254.0.1", Kept::LinkLocal),
        ("172.16.0.0", Kept::Private),
        ("172.31.255.255", Kept::Private),
        ("192.0.0.1", Kept::Protocols),
        ("192.0.0.192", Kept::CloudMetadata),
        ("192.0.2.1", Kept::Documentation),
        ("192.88.99.1", Kept::Tunnel),
        ("192.168.1.1", Kept::Private),
        ("198.19.255.255", Kept::Benchmarks),
        ("198.51.100.7", Kept::Documentation),
        ("203.0.113.9", Kept::Documentation),
        ("224.0.0.1", Kept::Multicast),
        ("240.0.0.1", Kept::Reserved),
        ("255.255.255.255", Kept::Broadcast),
        ("::", Kept::Unspecified),
        ("::1", Kept::Loopback),
        ("::7f00:1", Kept::Tunnel),
        ("::8.8.8.8", Kept::Tunnel),
        ("::ffff:0:8.8.8.8", Kept::Reserved),
        ("::ffff:127.0.0.1", Kept::Loopback),
        ("::ffff:169.254.169.254", Kept::CloudMetadata),
        ("64:ff9b::10.0.0.1", Kept::Private),
        ("64:ff9b:1::8.8.8.8", Kept::Tunnel),
        ("100::1", Kept::Discard),
        ("100:0:0:1::1", Kept::Reserved),
        ("2001::1", Kept::Tunnel),
        ("2001:2::1", Kept::Benchmarks),
        ("2001:10::1", Kept::Orchid),
        ("2001:2f::1", Kept::Orchid),
        ("2001:1ff::1", Kept::Protocols),
        ("2001:db8::1", Kept::Documentation),
        ("2002:7f00:1::1", Kept::Loopback),
        ("2002:a9fe:a9fe::1", Kept::CloudMetadata),
        ("3fff::1", Kept::Documentation),
        ("4000::1", Kept::Reserved),
        ("5f00::1", Kept::Reserved),
        ("fc00::1", Kept::UniqueLocal),
        ("fd00:ec2::254", Kept::CloudMetadata),
        ("fd20:ce::254", Kept::CloudMetadata),
        ("fdff::1", Kept::UniqueLocal),
        ("fe80::1", Kept::LinkLocal),
        ("fec0::1", Kept::SiteLocal),
        ("ff02::1", Kept::Multicast),
    ] {
        assert_eq!(verdict(text), Verdict::Refused(kept), "{text}");
    }
}

// S-07, D-12
#[test]
fn what_the_bank_lists_may_be_dialled_and_nothing_beside_it() {
    let policy = allowing(&["10.20.0.0/16", "fd12::/16", "127.0.0.1/32"]);
    for text in ["10.20.255.255", "::ffff:10.20.0.1", "fd12::1", "127.0.0.1"] {
        let verdict = judge(text.parse().unwrap(), &policy);
        assert!(matches!(verdict, Verdict::Allowed(_)), "{text}");
    }
    for text in [
        "10.21.0.0",
        "10.19.255.255",
        "fd13::1",
        "127.0.0.2",
        "64:ff9b::10.20.0.1",
        "2002:a14:1::1",
    ] {
        assert!(
            !judge(text.parse().unwrap(), &policy).may_be_dialled(),
            "{text}"
        );
    }
    let everything = allowing(&["0.0.0.0/0", "::/0"]);
    for text in ["127.0.0.1", "::1", "169.254.169.254", "ff02::1"] {
        assert!(
            judge(text.parse().unwrap(), &everything).may_be_dialled(),
            "{text}"
        );
    }
}

// D-12
#[test]
fn a_network_is_read_strictly() {
    for (text, error) in [
        ("10.0.0.0", NetworkError::NoPrefix),
        ("", NetworkError::NoPrefix),
        ("10.0.0/8", NetworkError::Address),
        ("010.0.0.0/8", NetworkError::Address),
        ("0x0a000000/8", NetworkError::Address),
        (" 10.0.0.0/8", NetworkError::Address),
        ("localhost/8", NetworkError::Address),
        ("[fd00::]/8", NetworkError::Address),
        ("10.0.0.0/", NetworkError::Prefix),
        ("10.0.0.0/08", NetworkError::Prefix),
        ("10.0.0.0/+8", NetworkError::Prefix),
        ("10.0.0.0/8 ", NetworkError::Prefix),
        ("10.0.0.0/255.0.0.0", NetworkError::Prefix),
        ("10.0.0.0/33", NetworkError::Prefix),
        ("fd00::/129", NetworkError::Prefix),
        ("10.1.0.0/8", NetworkError::HostBits),
        ("fd00::1/64", NetworkError::HostBits),
        ("1.0.0.0/0", NetworkError::HostBits),
        ("::ffff:10.0.0.0/104", NetworkError::Mapped),
    ] {
        assert_eq!(text.parse::<Network>(), Err(error), "{text}");
    }
    for text in ["0.0.0.0/0", "10.0.0.1/32", "::/0", "fd00::/8", "::1/128"] {
        assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
    }
}

proptest! {
    // D-12
    #[test]
    fn no_address_that_std_knows_to_be_special_is_public(bits in any::<u32>()) {
        let v4 = Ipv4Addr::from_bits(bits);
        let special = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast()
            || v4.is_broadcast() || v4.is_documentation() || v4.is_unspecified() || v4.octets()[0] >= 240;
        if special {
            prop_assert!(!judge(v4.into(), &Policy::default()).may_be_dialled());
        }
    }

    // D-12
    #[test]
    fn an_address_is_judged_alike_in_each_wrapping_that_carries_it(bits in any::<u32>()) {
        let v4 = Ipv4Addr::from_bits(bits);
        let bare = judge(v4.into(), &Policy::default());
        for wrapped in [v4.to_ipv6_mapped(), in_nat64(v4), in_6to4(v4)] {
            prop_assert_eq!(judge(wrapped.into(), &Policy::default()), bare);
        }
        prop_assert!(!judge(v4.to_ipv6_compatible().into(), &Policy::default()).may_be_dialled());
    }

    // D-12
    #[test]
    fn an_address_of_ipv6_is_public_only_inside_global_unicast(bits in any::<u128>()) {
        let v6 = Ipv6Addr::from_bits(bits);
        let carries = v6.to_ipv4_mapped().is_some() || v6.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0];
        if judge(v6.into(), &Policy::default()) == Verdict::Public {
            prop_assert!(bits >> 125 == 1 || carries, "{}", v6);
        }
    }

    // D-12
    #[test]
    fn a_listed_network_opens_itself_and_nothing_else(
        first in any::<u128>(), prefix in 0_u32..=128, address in any::<u128>(), near in any::<bool>(),
    ) {
        let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
        let first = first & mask;
        prop_assume!(Ipv6Addr::from_bits(first).to_ipv4_mapped().is_none());
        let address = if near { first | (address & !mask) } else { address };
        let address = IpAddr::from(Ipv6Addr::from_bits(address)).to_canonical();
        let policy = allowing(&[&format!("{}/{prefix}", Ipv6Addr::from_bits(first))]);
        let listed = match address {
            IpAddr::V6(v6) => v6.to_bits() & mask == first,
            IpAddr::V4(_) => false,
        };
        let public = judge(address, &Policy::default()) == Verdict::Public;
        prop_assert_eq!(judge(address, &policy).may_be_dialled(), public || listed);
    }
}
