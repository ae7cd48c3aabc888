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

mod beats;
mod bucket;
mod circuit;
mod commit;
mod engine;
mod key_frames;
mod notes;
mod ports;
mod replay;
mod report;
mod source;
mod task;
mod transcode;
mod upload;
mod vitals;

pub use beats::new_boot;
pub use headwater_task::Exit;
pub use ports::Ports;
pub use task::{Task, TaskError};
