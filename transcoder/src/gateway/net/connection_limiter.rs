//! Counts connections, in all and by group of addresses, so that one peer cannot take every place.

use std::collections::HashMap;
use std::sync::Arc;

use headwater_domain::key_attempts::AddressGroup;
use parking_lot::{Mutex, MutexGuard};
use thiserror::Error;

/// There is no place.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// For nobody.
    #[error("too many connections")]
    All,
    /// For this address.
    #[error("too many connections from one address")]
    Address,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_address: HashMap<AddressGroup, usize>,
}

/// Counts connections and admits so many.
#[derive(Debug, Clone)]
pub struct ConnectionLimiter {
    counts: Arc<Mutex<Counts>>,
    max: usize,
    max_per_address: usize,
}

impl ConnectionLimiter {
    /// No connections yet.
    pub fn new(max: usize, max_per_address: usize) -> Self {
        Self { counts: Arc::default(), max, max_per_address }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lock().all
    }

    /// Takes a place for a connection from `address`, until the answer is dropped.
    pub fn enter(&self, address: impl Into<AddressGroup>) -> Result<ConnectionPermit, Full> {
        let address = address.into();
        let mut counts = self.lock();
        if counts.all >= self.max {
            return Err(Full::All);
        }
        let same = counts.by_address.entry(address).or_default();
        if *same >= self.max_per_address {
            return Err(Full::Address);
        }
        *same += 1;
        counts.all += 1;
        Ok(ConnectionPermit { connection_limiter: self.clone(), address })
    }
}

/// A connection's place.
#[derive(Debug)]
pub struct ConnectionPermit {
    connection_limiter: ConnectionLimiter,
    address: AddressGroup,
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut counts = self.connection_limiter.lock();
        counts.all -= 1;
        if let Some(same) = counts.by_address.get_mut(&self.address) {
            *same -= 1;
            if *same == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn places_are_bounded_and_given_back() {
        let connection_limiter = ConnectionLimiter::new(3, 2);
        let [one, two]: [IpAddr; 2] = ["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
        let first = connection_limiter.enter(one).unwrap();
        let _second = connection_limiter.enter(one).unwrap();
        assert_eq!(connection_limiter.enter(one).unwrap_err(), Full::Address);
        let _third = connection_limiter.enter(two).unwrap();
        assert_eq!(connection_limiter.enter(two).unwrap_err(), Full::All);
        drop(first);
        assert!(connection_limiter.enter(one).is_ok());
        assert_eq!(connection_limiter.count(), 2);
    }

    #[test]
    fn a_network_of_ipv6_has_the_places_of_one_address() {
        let connection_limiter = ConnectionLimiter::new(10, 2);
        let enter = |address: &str| connection_limiter.enter(address.parse::<IpAddr>().unwrap());
        let _permits = (enter("2001:db8::1").unwrap(), enter("2001:db8::2").unwrap());
        assert_eq!(enter("2001:db8::3").unwrap_err(), Full::Address);
        assert!(enter("2001:db8:0:1::3").is_ok());
    }
}
