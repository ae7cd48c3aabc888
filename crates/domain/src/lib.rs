//! What Headwater decides: streams, stream keys, broadcasts, leases and timelines.
//!
//! Pure: values and `now` go in, the next value and what is to be done come out. No tokio, AWS, ffmpeg, environment or
//! clock here, so every rule can be tested by itself and is the same in both regions.
//!
//! Start with [`control`] (what a broadcast is and who may extend it) and [`timeline`] (what viewers are shown).

#![warn(missing_docs, reason = "strangers read the libraries' rustdoc; programs are read in their source")]

pub mod control;
pub mod heartbeat;
pub mod hooks;
pub mod ids;
pub mod key;
pub mod key_attempts;
pub mod metrics;
pub mod objects;
pub mod paths;
pub mod peer;
pub mod ports;
pub mod problem;
pub mod rate_limit;
mod retention;
pub mod stream;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text;
pub mod time;
pub mod timeline;
pub mod tokens;

pub use ids::{BroadcastId, KeyId, Lease, LeaseNumber, Nonce, Region, SegmentNumber, SessionId, StreamId};
pub use time::{ClockReader, MediaTime, Timestamp};
