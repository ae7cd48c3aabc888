//! Media that was committed stays in the timeline, once.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use headwater_domain::timeline::{Entry, resolve};
use headwater_domain::{BroadcastId, Lease, SegmentNumber, SessionId};

use super::{handover, leases};
use crate::executor;
use crate::simulation::{self, Side, violated};
use crate::table::entries;

/// What was held up by a partition comes after so long; then the next heartbeat tells, and the segment that is being made
/// is the last one that does not know.
const HEARD_WITHIN: u64 = 9_000;

thread_local! {
    /// And when.
    static COMMITTED: RefCell<BTreeMap<(BroadcastId, Lease, SegmentNumber), u64>> = RefCell::default();
}

pub fn reset() {
    COMMITTED.take();
}

/// A writer was told that its entry is in the timeline.
pub fn committed(entry: &Entry) {
    if entry.open {
        handover::written(entry);
        return;
    }
    handover::written(entry);
    check_takeover(entry);
    check_behind(entry);
    let named = (entry.broadcast.clone(), entry.lease.clone(), entry.number);
    COMMITTED.with_borrow_mut(|all| {
        all.entry(named).or_insert_with(executor::now);
    });
}

/// A lease that takes over goes on behind all that the other region's leases had written when it came up, whether it saw
/// that or not. What they write beyond it because they have not heard of it, it is told: see [`check_behind`].
fn check_takeover(entry: &Entry) {
    let up = simulation::with(|sim| sim.tasks[&entry.lease].up);
    let covered = COMMITTED.with_borrow(|all| {
        let mut others = all.iter().filter(|((of, lease, number), at)| {
            *of == entry.broadcast
                && *lease < entry.lease
                && lease.region != entry.lease.region
                && *number >= entry.number
                && **at < up
                && leases::takes_over(of, &entry.lease, lease)
        });
        others.next().map(|((_, lease, number), _)| (lease.clone(), number.0))
    });
    if let Some((lease, number)) = covered {
        violated(|| {
            let (new, at) = (&entry.lease, entry.number.0);
            format!("{new} writes {at} although {lease} had written {number} when it came up")
        });
    }
}

/// How long it takes from when all is well until each task has heard of everything.
pub fn heard_within() -> u64 {
    HEARD_WITHIN + simulation::with(|sim| sim.longest_lag)
}

/// Once both regions have heard of each other, a task writes behind all that the other region's lower leases have written.
fn check_behind(entry: &Entry) {
    let calm_since = simulation::with(|sim| sim.calm_since);
    if calm_since.is_none_or(|since| executor::now() <= since + heard_within()) {
        return;
    }
    let beyond = COMMITTED.with_borrow(|all| {
        let of_it = all.keys().filter(|(of, lease, _)| {
            *of == entry.broadcast && *lease < entry.lease && lease.region != entry.lease.region
        });
        of_it.map(|(_, _, number)| *number).max().filter(|number| *number >= entry.number)
    });
    if let Some(beyond) = beyond {
        violated(|| {
            let (lease, number) = (&entry.lease, entry.number.0);
            format!("{lease} writes {number} although the other region has written up to {}", beyond.0)
        });
    }
}

/// Broadcasts that have media.
pub fn broadcasts() -> BTreeSet<BroadcastId> {
    COMMITTED.with_borrow(|all| all.keys().map(|(broadcast, ..)| broadcast.clone()).collect())
}

/// An entry names only objects of its own region: the other one's bucket may be gone for good.
pub fn check_names(entry: &Entry) {
    for rendition in &entry.renditions {
        if !rendition.init.starts_with(&format!("{}/", entry.lease.region)) {
            violated(|| format!("an entry of {} needs {} of the other region", entry.lease, rendition.init));
        }
    }
}

/// Once both replicas hold the same: what was committed is in the timeline, or a higher lease has written there.
pub fn check_kept(side: Side) {
    for broadcast in broadcasts() {
        let written = simulation::with(|sim| entries(sim, side, &broadcast, usize::MAX));
        let line = resolve(written.clone());
        let all = COMMITTED.with_borrow(|all| all.clone());
        for (_, lease, number) in all.into_keys().filter(|(of, ..)| *of == broadcast) {
            let shown = line.iter().any(|entry| entry.lease == lease && entry.number == number);
            let replaced = written.iter().any(|entry| entry.lease > lease && entry.number <= number);
            if !shown && !replaced {
                violated(|| format!("segment {} of {lease} was committed and is lost", number.0));
            }
        }
        check_once(side, &line);
    }
}

/// No frame of a session is shown twice, but around the room that a takeover leaves, also if it was filled: what the one
/// before writes there late, its successor has not seen and makes again.
fn check_once(side: Side, line: &[Entry]) {
    let mut shown: BTreeMap<SessionId, (&Entry, u64)> = BTreeMap::new();
    for entry in line.iter().filter(|entry| !entry.open) {
        let length = entry.video.map_or(0, |span| span.duration.ticks / 90);
        let (from, to) = (entry.source.cursor - length, entry.source.cursor);
        let Some((before, until)) = shown.insert(entry.source.session.clone(), (entry, to)) else { continue };
        let left_room = entry.discontinuities > before.discontinuities + 1;
        if before.number.next() == entry.number && from < until && !left_room {
            violated(|| {
                let (number, lease, before) = (entry.number.0, &entry.lease, before.number.0);
                format!(
                    "{side:?} shows media twice: segment {number} of {lease} begins at {from} ms, {before} ends at {until} ms"
                )
            });
        }
    }
}
