//! May this encoder publish, and what follows?

use super::standby::{promoted, successor};
use super::{Entropy, Next, StartTask, grant};
use crate::control::{ControlRecord, ReplicatedState, SessionRecord, State};
use crate::hooks::{DenyKind, Gateway, PublishAnswer};
use crate::ids::{BroadcastId, KeyId, Lease, SessionId};
use crate::stream::{PublishPolicy, StreamDocument, StreamSettings};
use crate::time::Timestamp;

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
    /// When it first asked: a broadcast that it opens begins then, whichever region decides, and however often.
    pub asked_at: Timestamp,
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
    replicated: &ReplicatedState,
    own: &ControlRecord,
    stream: &StreamDocument,
    publisher: &Publisher<'_>,
    now: Timestamp,
    entropy: Entropy,
) -> Publish {
    if let Some(session) = replicated.session().filter(|session| session.id == *publisher.session) {
        // A repeated request for a session that was withdrawn, kicked or closed since: that decision stands.
        if let Some(gone) = replicated.gone_note(&session.id) {
            let reason = format!("this connection was given up ({}); connect again", gone.reason);
            return Publish::Deny(PublishAnswer::Deny { kind: DenyKind::NoCapacity, reason });
        }
        let waits = |lease| replicated.heartbeat_of(lease).is_none() && !replicated.is_over(lease);
        let unstarted = replicated.lease().filter(|record| waits(&record.lease));
        return Publish::Allow {
            broadcast: session.broadcast.clone(),
            order: session.order,
            opened: false,
            next: None,
            restart: unstarted.map(|record| StartTask {
                // The same parameters again: it was started as a standby.
                standby: record.promotion.is_some(),
                ..start(stream, &record.broadcast, &record.lease)
            }),
        };
    }
    let state = replicated.state(now);
    if stream.settings.publish_policy == PublishPolicy::Reject && replicated.is_published(now) {
        return Publish::Deny(PublishAnswer::Deny {
            kind: DenyKind::AlreadyPublishing,
            reason: "this stream is already being published and does not allow takeover".into(),
        });
    }
    let open = replicated.session().filter(|_| state.is_some_and(State::is_open));
    let (broadcast, started_at) = match open {
        Some(session) => (session.broadcast.clone(), session.started_at),
        None => {
            // Newer than the one before, also if that was opened by a clock that is ahead of ours.
            let after = replicated.broadcast().map_or(0, |before| before.unix_ms() + 1);
            (
                BroadcastId::new(&stream.id, publisher.asked_at.0.max(after), entropy.broadcast),
                publisher.asked_at,
            )
        }
    };
    let order = replicated.session().map_or(1, |session| session.order + 1);
    let session = SessionRecord {
        id: publisher.session.clone(),
        order,
        broadcast: broadcast.clone(),
        started_at,
        gateway: publisher.gateway.clone(),
        key: publisher.key.clone(),
        key_expires_at: publisher.key_expires_at,
        accepted_at: accepted_at(replicated, now),
        settings: settings(stream, open),
        earlier: open.map(SessionRecord::passed_on).unwrap_or_default(),
    };
    let mut record = ControlRecord { version: own.version + 1, session: Some(session), ..own.clone() };
    let serving = open.is_some()
        && replicated.lease_lives(now)
        && replicated.lease().is_some_and(|record| record.lease.region == publisher.gateway.region);
    let standby = open.and_then(|_| successor(replicated, own, now));
    let standby = standby.filter(|standby| !serving && standby.lease.region == publisher.gateway.region);
    if let Some(standby) = standby {
        record = promoted(replicated, &record, standby, 0, now);
    }
    let task = (!serving && standby.is_none()).then(|| {
        let granted = grant(replicated, &broadcast, &publisher.gateway.region, now, entropy.nonce, 0);
        let task = start(stream, &broadcast, &granted.lease);
        record.lease = Some(granted);
        task
    });
    Publish::Allow {
        broadcast,
        order,
        opened: open.is_none(),
        next: Some(Box::new(Next { record, start: task })),
        restart: None,
    }
}

/// Behind every order to stop that is known of, whatever the clocks of those who gave it say: what is accepted in spite of an
/// order is not what the order meant.
fn accepted_at(replicated: &ReplicatedState, now: Timestamp) -> Timestamp {
    let ordered = replicated.stop_order().map(|stop| Timestamp(stop.at.0.saturating_add(1)));
    ordered.map_or(now, |after| now.max(after))
}

/// The stream's settings, but those that shape the playlists of a broadcast hold for as long as that: a longer window would
/// bring back what has left it, and players of parts would wait for parts that do not come. So does whether it is recorded:
/// a recording is of a whole broadcast, or what was stored before would stay behind, or be missing.
fn settings(stream: &StreamDocument, open: Option<&SessionRecord>) -> StreamSettings {
    let settings = stream.settings.clone();
    match open.map(|session| &session.settings) {
        Some(began) => StreamSettings {
            latency: began.latency,
            dvr_window_seconds: began.dvr_window_seconds,
            record: began.record,
            ..settings
        },
        None => settings,
    }
}

fn start(stream: &StreamDocument, broadcast: &BroadcastId, lease: &Lease) -> StartTask {
    let (stream, broadcast, lease) = (stream.id.clone(), broadcast.clone(), lease.clone());
    StartTask { stream, broadcast, lease, standby: false }
}
