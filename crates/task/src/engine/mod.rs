//! What a task and its media engine say to each other: where a run starts, and what it makes.
//!
//! Plain values. The engine itself (`transcoder/src/media`) decodes and encodes; the simulation has one without pictures.

mod ended;
mod made;
mod start;
mod time;

pub use ended::{Ending, RunEnded, RunFailed};
pub use made::{Effort, Made, Part, RenditionKind, RenditionSegment, Segment};
pub use start::{Passthrough, Placement, StartPoint};
pub use time::{AudioSpan, FRAME_SAMPLES, GridFrame, MediaTime, SAMPLE_RATE, VideoSpan};

/// Name of the rendition with the sound.
pub const AUDIO: &str = "audio";
