//! Handing a broadcast over from a lease that lives to its standby, and back.
//!
//! Two primitives: a standby is *granted* while another lease holds, and *promoted* in its place or *withdrawn*. The arbiter
//! is the control record of the holder's region, written conditionally on its version: of a promotion and a withdrawal that
//! are decided at once one is stored, and the loser reads and decides again. A holder that has handed over writes nothing
//! until it sees a stored withdrawal, so whatever is lost, two never write.

use std::time::Duration;

use super::reconcile::{Trigger, reconcile};
use super::standby::{promoted, withdrawn};
use super::{Entropy, Next, StartTask, grant};
use crate::control::{
    ControlRecord, HEARD_WITHIN, LeaseRecord, MAX_STANDBY_FAILURES, MoveOrder, ReplicatedState, Standby,
};
use crate::heartbeat::{Activity, DEAD_AFTER};
use crate::time::Timestamp;
use crate::timeline::Entry;

/// After a standby that came to nothing the next one is granted so much later; each further time four times as late.
const PAUSE: Duration = Duration::from_secs(10);
/// At most so much later.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// Why a standby is granted that the owner has asked for; people read it.
pub const MOVED_BY_OWNER: &str = "the owner moves the stream to another task";

/// What is known of a timeline's end when a handover is decided.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TimelineEnd<'a> {
    /// It was not read.
    Unread,
    /// This is its last entry, of a consistent read.
    Read(Option<&'a Entry>),
}

/// What is to be done about a stream's standby.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandOverStep {
    /// To write this, and start what it grants.
    Write(Box<Next>),
    /// To read the timeline's end, and decide again with that.
    ReadTimeline,
}

/// What is to be done about the standby of the lease that holds, by the region that the lease is of. Idempotent; asked with
/// every heartbeat of either.
pub fn hand_over(
    replicated: &ReplicatedState,
    own: &ControlRecord,
    end: TimelineEnd<'_>,
    now: Timestamp,
    entropy: Entropy,
) -> Option<HandOverStep> {
    let holder = replicated.lease().filter(|holder| holder.lease.region == own.region)?;
    let Some(standby) = replicated.standby() else { return grant_standby(replicated, own, now, entropy) };
    let withdraw = |reason: &str| Some(write(withdrawn(own, standby, reason, now), None));
    if replicated.ended_at(now).is_some() {
        return withdraw("the broadcast is over");
    }
    if let Some(failure) = replicated.standby_failure(standby, now) {
        return withdraw(&failure);
    }
    if is_gone(replicated, standby, now) {
        let next = reconcile(replicated, own, &Trigger::Sweep, now, entropy)?;
        return Some(HandOverStep::Write(Box::new(next)));
    }
    let held = replicated.held_for(standby)?;
    // Whatever it was, a word of it: one that has not said that it is ready was not handed over to.
    let is_heard = replicated
        .heartbeat_of(&standby.lease)
        .is_some_and(|heartbeat| now.since(heartbeat.at) <= HEARD_WITHIN);
    if !is_heard {
        return withdraw("nothing was heard of its task when it was to go on");
    }
    let TimelineEnd::Read(last) = end else { return Some(HandOverStep::ReadTimeline) };
    let is_the_end = |last: &Entry| {
        last.lease == holder.lease
            && last.number == held.segment
            && !last.open
            && last.broadcast == standby.broadcast
    };
    if !last.is_some_and(is_the_end) {
        return withdraw("the timeline does not end where its holder says");
    }
    let record = promoted(replicated, own, standby, 0, now);
    Some(write(ControlRecord { version: own.version + 1, ..record }, None))
}

fn write(record: ControlRecord, start: Option<StartTask>) -> HandOverStep {
    HandOverStep::Write(Box::new(Next { record, start }))
}

/// Whether the holder is: its task has said goodbye, or is silent while its standby was heard of all the time. An API that
/// was away itself has heard of neither, and the standby, which gives more signs of life, comes first then.
fn is_gone(replicated: &ReplicatedState, standby: &Standby, now: Timestamp) -> bool {
    let Some(holder) = replicated.heartbeat_of(&standby.holder) else { return false };
    if holder.health.activity == Activity::Leaving {
        return true;
    }
    let heard = replicated.heartbeat_of(&standby.lease);
    let heard_since = heard
        .filter(|heartbeat| now.since(heartbeat.at) <= HEARD_WITHIN)
        .and_then(|heartbeat| heartbeat.heard_since);
    now.since(holder.at) > DEAD_AFTER && heard_since.is_some_and(|since| now.since(since) > DEAD_AFTER)
}

/// Grants a standby if one is wanted.
fn grant_standby(
    replicated: &ReplicatedState,
    own: &ControlRecord,
    now: Timestamp,
    entropy: Entropy,
) -> Option<HandOverStep> {
    let (holder, session) = (replicated.lease()?, replicated.session()?);
    let ordered = replicated.move_order();
    let is_leaving = replicated.heartbeat().is_some_and(|holder| holder.health.leaving_by.is_some());
    let reason = match ordered {
        _ if is_leaving => "the holder's task will be ended",
        Some(_) => MOVED_BY_OWNER,
        None => return None,
    };
    let is_served = session.gateway.region == own.region && replicated.lease_lives(now);
    if !is_served || !replicated.is_published(now) {
        return None;
    }
    // A new order is a new try.
    let before = replicated.withdrawn().filter(|before| ordered.is_none_or(|order| order.at <= before.at));
    if before.is_some_and(|before| now.since(before.at) < pause(before.failures)) {
        return None;
    }
    let failures = before.map_or(0, |before| before.failures);
    if failures >= MAX_STANDBY_FAILURES {
        return None;
    }
    let LeaseRecord { lease, broadcast, granted_at, crossed, .. } =
        grant(replicated, &holder.broadcast, &own.region, now, entropy.nonce, 0);
    let start = StartTask {
        stream: own.stream.clone(),
        broadcast: broadcast.clone(),
        lease: lease.clone(),
        standby: true,
    };
    let (holder, reason) = (holder.lease.clone(), reason.to_owned());
    let standby = Standby { lease, broadcast, holder, granted_at, crossed, reason, failures };
    let record = ControlRecord { version: own.version + 1, standby: Some(standby), ..own.clone() };
    Some(write(record, Some(start)))
}

fn pause(failures: u32) -> Duration {
    let times = 4_u32.saturating_pow(failures.saturating_sub(1));
    if failures == 0 { Duration::ZERO } else { PAUSE.saturating_mul(times).min(LONGEST_PAUSE) }
}

/// What came of an order to move a stream to another task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// Nobody publishes, or no task transcodes yet.
    NotLive,
    /// It is under way already.
    UnderWay,
    /// To write this; the lease's own region obeys with the next heartbeat.
    Ordered(Box<ControlRecord>),
}

/// The owner wants another task, of the present image and size, to go on with the stream.
pub fn order_move(replicated: &ReplicatedState, own: &ControlRecord, now: Timestamp) -> Move {
    let Some(holder) = replicated.lease().filter(|_| replicated.is_published(now)) else {
        return Move::NotLive;
    };
    if replicated.heartbeat().is_none() || !replicated.lease_lives(now) {
        return Move::NotLive;
    }
    if replicated.standby().is_some() || replicated.move_order().is_some() {
        return Move::UnderWay;
    }
    // Behind what came to nothing, whatever the clock says of who noted that: it is a new try.
    let failed = replicated.withdrawn().map(|before| Timestamp(before.at.0.saturating_add(1)));
    let at = failed.map_or(now, |after| now.max(after));
    let order = MoveOrder { broadcast: holder.broadcast.clone(), lease: holder.lease.clone(), at };
    let record = ControlRecord { version: own.version + 1, move_order: Some(order), ..own.clone() };
    Move::Ordered(Box::new(record))
}

/// What writing `after` in place of `before` does to standbys, for people.
pub fn what_changes(before: &ControlRecord, after: &ControlRecord) -> String {
    match (&after.standby, &after.lease, &after.withdrawn) {
        (Some(standby), _, _) if before.standby != after.standby => {
            format!("standby {} was granted beside {}: {}", standby.lease, standby.holder, standby.reason)
        }
        (_, Some(lease), _) if before.lease != after.lease => match &lease.promotion {
            Some(promotion) => format!("standby {} goes on in place of {}", lease.lease, promotion.from),
            None => format!("lease {} was granted", lease.lease),
        },
        (_, _, Some(withdrawn)) if before.withdrawn != after.withdrawn => format!(
            "standby {} was withdrawn, {} goes on: {}",
            withdrawn.lease, withdrawn.holder, withdrawn.reason
        ),
        _ => "the control record has changed".into(),
    }
}
