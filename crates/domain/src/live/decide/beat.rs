//! What a transcoder's heartbeat leads to.

use std::cmp::Ordering;

use crate::beat::Beat;
use crate::hooks::{Behind, TranscoderBeat};
use crate::ids::{Region, SegmentNumber, SessionId};
use crate::live::{EarlierSession, START_PATIENCE, SessionSeat, Situation};
use crate::time::Timestamp;
use crate::timeline::ResumePoint;

/// What a transcoder's heartbeat leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BeatOutcome {
    /// Record it; the session's source may be read.
    Transcode(Box<SessionSeat>),
    /// Record it; there is no publisher now.
    Wait,
    /// The broadcast is over.
    Stop(String),
    /// A higher lease holds, or another process owns this one.
    Fenced,
}

/// Answers a heartbeat. `boot` is the fingerprint of the process.
pub fn beat(situation: &Situation, beat: &TranscoderBeat, boot: &str, now: Timestamp) -> BeatOutcome {
    let Some(session) = situation.session() else { return BeatOutcome::Wait };
    match session.broadcast.cmp(&beat.broadcast) {
        Ordering::Greater => return BeatOutcome::Stop("another broadcast has begun".into()),
        // The peer's API, that has not heard of this one yet.
        Ordering::Less => return BeatOutcome::Wait,
        Ordering::Equal => {}
    }
    if situation.lease().is_some_and(|seat| seat.lease > beat.lease) || situation.is_over(&beat.lease) {
        return BeatOutcome::Fenced;
    }
    let claimed_by_another = situation
        .beats
        .iter()
        .filter(|known| known.broadcast == beat.broadcast)
        .any(|known| known.lease > beat.lease || (known.lease == beat.lease && known.boot != boot));
    if claimed_by_another {
        return BeatOutcome::Fenced;
    }
    // The gateway of the other region is out of reach from here; that region's own lease will follow.
    let in_reach = session.gateway.region == beat.lease.region;
    let read_to_its_end =
        beat.health.session.as_ref() == Some(&session.id) && beat.health.source_lost_since.is_some();
    let unread = in_reach && !read_to_its_end;
    // A long silence (ours: the hooks were down) is no end while the transcoder itself still has its source.
    let known_gone = situation.end().is_some() || situation.told_gone() || read_to_its_end;
    if let Some(at) = situation.ended_at(now).filter(|_| known_gone) {
        // What the gateway keeps of the last session is read first, however late the task has started.
        if unread && now.since(at) <= START_PATIENCE {
            return BeatOutcome::Transcode(Box::new(session.clone()));
        }
        let reason = situation.end().map_or("the reconnect window is over", |end| &end.reason);
        return BeatOutcome::Stop(reason.into());
    }
    if unread || (in_reach && !situation.told_gone()) {
        BeatOutcome::Transcode(Box::new(session.clone()))
    } else {
        BeatOutcome::Wait
    }
}

/// Sessions before `session` that a lease has yet to read: of a task that took long to start, the encoder may have come
/// back meanwhile. What it has begun to read is its own business; a new lease begins where the one before it ended.
pub fn unread<'a>(
    session: &'a SessionSeat,
    beat: &TranscoderBeat,
    resume: Option<&ResumePoint>,
) -> Vec<&'a EarlierSession> {
    let place = |of: &SessionId| session.earlier.iter().position(|earlier| earlier.id == *of);
    let from = match (&beat.health.session, resume.map(|point| &point.source.session)) {
        (Some(current), _) | (None, Some(current)) if *current == session.id => return Vec::new(),
        (Some(begun), _) => place(begun).map_or(0, |at| at + 1),
        (None, Some(ended)) => place(ended).unwrap_or(0),
        // Who starts at the live edge does not want what is older.
        (None, None) if session.settings.transcode().from_live_edge => return Vec::new(),
        (None, None) => 0,
    };
    let in_reach = |earlier: &&EarlierSession| earlier.gateway.region == beat.lease.region;
    session.earlier[from..].iter().filter(in_reach).collect()
}

/// Segments that are left out behind what the other region is known to have written: one that was under way when it was
/// told, and the next, so that a task that does not know yet that it has lost stays behind.
const MARGIN: u64 = 2;

/// What an accepted heartbeat's lease must go on behind: leases of the other region, which knew nothing of it or it of
/// them, have written further or counted more breaks. `None` in every ordinary broadcast.
pub fn behind(situation: &Situation, beat: &TranscoderBeat) -> Option<Behind> {
    // One that has written nothing yet learns where the timeline stands.
    let own = beat.health.reach()?;
    let others = situation.reaches(&beat.broadcast).filter(|(region, _)| *region != beat.lease.region);
    let (segment, discontinuities) = others
        .map(|(_, reach)| (reach.segment, reach.discontinuities()))
        .reduce(|a, b| (a.0.max(b.0), a.1.max(b.1)))?;
    let is_passed = segment > own.segment || discontinuities > own.discontinuities();
    is_passed.then_some(Behind { segment: SegmentNumber(segment.0.saturating_add(MARGIN)), discontinuities })
}

/// What stored beat follows from a heartbeat.
pub fn record_beat(
    region: &Region,
    situation: &Situation,
    beat: &TranscoderBeat,
    boot: String,
    now: Timestamp,
) -> Beat {
    let there = situation.beats.iter().find(|there| there.region == *region);
    let before = there.map(|there| there.kept_for(&beat.broadcast, &beat.lease));
    Beat {
        stream: beat.stream.clone(),
        region: region.clone(),
        broadcast: beat.broadcast.clone(),
        lease: beat.lease.clone(),
        boot,
        at: now,
        health: beat.health.clone(),
        before: before.unwrap_or_default(),
    }
}
