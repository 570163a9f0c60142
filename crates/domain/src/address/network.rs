//! A network, written as `10.0.0.0/8` or `fd00::/8` and in no other way: a list that opens doors is read strictly.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::{within_v4, within_v6};

/// All addresses that begin alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    prefix: u32,
}

/// Why a text is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// There is no slash.
    #[error("it has no prefix length: an address alone is written with /32 or /128")]
    NoPrefix,
    /// What stands before the slash.
    #[error("what stands before the slash is no IP address")]
    Address,
    /// What stands after the slash.
    #[error(
        "its prefix length is no number from 0 to 32 (IPv4) or 128 (IPv6) without leading zeros"
    )]
    Prefix,
    /// `10.1.0.0/8` may mean `10.0.0.0/8` or `10.1.0.0/16`.
    #[error("its address has bits beyond the prefix")]
    HostBits,
    /// `::ffff:10.0.0.0/104`.
    #[error("it is IPv4 in the clothes of IPv6: write it as IPv4")]
    Mapped,
}

impl Network {
    /// Whether an address is in it. An IPv4-mapped address is the IPv4 address, for that is where its packets go; other
    /// wrappings are not unwrapped: behind a translator, the same numbers are another network.
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(v4)) => {
                within_v4(v4.to_bits(), first.to_bits(), self.prefix)
            }
            (IpAddr::V6(first), IpAddr::V6(v6)) => {
                within_v6(v6.to_bits(), first.to_bits(), self.prefix)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = text.split_once('/').ok_or(NetworkError::NoPrefix)?;
        let first: IpAddr = address.parse().map_err(|_| NetworkError::Address)?;
        let digits_only = prefix.bytes().all(|byte| byte.is_ascii_digit());
        let led_by_zero = prefix.len() > 1 && prefix.starts_with('0');
        let length: u32 = prefix.parse().map_err(|_| NetworkError::Prefix)?;
        let length_max = if first.is_ipv4() { 32 } else { 128 };
        if !digits_only || led_by_zero || length > length_max {
            return Err(NetworkError::Prefix);
        }
        if first.to_canonical() != first {
            return Err(NetworkError::Mapped);
        }
        if has_bits_beyond(first, length) {
            return Err(NetworkError::HostBits);
        }
        Ok(Self {
            first,
            prefix: length,
        })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

fn has_bits_beyond(address: IpAddr, prefix: u32) -> bool {
    match address {
        IpAddr::V4(v4) => v4.to_bits().checked_shl(prefix).unwrap_or(0) != 0,
        IpAddr::V6(v6) => v6.to_bits().checked_shl(prefix).unwrap_or(0) != 0,
    }
}
