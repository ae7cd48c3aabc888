//! The life of a broadcast: who publishes, who transcodes, and what state that makes.
//!
//! Each region's control plane writes one [`ControlRecord`] per stream (and heartbeats, see [`crate::heartbeat`]); nobody else writes
//! it. What holds is computed from the control records and heartbeats of both regions by [`ReplicatedState`], the same everywhere.
//! Decisions are pure functions: [`decide::publish`], [`decide::unpublish`], [`decide::heartbeat`], [`decide::reconcile`],
//! [`decide::hand_over`].
//!
//! Invariant: a region's control plane writes only its own control record.
//! Invariant: of one standby a promotion or a withdrawal is stored, never both; a holder that has handed over goes on only
//! by a stored withdrawal.
//! Invariant: no state is `live` without a heartbeat younger than [`crate::heartbeat::DEAD_AFTER`].

pub mod decide;
mod record;
mod replicated_state;
mod standbys;
#[cfg(test)]
mod tests;

pub use record::{
    ControlRecord, EarlierSession, End, Gone, Kick, LeaseOver, LeaseRecord, MoveOrder, Promotion,
    SessionRecord, Standby, StopOrder, Suspicion, WithdrawnStandby,
};
pub use replicated_state::{LIVE_WITHIN, PEER_PATIENCE, ReplicatedState, START_PATIENCE, State};
pub use standbys::{HEARD_WITHIN, MAX_STANDBY_FAILURES};
