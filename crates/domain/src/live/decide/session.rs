//! How sessions end: by themselves, withdrawn, or closed by us.

use crate::hooks::{SessionOrder, SessionRef};
use crate::ids::{KeyId, Lease, SessionId};
use crate::live::{End, Gone, Kick, LeaseOver, Seat, Situation, State, StopOrder};
use crate::time::Timestamp;

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
    // However the connection ended: what ended the broadcast is that its media could not be used.
    let reason = situation.given_up(session).map_or(reason, |given_up| &given_up.reason);
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
    seat.over = Some(LeaseOver { lease: lease.clone(), at: now, reason: reason.into(), throttled: false });
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

/// Ends the broadcast, if one is open here; whether that is so. The order stays, for a broadcast that this region has not
/// heard of yet: its own region obeys when it hears of the order ([`super::revalidate`]).
pub fn stop(situation: &Situation, own: &Seat, reason: &str, now: Timestamp) -> (Seat, bool) {
    let kicked = kick(situation, own, |_| true, reason, true, now);
    let was_open = kicked.is_some();
    let mut seat = kicked.unwrap_or_else(|| Seat { version: own.version + 1, ..own.clone() });
    seat.stop = Some(StopOrder { at: now, reason: reason.into() });
    (seat, was_open)
}

/// Whether a gateway's session may go on, as far as its stream's life says. Whether its key still opens the stream is for
/// [`super::revalidate`] to say.
pub fn session_order(situation: &Situation, session: &SessionRef) -> SessionOrder {
    let stop = |reason: &str| SessionOrder::Stop { reason: reason.into(), retry: false };
    if let Some(kick) = situation.kick_of(&session.session) {
        return stop(&kick.reason);
    }
    match situation.session() {
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
        Some(current) => match (situation.given_up(&current.id), situation.end()) {
            (Some(given_up), _) => {
                SessionOrder::Stop { reason: given_up.reason.clone(), retry: given_up.retry }
            }
            // Of our own failure the next connection may know nothing.
            (None, Some(end)) => SessionOrder::Stop { reason: end.reason.clone(), retry: end.failed },
            (None, None) => SessionOrder::Continue,
        },
    }
}
