//! Keeping a stream's state true when nobody asks: dead tasks are replaced, broadcasts without a publisher end.

use std::time::Duration;

use super::standby::{promoted, successor, withdrawn};
use super::{Entropy, Next, StartTask, grant};
use crate::control::{
    ControlRecord, End, LeaseOver, PEER_PATIENCE, ReplicatedState, SessionRecord, Suspicion,
};
use crate::heartbeat::Activity;
use crate::ids::Lease;
use crate::time::Timestamp;

/// Tasks that may die in a row without making media before the broadcast is given up.
pub const MAX_FAILURES: u32 = 5;

/// A silence that one sweep finds must be found by one of so much later, before it ends a broadcast. Less than the minute
/// between sweeps.
const CONFIRM_AFTER: Duration = Duration::from_secs(45);

/// What has happened, when a region reconciles a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// The minute sweep.
    Sweep,
    /// The task of this lease has stopped.
    TaskStopped {
        /// Its lease.
        lease: Lease,
        /// What ECS says of it.
        reason: String,
    },
    /// The task of this lease could not be started.
    StartFailed {
        /// Its lease.
        lease: Lease,
        /// What ECS says of it.
        reason: String,
        /// Whether too many were being started: that says nothing of this one, and is not held against it.
        throttled: bool,
    },
}

/// Keeps a stream's state true: replaces dead tasks of this region, declares broadcasts over. Idempotent; safe to run
/// twice at once (the control record is written conditionally).
pub fn reconcile(
    replicated: &ReplicatedState,
    own: &ControlRecord,
    trigger: &Trigger,
    now: Timestamp,
    entropy: Entropy,
) -> Option<Next> {
    let session = replicated.session()?;
    if replicated.end().is_some() {
        return None;
    }
    if let Some(next) = about_standby(replicated, own, trigger, now) {
        return Some(next);
    }
    if let Some(at) = replicated.ended_at(now) {
        return declare_over(replicated, own, session, at, now);
    }
    let mut record = ControlRecord { version: own.version + 1, ..own.clone() };
    let ours = own.session.as_ref().is_some_and(|own| own.id == session.id);
    let current = replicated.lease();
    let over = match trigger {
        Trigger::Sweep => None,
        Trigger::TaskStopped { lease, reason } | Trigger::StartFailed { lease, reason, .. } => {
            // News of a lease that is already history.
            if current.is_none_or(|record| record.lease != *lease) || replicated.is_over(lease) {
                return None;
            }
            let throttled = matches!(trigger, Trigger::StartFailed { throttled: true, .. });
            Some(LeaseOver { lease: lease.clone(), at: now, reason: reason.clone(), throttled })
        }
    };
    // After a partition the session that holds and the lease that holds may be of different regions.
    let serves = current.is_some_and(|record| record.lease.region == session.gateway.region);
    let dead = over.is_some() || !replicated.lease_lives(now);
    let published_here = session.gateway.region == own.region;
    let here = current.map_or(ours, |record| record.lease.region == own.region);
    if !(dead && here || !serves && published_here) {
        return None;
    }
    // Of a publisher that has gone, too, the gateway has what nobody has read.
    let wanted = published_here && (replicated.lost_since(now).is_none() || replicated.is_unread());
    let recorded = over.is_some();
    record.over = over.or(record.over);
    if !wanted {
        // Nobody publishes: the next publish takes the next lease.
        return recorded.then_some(Next { record, start: None });
    }
    let made_media = replicated.heartbeat().is_some_and(|heartbeat| heartbeat.health.segment.is_some());
    let left = replicated.heartbeat().is_some_and(|heartbeat| heartbeat.health.activity == Activity::Leaving);
    let throttled =
        |lease: &Lease| record.over.as_ref().is_some_and(|over| over.throttled && over.lease == *lease);
    let failures = match current {
        Some(current) if throttled(&current.lease) => current.failures,
        Some(current) if serves && !made_media && !left => current.failures + 1,
        _ => 0,
    };
    if failures >= MAX_FAILURES {
        let reason =
            record.over.as_ref().map_or("transcoder tasks give no sign of life", |over| &over.reason);
        let reason = format!("no transcoder could be kept running: {reason}");
        record.end = Some(End { broadcast: session.broadcast.clone(), at: now, reason, failed: true });
        return Some(Next { record, start: None });
    }
    if matches!(trigger, Trigger::StartFailed { .. }) {
        // What was short a moment ago is short still: the next sweep tries again.
        return Some(Next { record, start: None });
    }
    if let Some(standby) = successor(replicated, own, now) {
        return Some(Next { record: promoted(replicated, &record, standby, failures, now), start: None });
    }
    let granted = grant(replicated, &session.broadcast, &own.region, now, entropy.nonce, failures);
    let start = StartTask {
        stream: record.stream.clone(),
        broadcast: session.broadcast.clone(),
        lease: granted.lease.clone(),
        standby: false,
    };
    record.lease = Some(granted);
    Some(Next { record, start: Some(start) })
}

/// The broadcast has ended at `at`, as far as is known; says so, once it is sure.
fn declare_over(
    replicated: &ReplicatedState,
    own: &ControlRecord,
    session: &SessionRecord,
    at: Timestamp,
    now: Timestamp,
) -> Option<Next> {
    let ours = own.session.as_ref().is_some_and(|own| own.id == session.id);
    let patience = if ours { Duration::ZERO } else { PEER_PATIENCE };
    if now.since(at) < patience {
        return None;
    }
    let mut record = ControlRecord { version: own.version + 1, ..own.clone() };
    if replicated.is_presumed_lost(now) {
        // A region that comes back after an outage is told within moments what it has missed.
        match own.suspicion.as_ref().filter(|suspicion| suspicion.session == session.id) {
            None => {
                record.suspicion = Some(Suspicion { session: session.id.clone(), at: now });
                return Some(Next { record, start: None });
            }
            Some(suspicion) if now.since(suspicion.at) < CONFIRM_AFTER => return None,
            Some(_) => {}
        }
    }
    let reason = replicated.lost_reason(now).to_owned();
    record.end = Some(End { broadcast: session.broadcast.clone(), at, reason, failed: false });
    Some(Next { record, start: None })
}

/// What of `trigger` concerns this region's standby alone: it says nothing of the lease that holds.
fn about_standby(
    replicated: &ReplicatedState,
    own: &ControlRecord,
    trigger: &Trigger,
    now: Timestamp,
) -> Option<Next> {
    let standby = own.standby.as_ref()?;
    let reason = match trigger {
        Trigger::TaskStopped { lease, reason } | Trigger::StartFailed { lease, reason, .. } => {
            (*lease == standby.lease).then(|| reason.clone())?
        }
        // Of one whose holder is dead, too, it is decided together.
        Trigger::Sweep if replicated.lease_lives(now) => replicated.standby_failure(standby, now)?,
        Trigger::Sweep => return None,
    };
    Some(Next { record: withdrawn(own, standby, &reason, now), start: None })
}
