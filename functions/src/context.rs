//! What a handler needs beside its ports: where it runs, what time it is, and entropy.

use headwater_aws::clock::wall_clock;
use headwater_domain::control::decide::Entropy;
use headwater_domain::{ClockReader, Region, Timestamp};

/// Region, clock and entropy. Tests hand in their own.
#[derive(Debug, Clone)]
pub struct Context {
    /// The region we run in.
    pub region: Region,
    /// The other one, if the deployment has two.
    pub peer: Option<Region>,
    /// The wall clock.
    pub clock: ClockReader,
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
