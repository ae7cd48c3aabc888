//! How sessions end: by themselves, withdrawn, or closed by us.

use crate::control::{ControlRecord, End, Gone, Kick, LeaseOver, ReplicatedState, State, StopOrder};
use crate::hooks::{SessionOrder, SessionRef};
use crate::ids::{KeyId, Lease, SessionId};
use crate::time::Timestamp;

/// A session has ended. `None` if it is not the current one, or known to be gone.
pub fn unpublish(
    replicated: &ReplicatedState,
    own: &ControlRecord,
    session: &SessionId,
    reason: &str,
    now: Timestamp,
) -> Option<ControlRecord> {
    let current = replicated.session().filter(|current| current.id == *session)?;
    let known = replicated
        .records
        .iter()
        .filter_map(|record| record.gone.as_ref())
        .any(|gone| gone.session == *session);
    if known {
        return None;
    }
    // However the connection ended: what ended the broadcast is that its media could not be used.
    let reason = replicated.given_up(session).map_or(reason, |given_up| &given_up.reason);
    let gone = Gone { session: current.id.clone(), at: now, reason: reason.into() };
    let mut record = ControlRecord { version: own.version + 1, gone: Some(gone), ..own.clone() };
    if replicated.window().is_zero() {
        let broadcast = current.broadcast.clone();
        record.end = Some(End { broadcast, at: now, reason: reason.into(), failed: false });
    }
    Some(record)
}

/// Takes back a publish whose task could not be started, so that the next try begins anew.
pub fn withdraw(
    replicated: &ReplicatedState,
    own: &ControlRecord,
    session: &SessionId,
    lease: &Lease,
    reason: &str,
    now: Timestamp,
) -> Option<ControlRecord> {
    let mut record = unpublish(replicated, own, session, reason, now)?;
    record.over = Some(LeaseOver { lease: lease.clone(), at: now, reason: reason.into(), throttled: false });
    Some(record)
}

/// Closes the current session if it was opened by one of the keys that `matches` names; with `end` the broadcast too.
pub fn kick(
    replicated: &ReplicatedState,
    own: &ControlRecord,
    matches: impl Fn(&KeyId) -> bool,
    reason: &str,
    end: bool,
    now: Timestamp,
) -> Option<ControlRecord> {
    let session = replicated.session().filter(|session| matches(&session.key))?;
    if !replicated.state(now).is_some_and(State::is_open) {
        return None;
    }
    let mut record = ControlRecord { version: own.version + 1, ..own.clone() };
    record.kick = Some(Kick { session: session.id.clone(), reason: reason.into() });
    record.gone = Some(Gone { session: session.id.clone(), at: now, reason: reason.into() });
    if end {
        record.end =
            Some(End { broadcast: session.broadcast.clone(), at: now, reason: reason.into(), failed: false });
    }
    Some(record)
}

/// Ends the broadcast, if one is open here; whether that is so. The order stays, for a broadcast that this region has not
/// heard of yet: its own region obeys when it hears of the order ([`super::revalidate`]).
pub fn stop(
    replicated: &ReplicatedState,
    own: &ControlRecord,
    reason: &str,
    now: Timestamp,
) -> (ControlRecord, bool) {
    let kicked = kick(replicated, own, |_| true, reason, true, now);
    let was_open = kicked.is_some();
    let mut record = kicked.unwrap_or_else(|| ControlRecord { version: own.version + 1, ..own.clone() });
    record.stop = Some(StopOrder { at: now, reason: reason.into() });
    (record, was_open)
}

/// Whether a gateway's session may go on, as far as its stream's life says. Whether its key still opens the stream is for
/// [`super::revalidate`] to say.
pub fn session_order(replicated: &ReplicatedState, session: &SessionRef) -> SessionOrder {
    let stop = |reason: &str| SessionOrder::Stop { reason: reason.into(), retry: false };
    if let Some(kick) = replicated.kick_of(&session.session) {
        return stop(&kick.reason);
    }
    match replicated.session() {
        // The peer's API may not have seen the session yet.
        None => SessionOrder::Continue,
        // A lower or equal order of ours has lost; a higher one was accepted by the peer and is not replicated yet.
        Some(current) if current.id != session.session => {
            if (&current.broadcast, current.order) >= (&session.broadcast, session.order) {
                stop("another encoder has taken over this stream")
            } else {
                SessionOrder::Continue
            }
        }
        Some(current) => match (replicated.given_up(&current.id), replicated.end()) {
            (Some(given_up), _) => {
                SessionOrder::Stop { reason: given_up.reason.clone(), retry: given_up.retry }
            }
            // Of our own failure the next connection may know nothing.
            (None, Some(end)) => SessionOrder::Stop { reason: end.reason.clone(), retry: end.failed },
            (None, None) => SessionOrder::Continue,
        },
    }
}
