//! `transcoder run`: one task, one lease, one broadcast. Reads its source, extends the timeline, leaves.
//!
//! ```text
//! heartbeats ──order──► task ──GET──► source link ──bytes──► media engine (threads)
//!      ▲                  │                                      │ segments, bounded
//!      └──── health ◄─────┴──────── committer ◄──────────────────┘
//!                                   uploads side by side, entries in order, cursor back to the gateway
//! ```
//!
//! It holds no state that its successor needs: everything is in the timeline and in the gateway's buffer.
//! Invariant: an entry is committed only after its objects are stored (or it is a gap).
//! Invariant: the next run starts where the last entry handed to the committer ended, so nothing is lost or doubled.

mod bucket;
mod circuit;
mod commit;
mod engine;
mod health_reporter;
mod heartbeats;
mod key_frames;
mod notes;
mod ports;
mod replay;
mod report;
mod source;
mod transcode;
mod upload;
mod worker;

pub use headwater_task::Exit;
pub use heartbeats::new_fencing_token;
pub use ports::Ports;
pub use worker::{Task, TaskError};
