//! Whether a session on air still has the right that it was accepted with.
//!
//! A key is revoked, a stream deleted or stopped by whichever region the owner reaches. That region closes the session if
//! it knows of it; if it does not (the regions are cut off from each other, or replication is behind), the session's own
//! region finds out here, with the first heartbeat after the order has arrived.

use crate::control::{ReplicatedState, SessionRecord};
use crate::key::KeyRing;
use crate::stream::StreamDocument;
use crate::time::Timestamp;

/// Why a session has no right to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lapse {
    /// Its key was revoked.
    KeyRevoked,
    /// Its key's time is over.
    KeyExpired,
    /// Its stream was deleted.
    StreamDeleted,
    /// Its stream was stopped after it had been accepted; the owner's order says why.
    Stopped(String),
}

impl Lapse {
    /// What the encoder is shown.
    pub fn reason(&self) -> &str {
        match self {
            Self::KeyRevoked => "the stream key was revoked",
            Self::KeyExpired => "the stream key has expired",
            Self::StreamDeleted => "the stream was deleted",
            Self::Stopped(reason) => reason,
        }
    }

    /// Whether another key of the stream may still go on with the broadcast.
    pub fn is_of_the_key(&self) -> bool {
        matches!(self, Self::KeyRevoked | Self::KeyExpired)
    }
}

/// Why `session` may not go on, if it may not. `stream` and `key` are what this region holds of the stream's document and of
/// the session's key: what has not been replicated yet forbids nothing.
pub fn revalidate(
    replicated: &ReplicatedState,
    session: &SessionRecord,
    stream: Option<&StreamDocument>,
    key: &KeyRing,
    now: Timestamp,
) -> Option<Lapse> {
    if stream.is_some_and(|stream| stream.deleted_at.is_some()) {
        return Some(Lapse::StreamDeleted);
    }
    if key.is_revoked(&session.key) {
        return Some(Lapse::KeyRevoked);
    }
    if session.key_expires_at.is_some_and(|at| at <= now) {
        return Some(Lapse::KeyExpired);
    }
    let stop = replicated.stop_order().filter(|stop| session.accepted_at < stop.at)?;
    Some(Lapse::Stopped(stop.reason.clone()))
}
