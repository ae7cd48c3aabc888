//! What a handler needs beside its ports: where it runs, what time it is, and entropy.

use std::time::{SystemTime, UNIX_EPOCH};

use headwater_domain::control::decide::Entropy;
use headwater_domain::{Region, Timestamp};

/// Region, clock and entropy. Tests hand in their own.
#[derive(Debug, Clone)]
pub struct Context {
    /// The region we run in.
    pub region: Region,
    /// The other one, if the deployment has two.
    pub peer: Option<Region>,
    /// The wall clock.
    pub clock: fn() -> Timestamp,
    /// 128 random bits.
    pub random: fn() -> u128,
}

impl Context {
    /// With the real clock and real randomness.
    pub fn real(region: Region, peer: Option<Region>) -> Self {
        Self { region, peer, clock: wall_clock, random: rand::random }
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Random bits for one decision.
    pub fn entropy(&self) -> Entropy {
        Entropy { broadcast: (self.random)(), nonce: (self.random)() }
    }

    /// Both regions, ours first.
    pub fn regions(&self) -> impl Iterator<Item = &Region> {
        std::iter::once(&self.region).chain(&self.peer)
    }
}

/// The real clock.
pub fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
