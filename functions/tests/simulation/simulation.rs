//! The state of the simulated world: two regions, what is broken just now, and what was seen to go wrong.

use std::cell::RefCell;
use std::collections::BTreeMap;

use headwater_domain::testing::samples;
use headwater_domain::{Lease, Region, Timestamp};

use super::cluster::TaskInfo;
use super::executor::{self, Process};
use super::gateway::Sessions;
use super::media::Media;
use super::store::Store;

/// When every world begins.
pub const T0: u64 = 1_700_000_000_000;

/// One of the two regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    A,
    B,
}

pub const SIDES: [Side; 2] = [Side::A, Side::B];

impl Side {
    pub fn region(self) -> Region {
        match self {
            Self::A => samples::region_a(),
            Self::B => samples::region_b(),
        }
    }

    pub fn of(region: &Region) -> Self {
        if *region == samples::region_a() { Self::A } else { Self::B }
    }

    pub fn peer(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// What time it is by this region's clocks.
    pub fn clock(self) -> Timestamp {
        with(|sim| Timestamp((T0 + executor::now()).saturating_add_signed(sim.region(self).skew)))
    }
}

/// What is broken in one region.
#[derive(Debug, Default)]
pub struct RegionState {
    /// Milliseconds that its clocks are ahead.
    pub skew: i64,
    pub lost: bool,
    pub api_down: bool,
    /// Its API takes requests and does nothing, until it goes on with them.
    pub api_hangs: bool,
    /// Until when its programs ask the other region's API first.
    pub avoids_own_api_until: u64,
    pub table_down: bool,
    /// Of a hundred writes.
    pub throttled: u64,
    pub bucket_down: bool,
    /// Of a hundred puts.
    pub bucket_failing: u64,
    pub no_capacity: bool,
    /// Where its functions run just now.
    pub functions: Process,
    pub gateway: Sessions,
}

#[derive(Debug, Default)]
pub struct Simulation {
    pub regions: [RegionState; 2],
    pub store: Store,
    pub media: Media,
    pub tasks: BTreeMap<Lease, TaskInfo>,
    pub partitioned: bool,
    /// Milliseconds that replication takes: at least, at most.
    pub lag: (u64, u64),
    /// The longest that replication has ever taken.
    pub longest_lag: u64,
    /// Hook calls of a hundred whose request, and whose answer, are lost.
    pub lossy: u64,
    /// Milliseconds from RunTask to the first heartbeat: at least, at most.
    pub start_delay: (u64, u64),
    /// Until when the bad thing that happened last may show.
    pub disturbed_until: u64,
    /// Since when nothing is broken any more.
    pub calm_since: Option<u64>,
    pub violations: Vec<String>,
    /// What happened, if it is to be told.
    pub trace: Option<Vec<String>>,
}

impl Simulation {
    pub fn region(&self, side: Side) -> &RegionState {
        &self.regions[side as usize]
    }

    pub fn region_mut(&mut self, side: Side) -> &mut RegionState {
        &mut self.regions[side as usize]
    }

    /// Whether the regions cannot speak with each other.
    pub fn is_cut(&self) -> bool {
        self.partitioned || self.regions.iter().any(|region| region.lost)
    }
}

thread_local! {
    static SIMULATION: RefCell<Simulation> = RefCell::default();
}

pub fn with<T>(act: impl FnOnce(&mut Simulation) -> T) -> T {
    SIMULATION.with_borrow_mut(act)
}

pub fn reset(sim: Simulation) {
    drop(SIMULATION.replace(sim));
}

/// Something that must never be has been seen.
pub fn violated(what: impl FnOnce() -> String) {
    let at = executor::now();
    with(|sim| {
        if sim.violations.is_empty() {
            let what = what();
            sim.violations.push(format!("{:.3} s: {what}", at as f64 / 1e3));
        }
    });
}

/// Tells what happens, if anybody listens.
pub fn tell(what: impl FnOnce() -> String) {
    let at = executor::now();
    with(|sim| {
        if let Some(trace) = &mut sim.trace {
            trace.push(format!("{:>8.3} {}", at as f64 / 1e3, what()));
        }
    });
}

pub fn clock_a() -> Timestamp {
    Side::A.clock()
}

pub fn clock_b() -> Timestamp {
    Side::B.clock()
}
