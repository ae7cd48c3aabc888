//! A region grants the next lease only when the one before cannot serve any more.

use std::cell::RefCell;
use std::collections::BTreeMap;

use headwater_domain::control::{ControlRecord, ReplicatedState};
use headwater_domain::heartbeat::Activity;
use headwater_domain::testing::samples;
use headwater_domain::{BroadcastId, Lease};

use super::handover;
use crate::simulation::{self, Side, violated};
use crate::table::replicated_state;

/// Silent for so long, a task may be replaced; clocks of one region agree.
const SILENT: u64 = 15_000;
/// A heartbeat that has come while the decision was made.
const MEANWHILE: u64 = 1_000;
/// Without a first heartbeat for so long a task counts as not started.
const LATE: u64 = 120_000;

thread_local! {
    /// The other region's highest lease that was known of when a lease was granted.
    static KNOWN: RefCell<BTreeMap<(BroadcastId, Lease), Option<Lease>>> = RefCell::default();
}

pub fn reset() {
    KNOWN.take();
}

/// Whether `lease` takes over from `other`, a lease of the other region: it was known of when `lease` was granted, and no
/// lease of the same region before it was granted with that knowledge.
pub fn takes_over(broadcast: &BroadcastId, lease: &Lease, other: &Lease) -> bool {
    KNOWN.with_borrow(|all| {
        let knew = all.iter().filter(|((of, by), known)| {
            of == broadcast && by.region == lease.region && known.as_ref() >= Some(other)
        });
        knew.map(|((_, by), _)| by).min() == Some(lease)
    })
}

/// Whether both regions have granted leases of one broadcast without knowing of each other's.
pub fn went_apart() -> bool {
    KNOWN.with_borrow(|all| {
        let mut pairs = all.iter().flat_map(|(a, known)| all.keys().map(move |b| (a, known, b)));
        pairs.any(|((of, a), known, (also, b))| {
            of == also && a.region != b.region && b < a && known.as_ref().is_none_or(|known| known < b)
        })
    })
}

fn note(there: &ReplicatedState, broadcast: &BroadcastId, new: &Lease) {
    let others = there.leases_of(broadcast).filter(|lease| lease.region != new.region);
    let known = others.max().cloned();
    KNOWN.with_borrow_mut(|all| all.insert((broadcast.clone(), new.clone()), known));
}

/// Only the standby that there was is promoted, and only once.
fn check_promotion(before: Option<&ControlRecord>, record: &ControlRecord) {
    let Some(new) = &record.lease else { return };
    if before.and_then(|before| before.lease.as_ref()) == Some(new) {
        return;
    }
    let standby = before.and_then(|before| before.standby.as_ref());
    if standby.map(|standby| &standby.lease) != Some(&new.lease) || record.standby.is_some() {
        violated(|| format!("{} is promoted, and was no standby", new.lease));
    }
    handover::promoted(record);
}

/// `record` is about to take the place of `before` in a region's replica.
pub fn granted(side: Side, before: Option<&ControlRecord>, record: &ControlRecord) {
    if let Some(standby) = &record.standby
        && before.and_then(|before| before.standby.as_ref()) != Some(standby)
    {
        let there = simulation::with(|sim| replicated_state(sim, side, &samples::stream_id()));
        note(&there, &standby.broadcast, &standby.lease);
        return;
    }
    let Some(new) = &record.lease else { return };
    if new.promotion.is_some() {
        return check_promotion(before, record);
    }
    if before.and_then(|before| before.lease.as_ref()) == Some(new) {
        return;
    }
    let (there, is_disturbed) = simulation::with(|sim| {
        let is_disturbed = crate::executor::now() < sim.disturbed_until;
        (replicated_state(sim, side, &samples::stream_id()), is_disturbed)
    });
    note(&there, &new.broadcast, &new.lease);
    let leases = there.records.iter().filter_map(|record| record.lease.as_ref());
    let of_it = leases.filter(|lease| lease.broadcast == new.broadcast);
    let Some(old) = of_it.max_by(|a, b| a.lease.cmp(&b.lease)) else { return };
    // What the other region has made of the same request.
    if new.lease == old.lease {
        return;
    }
    if new.lease <= old.lease && new.lease.region == old.lease.region {
        violated(|| format!("{side:?} grants {} although there is {}", new.lease, old.lease));
    }
    // The peer's replica may be behind; what it does not know it cannot obey.
    if old.lease.region != new.lease.region || (side.region() != old.lease.region && is_disturbed) {
        return;
    }
    let records = there.records.iter().chain([record]);
    let is_over = records.filter_map(|record| record.over.as_ref()).any(|over| over.lease == old.lease);
    let now = side.clock();
    let heartbeat = there
        .heartbeats
        .iter()
        .filter(|heartbeat| heartbeat.lease == old.lease)
        .max_by_key(|heartbeat| heartbeat.at);
    let lives = match heartbeat {
        Some(heartbeat) => {
            let age = now.0.saturating_sub(heartbeat.at.0);
            heartbeat.health.activity != Activity::Leaving && age > MEANWHILE && age < SILENT - MEANWHILE
        }
        None => now.0.saturating_sub(old.granted_at.0) < LATE - MEANWHILE,
    };
    if lives && !is_over {
        violated(|| format!("{side:?} grants {} while the task of {} lives", new.lease, old.lease));
    }
}
