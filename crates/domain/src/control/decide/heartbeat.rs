//! What a transcoder's heartbeat leads to.

use std::cmp::Ordering;

use crate::control::{EarlierSession, HEARD_WITHIN, ReplicatedState, START_PATIENCE, SessionRecord};
use crate::heartbeat::Heartbeat;
use crate::hooks::{ResumeAfter, TranscoderHeartbeat};
use crate::ids::{Region, SegmentNumber, SessionId};
use crate::time::Timestamp;
use crate::timeline::ResumePoint;

/// What a transcoder's heartbeat leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeartbeatOutcome {
    /// Record it; the session's source may be read.
    Transcode(Box<SessionRecord>),
    /// Record it; the standby reads the session's source, and writes nothing.
    Rehearse(Box<SessionRecord>),
    /// Record it; the holder has handed over, and it is not decided to whom.
    Hold,
    /// The holder has handed over, and its standby goes on.
    HandedOver,
    /// Record it; there is no publisher now.
    Wait,
    /// The broadcast is over.
    Stop(String),
    /// A higher lease holds, or another process owns this one.
    Fenced,
}

/// Answers a heartbeat. `fencing_token` is the fingerprint of the process.
pub fn heartbeat(
    replicated: &ReplicatedState,
    heartbeat: &TranscoderHeartbeat,
    fencing_token: &str,
    now: Timestamp,
) -> HeartbeatOutcome {
    let Some(session) = replicated.session() else { return HeartbeatOutcome::Wait };
    match session.broadcast.cmp(&heartbeat.broadcast) {
        Ordering::Greater => return HeartbeatOutcome::Stop("another broadcast has begun".into()),
        // The peer's API, that has not heard of this one yet.
        Ordering::Less => return HeartbeatOutcome::Wait,
        Ordering::Equal => {}
    }
    let standing = standing(replicated, heartbeat, fencing_token);
    match standing {
        Standing::Past if replicated.has_handed_over(heartbeat) => return HeartbeatOutcome::HandedOver,
        Standing::Past => return HeartbeatOutcome::Fenced,
        // Whoever answers may not know yet who goes on, and that the broadcast is over can wait until that is known.
        Standing::Holder if replicated.holds(heartbeat) => return HeartbeatOutcome::Hold,
        Standing::Holder | Standing::Standby | Standing::Unknown => {}
    }
    // The gateway of the other region is out of reach from here; that region's own lease will follow.
    let in_reach = session.gateway.region == heartbeat.lease.region;
    let read_to_its_end = heartbeat.health.session.as_ref() == Some(&session.id)
        && heartbeat.health.source_lost_since.is_some();
    let unread = in_reach && !read_to_its_end;
    // A long silence (ours: the hooks were down) is no end while the transcoder itself still has its source.
    let known_gone = replicated.end().is_some() || replicated.told_gone() || read_to_its_end;
    if standing != Standing::Holder {
        let over = replicated.ended_at(now).filter(|_| known_gone).is_some();
        let is_wanted = standing == Standing::Standby && in_reach && replicated.is_published(now);
        return match is_wanted {
            _ if over => HeartbeatOutcome::Stop("the broadcast is over".into()),
            true => HeartbeatOutcome::Rehearse(Box::new(session.clone())),
            false => HeartbeatOutcome::Wait,
        };
    }
    if let Some(at) = replicated.ended_at(now).filter(|_| known_gone) {
        // What the gateway keeps of the last session is read first, however late the task has started.
        if unread && now.since(at) <= START_PATIENCE {
            return HeartbeatOutcome::Transcode(Box::new(session.clone()));
        }
        let reason = replicated.end().map_or("the reconnect window is over", |end| &end.reason);
        return HeartbeatOutcome::Stop(reason.into());
    }
    if unread || (in_reach && !replicated.told_gone()) {
        HeartbeatOutcome::Transcode(Box::new(session.clone()))
    } else {
        HeartbeatOutcome::Wait
    }
}

/// What a heartbeat's lease is, as far as it is known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It holds; also one above all known that says so: the other region may have granted or promoted it.
    Holder,
    /// It is the standby of the lease that holds.
    Standby,
    /// It says that it is a standby, of which is nothing known here.
    Unknown,
    /// It will never write again.
    Past,
}

fn standing(replicated: &ReplicatedState, heartbeat: &TranscoderHeartbeat, fencing_token: &str) -> Standing {
    let lease = &heartbeat.lease;
    let of_it = |known: &&Heartbeat| known.broadcast == heartbeat.broadcast;
    let is_outdone = |known: &Heartbeat| {
        (known.lease > *lease && !known.is_of_a_standby())
            || (known.lease == *lease && known.fencing_token != fencing_token)
    };
    let holder = replicated.lease().map(|record| &record.lease);
    if replicated.is_over(lease) || replicated.heartbeats.iter().filter(of_it).any(is_outdone) {
        return Standing::Past;
    }
    match holder {
        Some(holder) if holder == lease => return Standing::Holder,
        Some(holder) if holder > lease => return Standing::Past,
        _ => {}
    }
    let is_standby = replicated.standby().is_some_and(|standby| standby.lease == *lease);
    match heartbeat.health.standby {
        Some(_) if is_standby => Standing::Standby,
        // It was promoted, and that has not come here yet.
        None if is_standby => Standing::Holder,
        _ if replicated.is_past(heartbeat) => Standing::Past,
        Some(_) => Standing::Unknown,
        None => Standing::Holder,
    }
}

/// Sessions before `session` that a lease has yet to read: of a task that took long to start, the encoder may have come
/// back meanwhile. What it has begun to read is its own business; a new lease begins where the one before it ended.
pub fn unread<'a>(
    session: &'a SessionRecord,
    heartbeat: &TranscoderHeartbeat,
    resume: Option<&ResumePoint>,
) -> Vec<&'a EarlierSession> {
    let place = |of: &SessionId| session.earlier.iter().position(|earlier| earlier.id == *of);
    // What a standby has read, it has not written.
    let begun = heartbeat.health.session.as_ref().filter(|_| heartbeat.health.standby.is_none());
    let from = match (begun, resume.map(|point| &point.source.session)) {
        (Some(current), _) | (None, Some(current)) if *current == session.id => return Vec::new(),
        (Some(begun), _) => place(begun).map_or(0, |at| at + 1),
        (None, Some(ended)) => place(ended).unwrap_or(0),
        // Who starts at the live edge does not want what is older.
        (None, None) if session.settings.transcode().from_live_edge => return Vec::new(),
        (None, None) => 0,
    };
    let in_reach = |earlier: &&EarlierSession| earlier.gateway.region == heartbeat.lease.region;
    session.earlier[from..].iter().filter(in_reach).collect()
}

/// Segments that are left out behind what the other region is known to have written: one that was under way when it was
/// told, and the next, so that a task that does not know yet that it has lost stays behind.
const MARGIN: u64 = 2;

/// What an accepted heartbeat's lease must go on behind: leases of the other region, which knew nothing of it or it of
/// them, have written further or counted more breaks. `None` in every ordinary broadcast.
pub fn resume_after(replicated: &ReplicatedState, heartbeat: &TranscoderHeartbeat) -> Option<ResumeAfter> {
    // One that has written nothing yet learns where the timeline stands.
    let own = heartbeat.health.progress()?;
    let others = replicated
        .lease_progress(&heartbeat.broadcast)
        .filter(|(region, _)| *region != heartbeat.lease.region);
    let (segment, discontinuities) = others
        .map(|(_, progress)| (progress.segment, progress.discontinuities()))
        .reduce(|a, b| (a.0.max(b.0), a.1.max(b.1)))?;
    let is_passed = segment > own.segment || discontinuities > own.discontinuities();
    is_passed
        .then_some(ResumeAfter { segment: SegmentNumber(segment.0.saturating_add(MARGIN)), discontinuities })
}

/// What stored heartbeat follows from a heartbeat.
pub fn record_heartbeat(
    region: &Region,
    replicated: &ReplicatedState,
    heartbeat: &TranscoderHeartbeat,
    fencing_token: String,
    now: Timestamp,
) -> Heartbeat {
    let is_standby = heartbeat.health.standby.is_some();
    let is_there = |there: &&Heartbeat| there.region == *region && there.is_of_a_standby() == is_standby;
    let there = replicated.heartbeats.iter().find(is_there);
    let before =
        there.filter(|_| !is_standby).map(|there| there.kept_for(&heartbeat.broadcast, &heartbeat.lease));
    let unbroken = there
        .filter(|there| there.lease == heartbeat.lease && now.since(there.at) <= HEARD_WITHIN)
        .and_then(|there| there.heard_since);
    Heartbeat {
        stream: heartbeat.stream.clone(),
        region: region.clone(),
        broadcast: heartbeat.broadcast.clone(),
        lease: heartbeat.lease.clone(),
        fencing_token,
        at: now,
        health: heartbeat.health.clone(),
        before: before.unwrap_or_default(),
        heard_since: is_standby.then(|| unbroken.unwrap_or(now)),
    }
}
