//! Who is connected: so many in all, so many from one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// All connections of one listener.
pub(super) struct Crowd {
    all_max: usize,
    per_address_max: Option<usize>,
    counted: Mutex<Counted>,
    emptied: Notify,
}

/// One connection's place. Dropped, it is free.
pub(super) struct Place {
    crowd: Arc<Crowd>,
    address: Option<IpAddr>,
}

/// Whether connections of an address are counted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Counting {
    /// By their address.
    ByAddress,
    /// In all only: a gateway's address is many clients'.
    InAll,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    #[error("all places are taken")]
    All,
    #[error("the places of this address are taken")]
    Address,
}

#[derive(Default)]
struct Counted {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

impl Crowd {
    pub(super) fn new(all_max: usize, per_address_max: Option<usize>) -> Arc<Self> {
        Arc::new(Self {
            all_max,
            per_address_max,
            counted: Mutex::default(),
            emptied: Notify::new(),
        })
    }

    /// A place, if there is one.
    pub(super) fn enter(self: &Arc<Self>, from: IpAddr, counting: Counting) -> Result<Place, Full> {
        let per_address_max = self
            .per_address_max
            .filter(|_| counting == Counting::ByAddress);
        let address = per_address_max.map(|_| network_of(from));
        let mut counted = self.lock();
        if counted.all >= self.all_max {
            return Err(Full::All);
        }
        if let Some((address, max)) = address.zip(per_address_max) {
            let here = counted.by_address.entry(address).or_default();
            if *here >= max {
                return Err(Full::Address);
            }
            *here += 1;
        }
        counted.all += 1;
        Ok(Place {
            crowd: Arc::clone(self),
            address,
        })
    }

    /// Returns when nobody is there.
    pub(super) async fn empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.lock().all == 0 {
                return;
            }
            emptied.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counted = self.crowd.lock();
        counted.all -= 1;
        if let Some(address) = self.address
            && let Some(here) = counted.by_address.get_mut(&address)
        {
            *here -= 1;
            if *here == 0 {
                counted.by_address.remove(&address);
            }
        }
        if counted.all == 0 {
            self.crowd.emptied.notify_waiters();
        }
    }
}

/// Whoever has one IPv6 address has the 2^64 beside it.
fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(crowd: &Arc<Crowd>, address: &str) -> Result<Place, Full> {
        crowd.enter(address.parse().unwrap(), Counting::ByAddress)
    }

    #[test]
    fn a_place_left_is_free_again() {
        let crowd = Crowd::new(2, Some(1));
        let first = enter(&crowd, "192.0.2.1").unwrap();
        assert_eq!(enter(&crowd, "192.0.2.1").err(), Some(Full::Address));
        let _second = enter(&crowd, "192.0.2.2").unwrap();
        assert_eq!(enter(&crowd, "192.0.2.3").err(), Some(Full::All));
        drop(first);
        assert!(enter(&crowd, "192.0.2.1").is_ok());
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let crowd = Crowd::new(9, Some(1));
        let _place = enter(&crowd, "2001:db8::1").unwrap();
        assert_eq!(enter(&crowd, "2001:db8::ffff:1").err(), Some(Full::Address));
        assert!(enter(&crowd, "2001:db8:0:1::1").is_ok());
    }

    #[test]
    fn a_gateway_is_counted_in_all_only() {
        let crowd = Crowd::new(3, Some(1));
        let gateway: IpAddr = "192.0.2.1".parse().unwrap();
        let _places = [
            crowd.enter(gateway, Counting::InAll).unwrap(),
            crowd.enter(gateway, Counting::InAll).unwrap(),
        ];
        assert!(enter(&crowd, "192.0.2.1").is_ok());
    }
}
