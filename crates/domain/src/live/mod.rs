//! The life of a broadcast: who publishes, who transcodes, and what state that makes.
//!
//! Each region's control plane writes one [`Seat`] per stream (and heartbeats, see [`crate::beat`]); nobody else writes
//! it. What holds is computed from the seats and beats of both regions by [`Situation`], the same everywhere.
//! Decisions are pure functions: [`decide::publish`], [`decide::unpublish`], [`decide::beat`], [`decide::tend`].
//!
//! Invariant: a region's control plane writes only its own seat.
//! Invariant: no state is `live` without a heartbeat younger than [`crate::beat::DEAD_AFTER`].

pub mod decide;
mod seat;
mod situation;
#[cfg(test)]
mod tests;

pub use seat::{
    EarlierSession, End, Gone, Kick, LeaseOver, LeaseSeat, Seat, SessionSeat, StopOrder, Suspicion,
};
pub use situation::{LIVE_WITHIN, PEER_PATIENCE, START_PATIENCE, Situation, State};
