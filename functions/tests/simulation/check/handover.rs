//! In one region no two living leases write one number: a standby writes nothing before it is promoted, and whoever has
//! handed over nothing behind what it has said is its last segment, unless its standby is withdrawn.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use headwater_domain::control::ControlRecord;
use headwater_domain::timeline::Entry;
use headwater_domain::{Lease, SegmentNumber};

use crate::simulation::{self, tell, violated};

thread_local! {
    /// Who has handed over, and its last segment.
    static QUIESCED: RefCell<BTreeMap<Lease, SegmentNumber>> = RefCell::default();
    /// Standbys that hold now.
    static PROMOTED: RefCell<BTreeSet<Lease>> = RefCell::default();
}

pub fn reset() {
    QUIESCED.take();
    PROMOTED.take();
}

/// `lease` says that it writes nothing behind `segment`.
pub fn quiesced(lease: &Lease, segment: SegmentNumber) {
    QUIESCED.with_borrow_mut(|all| all.insert(lease.clone(), segment));
}

/// It was told that its standby is withdrawn.
pub fn goes_on(lease: &Lease) {
    QUIESCED.with_borrow_mut(|all| all.remove(lease));
}

/// A standby holds by `record`.
pub fn promoted(record: &ControlRecord) {
    let Some(new) = &record.lease else { return };
    tell(|| format!("{} is promoted", new.lease));
    PROMOTED.with_borrow_mut(|all| all.insert(new.lease.clone()));
}

/// An entry is in the timeline.
pub fn written(entry: &Entry) {
    let Entry { lease, number, .. } = entry;
    let is_standby = simulation::with(|sim| sim.tasks[lease].is_standby);
    if is_standby && !PROMOTED.with_borrow(|all| all.contains(lease)) {
        violated(|| format!("the standby {lease} writes {}", number.0));
    }
    let last = QUIESCED.with_borrow(|all| all.get(lease).copied());
    if let Some(last) = last.filter(|last| *number > *last) {
        violated(|| format!("{lease} writes {} and had handed over behind {}", number.0, last.0));
    }
}
