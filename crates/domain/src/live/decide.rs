//! Decisions: what a region's control plane writes next, and what it must do then.
//!
//! Every function takes what was read and returns the region's next [`Seat`] if it changes. The caller writes it
//! conditionally and, having lost a race, reads and decides again.

use super::seat::{End, Gone, Kick, LeaseOver, LeaseSeat, Seat, SessionSeat};
use super::situation::{PEER_PATIENCE, START_PATIENCE, Situation, State};
use crate::beat::{Activity, Beat};
use crate::hooks::{DenyKind, Gateway, PublishAnswer, SessionOrder, SessionRef, TranscoderBeat};
use crate::ids::{BroadcastId, KeyId, Lease, LeaseNumber, Nonce, Region, SessionId, StreamId};
use crate::stream::{PublishPolicy, StreamDocument};
use crate::time::Timestamp;

/// Tasks that may die in a row without making media before the broadcast is given up.
pub const MAX_FAILURES: u32 = 5;

/// A task to be started. `client_token` makes repeated calls one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartTask {
    /// For this stream,
    pub stream: StreamId,
    /// this broadcast,
    pub broadcast: BroadcastId,
    /// under this lease; it runs in the lease's region.
    pub lease: Lease,
}

/// What to write, then what to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// The region's next seat.
    pub seat: Seat,
    /// The task to start once the seat is written.
    pub start: Option<StartTask>,
}

/// An accepted key and the connection that brought it.
#[derive(Debug, Clone)]
pub struct Publisher<'a> {
    /// The session it will be.
    pub session: &'a SessionId,
    /// Where it stands.
    pub gateway: &'a Gateway,
    /// The key it brought.
    pub key: &'a KeyId,
    /// When that key expires.
    pub key_expires_at: Option<Timestamp>,
}

/// Random bits for ids that a decision may need.
#[derive(Debug, Clone, Copy)]
pub struct Dice {
    /// For a broadcast id.
    pub broadcast: u128,
    /// For a lease's nonce.
    pub nonce: u128,
}

/// What came of a publish request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Publish {
    /// Refuse.
    Deny(PublishAnswer),
    /// Write and start, then allow.
    Allow {
        /// The broadcast that the session belongs to.
        broadcast: BroadcastId,
        /// The session's order among the stream's sessions.
        order: u64,
        /// Whether it is a new one.
        opened: bool,
        /// What to write; `None` if the same request was already granted.
        next: Option<Box<Next>>,
        /// A task that was granted before and may not have been started.
        restart: Option<StartTask>,
    },
}

/// Whether `publisher` may publish to `stream`, and what follows.
pub fn publish(
    situation: &Situation,
    own: &Seat,
    stream: &StreamDocument,
    publisher: &Publisher<'_>,
    now: Timestamp,
    dice: Dice,
) -> Publish {
    if let Some(session) = situation.session().filter(|session| session.id == *publisher.session) {
        // A repeated request for a session that was withdrawn, kicked or closed since: that decision stands.
        if let Some(gone) = situation.gone_note(&session.id) {
            let reason = format!("this connection was given up ({}); connect again", gone.reason);
            return Publish::Deny(PublishAnswer::Deny { kind: DenyKind::NoCapacity, reason });
        }
        let unstarted = situation.lease().filter(|seat| situation.beat_of(&seat.lease).is_none());
        return Publish::Allow {
            broadcast: session.broadcast.clone(),
            order: session.order,
            opened: false,
            next: None,
            restart: unstarted.map(|seat| start(stream, &seat.broadcast, &seat.lease)),
        };
    }
    let state = situation.state(now);
    if stream.settings.publish_policy == PublishPolicy::Reject
        && matches!(state, Some(State::Live | State::Starting))
    {
        return Publish::Deny(PublishAnswer::Deny {
            kind: DenyKind::AlreadyPublishing,
            reason: "this stream is already being published and does not allow takeover".into(),
        });
    }
    let open = situation.session().filter(|_| state.is_some_and(State::is_open));
    let (broadcast, started_at) = match open {
        Some(session) => (session.broadcast.clone(), session.started_at),
        None => (BroadcastId::new(&stream.id, now.0, dice.broadcast), now),
    };
    let order = situation.session().map_or(1, |session| session.order + 1);
    let session = SessionSeat {
        id: publisher.session.clone(),
        order,
        broadcast: broadcast.clone(),
        started_at,
        gateway: publisher.gateway.clone(),
        key: publisher.key.clone(),
        key_expires_at: publisher.key_expires_at,
        accepted_at: now,
        settings: stream.settings.clone(),
    };
    let mut seat = Seat { version: own.version + 1, session: Some(session), ..own.clone() };
    let serving = open.is_some()
        && situation.lease_lives(now)
        && situation.lease().is_some_and(|seat| seat.lease.region == publisher.gateway.region);
    let task = (!serving).then(|| {
        let before = if open.is_some() { situation.lease() } else { None };
        let granted = grant(before, &broadcast, &publisher.gateway.region, now, dice.nonce, 0);
        let task = start(stream, &broadcast, &granted.lease);
        seat.lease = Some(granted);
        task
    });
    Publish::Allow {
        broadcast,
        order,
        opened: open.is_none(),
        next: Some(Box::new(Next { seat, start: task })),
        restart: None,
    }
}

fn grant(
    before: Option<&LeaseSeat>,
    broadcast: &BroadcastId,
    region: &Region,
    now: Timestamp,
    nonce: u128,
    failures: u32,
) -> LeaseSeat {
    let number = LeaseNumber(before.map_or(1, |seat| seat.lease.number.0 + 1));
    let lease = Lease { number, region: region.clone(), nonce: Nonce::from_random(nonce) };
    LeaseSeat { lease, broadcast: broadcast.clone(), granted_at: now, failures }
}

fn start(stream: &StreamDocument, broadcast: &BroadcastId, lease: &Lease) -> StartTask {
    StartTask { stream: stream.id.clone(), broadcast: broadcast.clone(), lease: lease.clone() }
}

/// A session has ended. `None` if it is not the current one, or known to be gone.
pub fn unpublish(
    situation: &Situation,
    own: &Seat,
    session: &SessionId,
    reason: &str,
    now: Timestamp,
) -> Option<Seat> {
    let current = situation.session().filter(|current| current.id == *session)?;
    let known =
        situation.seats.iter().filter_map(|seat| seat.gone.as_ref()).any(|gone| gone.session == *session);
    if known {
        return None;
    }
    let gone = Gone { session: current.id.clone(), at: now, reason: reason.into() };
    let mut seat = Seat { version: own.version + 1, gone: Some(gone), ..own.clone() };
    if situation.window().is_zero() {
        let broadcast = current.broadcast.clone();
        seat.end = Some(End { broadcast, at: now, reason: reason.into(), failed: false });
    }
    Some(seat)
}

/// Takes back a publish whose task could not be started, so that the next try begins anew.
pub fn withdraw(
    situation: &Situation,
    own: &Seat,
    session: &SessionId,
    lease: &Lease,
    reason: &str,
    now: Timestamp,
) -> Option<Seat> {
    let mut seat = unpublish(situation, own, session, reason, now)?;
    seat.over = Some(LeaseOver { lease: lease.clone(), at: now, reason: reason.into() });
    Some(seat)
}

/// Closes the current session if it was opened by one of the keys that `matches` names; with `end` the broadcast too.
pub fn kick(
    situation: &Situation,
    own: &Seat,
    matches: impl Fn(&KeyId) -> bool,
    reason: &str,
    end: bool,
    now: Timestamp,
) -> Option<Seat> {
    let session = situation.session().filter(|session| matches(&session.key))?;
    if !situation.state(now).is_some_and(State::is_open) {
        return None;
    }
    let mut seat = Seat { version: own.version + 1, ..own.clone() };
    seat.kick = Some(Kick { session: session.id.clone(), reason: reason.into() });
    seat.gone = Some(Gone { session: session.id.clone(), at: now, reason: reason.into() });
    if end {
        seat.end =
            Some(End { broadcast: session.broadcast.clone(), at: now, reason: reason.into(), failed: false });
    }
    Some(seat)
}

/// Whether a gateway's session may go on.
pub fn session_order(situation: &Situation, session: &SessionRef, now: Timestamp) -> SessionOrder {
    let stop = |reason: &str| SessionOrder::Stop { reason: reason.into() };
    if let Some(kick) = situation.kick_of(&session.session) {
        return stop(&kick.reason);
    }
    match situation.session() {
        // The peer's API may not have seen the session yet.
        None => SessionOrder::Continue,
        // A lower or equal order of ours has lost; a higher one was accepted by the peer and is not replicated yet.
        Some(current) if current.id != session.session => {
            if current.order >= session.order {
                stop("another encoder has taken over this stream")
            } else {
                SessionOrder::Continue
            }
        }
        Some(current) if current.key_expires_at.is_some_and(|at| at <= now) => {
            stop("the stream key has expired")
        }
        Some(_) => match situation.end() {
            Some(end) => stop(&end.reason),
            None => SessionOrder::Continue,
        },
    }
}

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
    if session.broadcast != beat.broadcast {
        return BeatOutcome::Stop("another broadcast has begun".into());
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

/// What stored beat follows from an accepted heartbeat.
pub fn record_beat(region: &Region, beat: &TranscoderBeat, boot: String, now: Timestamp) -> Beat {
    Beat {
        stream: beat.stream.clone(),
        region: region.clone(),
        broadcast: beat.broadcast.clone(),
        lease: beat.lease.clone(),
        boot,
        at: now,
        health: beat.health.clone(),
    }
}

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
        let patience = if ours { std::time::Duration::ZERO } else { PEER_PATIENCE };
        if now.since(at) < patience {
            return None;
        }
        let reason = situation.lost_reason().unwrap_or("the publisher is lost").to_owned();
        seat.end = Some(End { broadcast: session.broadcast.clone(), at, reason, failed: false });
        return Some(Next { seat, start: None });
    }
    let current = situation.lease();
    let over = match occasion {
        Occasion::Sweep => None,
        Occasion::TaskStopped { lease, reason } | Occasion::StartFailed { lease, reason } => {
            // News of a lease that is already history.
            if current.is_none_or(|seat| seat.lease != *lease) || situation.is_over(lease) {
                return None;
            }
            Some(LeaseOver { lease: lease.clone(), at: now, reason: reason.clone() })
        }
    };
    let dead = over.is_some() || !situation.lease_lives(now);
    let here = current.map_or(ours, |seat| seat.lease.region == own.region);
    if !dead || !here {
        return None;
    }
    let wanted = situation.lost_since(now).is_none() && session.gateway.region == own.region;
    let recorded = over.is_some();
    seat.over = over.or(seat.over);
    if !wanted {
        // Nobody publishes: the next publish takes the next lease.
        return recorded.then_some(Next { seat, start: None });
    }
    let made_media = situation.beat().is_some_and(|beat| beat.health.segment.is_some());
    let left = situation.beat().is_some_and(|beat| beat.health.activity == Activity::Leaving);
    let failures = match current {
        Some(current) if !made_media && !left => current.failures + 1,
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
    let granted = grant(current, &session.broadcast, &own.region, now, dice.nonce, failures);
    let start = StartTask {
        stream: seat.stream.clone(),
        broadcast: session.broadcast.clone(),
        lease: granted.lease.clone(),
    };
    seat.lease = Some(granted);
    Some(Next { seat, start: Some(start) })
}

impl Situation {
    fn told_gone(&self) -> bool {
        self.session().is_some_and(|session| self.gone_note(&session.id).is_some())
    }

    fn lost_reason(&self) -> Option<&str> {
        let session = self.session()?;
        self.gone_note(&session.id).map(|gone| gone.reason.as_str())
    }

    fn gone_note(&self, session: &SessionId) -> Option<&Gone> {
        self.seats.iter().filter_map(|seat| seat.gone.as_ref()).find(|gone| gone.session == *session)
    }
}
