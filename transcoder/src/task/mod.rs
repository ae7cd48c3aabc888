//! `transcoder run`: one task, one lease, one broadcast. Reads its source, extends the timeline, leaves.
//!
//! ```text
//!            ┌── health ◄── headwater_task::Task ◄── what is made, bounded ──┐
//!            ▼                 ▲      │ what is to be done                    │
//! hooks ── orders ─────────────┘      ├──► source link ──bytes──► media engine (threads)
//!                                     └──► uploads side by side, entries in order, cursor to the gateway
//! ```
//!
//! It holds no state that its successor needs: everything is in the timeline and in the gateway's buffer.
//! Invariant: an entry is committed only after its objects are stored (or it is a gap).
//! Invariant: the next run starts where the last entry that was written ended, so nothing is lost or doubled.

mod bucket;
mod calls;
mod circuit;
mod engine;
mod heartbeats;
mod key_frames;
mod log;
mod observations;
mod ports;
mod process;
mod replay;
mod source;
mod transcode;
mod upload;
mod worker;

pub use headwater_task::Exit;
pub use heartbeats::new_fencing_token;
pub use ports::Ports;
pub use process::{Task, TaskError};
