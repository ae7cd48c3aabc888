//! A task driven by hand: what is handed in, at what time, and what comes out.
#![allow(clippy::unwrap_used, reason = "test code; clippy knows helpers of integration tests only by this")]

mod commits;
mod deadlines;
mod ends;
mod fencing;
mod given;
mod goodbye;
mod hand;
mod handover;
mod health;
mod heartbeats;
mod outputs;
mod rehearsal;
mod sigterm;
