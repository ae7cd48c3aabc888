//! What happens in a world: drawn from a seed, told in a line each, done at its time.

mod act;
mod draw;

use headwater_domain::stream::{Latency, PublishPolicy};

pub use act::{act, calm, sweep_every_minute};
pub use draw::draw;

use super::simulation::Side;

/// What a world is like before anything happens.
#[derive(Debug, Clone)]
pub struct Setting {
    pub latency: Latency,
    pub policy: PublishPolicy,
    pub mirror: bool,
    pub window_seconds: u32,
    /// Milliseconds that region B's clocks are ahead of region A's.
    pub skew: i64,
    pub lag: (u64, u64),
    pub start_delay: (u64, u64),
}

/// Something that happens; what breaks is whole again after so many milliseconds.
#[derive(Debug, Clone, Copy)]
pub enum Event {
    Publish(Side),
    Leave(Side),
    /// The connection is lost and the encoder connects again; the gateway notices so much later.
    Reconnect(Side, u64),
    KillTask,
    /// The oldest that works: beside a standby that is the holder.
    KillOldest,
    /// The newest task is asked to leave, as with a Spot interruption.
    Retire,
    /// The owner wants another task to go on.
    Move(Side),
    Freeze(u64),
    /// The newest task works on, but no heartbeat of its is answered.
    Deaf(u64),
    StartsTake(u64, u64),
    NoCapacity(Side, u64),
    /// So many of a hundred hook calls.
    CallsLost(u64, u64),
    ApiDown(Side, u64),
    /// It takes requests and answers none; afterwards it goes on with them.
    ApiHangs(Side, u64),
    TableDown(Side, u64),
    Throttled(Side, u64, u64),
    BucketFailing(Side, u64, u64),
    BucketDown(Side, u64),
    Partition(u64),
    Lag(u64, u64),
    /// In both regions, twice at once.
    Sweep,
    RevokeKey(Side),
    StopStream(Side),
    DeleteStream(Side),
    /// The stream gets another name, in which this number stands.
    PatchStream(Side, u64),
    RegionLost(Side, u64),
}

/// A setting and what happens in it, in order, at milliseconds.
#[derive(Debug, Clone)]
pub struct Script {
    pub setting: Setting,
    pub events: Vec<(u64, Event)>,
}

impl std::fmt::Display for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{:?}", self.setting)?;
        for (at, event) in &self.events {
            writeln!(f, "{:>8.3} {event:?}", *at as f64 / 1e3)?;
        }
        Ok(())
    }
}
