//! Keeping a stream's state true when nobody asks: dead tasks are replaced, broadcasts without a publisher end.

use std::time::Duration;

use super::{Dice, Next, StartTask, grant};
use crate::beat::Activity;
use crate::ids::Lease;
use crate::live::{End, LeaseOver, PEER_PATIENCE, Seat, Situation, Suspicion};
use crate::time::Timestamp;

/// Tasks that may die in a row without making media before the broadcast is given up.
pub const MAX_FAILURES: u32 = 5;

/// A silence that one sweep finds must be found by one of so much later, before it ends a broadcast. Less than the minute
/// between sweeps.
const CONFIRM_AFTER: Duration = Duration::from_secs(45);

/// What has happened, when a region tends to a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Occasion {
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
/// twice at once (the seat is written conditionally).
pub fn tend(
    situation: &Situation,
    own: &Seat,
    occasion: &Occasion,
    now: Timestamp,
    dice: Dice,
) -> Option<Next> {
    let session = situation.session()?;
    if situation.end().is_some() {
        return None;
    }
    let mut seat = Seat { version: own.version + 1, ..own.clone() };
    let ours = own.session.as_ref().is_some_and(|own| own.id == session.id);
    if let Some(at) = situation.ended_at(now) {
        let patience = if ours { Duration::ZERO } else { PEER_PATIENCE };
        if now.since(at) < patience {
            return None;
        }
        if situation.is_presumed_lost(now) {
            // A region that comes back after an outage is told within moments what it has missed.
            match own.suspicion.as_ref().filter(|suspicion| suspicion.session == session.id) {
                None => {
                    seat.suspicion = Some(Suspicion { session: session.id.clone(), at: now });
                    return Some(Next { seat, start: None });
                }
                Some(suspicion) if now.since(suspicion.at) < CONFIRM_AFTER => return None,
                Some(_) => {}
            }
        }
        let reason = situation.lost_reason(now).to_owned();
        seat.end = Some(End { broadcast: session.broadcast.clone(), at, reason, failed: false });
        return Some(Next { seat, start: None });
    }
    let current = situation.lease();
    let over = match occasion {
        Occasion::Sweep => None,
        Occasion::TaskStopped { lease, reason } | Occasion::StartFailed { lease, reason, .. } => {
            // News of a lease that is already history.
            if current.is_none_or(|seat| seat.lease != *lease) || situation.is_over(lease) {
                return None;
            }
            let throttled = matches!(occasion, Occasion::StartFailed { throttled: true, .. });
            Some(LeaseOver { lease: lease.clone(), at: now, reason: reason.clone(), throttled })
        }
    };
    // After a partition the session that holds and the lease that holds may be of different regions.
    let serves = current.is_some_and(|seat| seat.lease.region == session.gateway.region);
    let dead = over.is_some() || !situation.lease_lives(now);
    let published_here = session.gateway.region == own.region;
    let here = current.map_or(ours, |seat| seat.lease.region == own.region);
    if !(dead && here || !serves && published_here) {
        return None;
    }
    // Of a publisher that has gone, too, the gateway has what nobody has read.
    let wanted = published_here && (situation.lost_since(now).is_none() || situation.is_unread());
    let recorded = over.is_some();
    seat.over = over.or(seat.over);
    if !wanted {
        // Nobody publishes: the next publish takes the next lease.
        return recorded.then_some(Next { seat, start: None });
    }
    let made_media = situation.beat().is_some_and(|beat| beat.health.segment.is_some());
    let left = situation.beat().is_some_and(|beat| beat.health.activity == Activity::Leaving);
    let throttled =
        |lease: &Lease| seat.over.as_ref().is_some_and(|over| over.throttled && over.lease == *lease);
    let failures = match current {
        Some(current) if throttled(&current.lease) => current.failures,
        Some(current) if serves && !made_media && !left => current.failures + 1,
        _ => 0,
    };
    if failures >= MAX_FAILURES {
        let reason = seat.over.as_ref().map_or("transcoder tasks give no sign of life", |over| &over.reason);
        let reason = format!("no transcoder could be kept running: {reason}");
        seat.end = Some(End { broadcast: session.broadcast.clone(), at: now, reason, failed: true });
        return Some(Next { seat, start: None });
    }
    if matches!(occasion, Occasion::StartFailed { .. }) {
        // What was short a moment ago is short still: the next sweep tries again.
        return Some(Next { seat, start: None });
    }
    let granted = grant(situation, &session.broadcast, &own.region, now, dice.nonce, failures);
    let start = StartTask {
        stream: seat.stream.clone(),
        broadcast: session.broadcast.clone(),
        lease: granted.lease.clone(),
    };
    seat.lease = Some(granted);
    Some(Next { seat, start: Some(start) })
}
