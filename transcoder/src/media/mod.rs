//! The media engine of `transcoder run`: one FLV response of the source link in, aligned CMAF segments of all
//! renditions out. The only place that names `ffmpeg_next`. Knows nothing of HTTP, AWS, hooks or async.
//!
//! ```text
//! reader ─ cursor tap ─ demux ─┬─ copy: the source's packets are the top rendition (copy, gop, h264) ─┐
//!   (source)                   ├─ decode ─ boundaries ─┬─ rung 480p (scale, x264, mux) ───────────────┤
//!                              │   (decode, segmenter) └─ rung 360p … (video) ────────────────────────┼─ assemble ─ join ─ sink
//!                              └─ sound on the grid: copied, or decoded and encoded (audio) ──────────┘   (package)
//!        └──────────────── driver thread ──────────────┘  └── a thread each ──┘                       caller's thread
//! ```
//!
//! Each stage is a folder, [`plan`] says which renditions there are; the [`engine`] wires threads and queues, the
//! [`driver`] runs the thread that reads.
//!
//! Invariant: every rendition of a segment covers the same interval of the broadcast's timeline, by presentation time; audio
//! is cut at the last grid frame that starts at or before the video's cut.
//! Invariant: a run resumed from `Segment::cursor` with the segment's offset and end shows every source frame once.
//! Invariant: a segment is its parts, to the byte; a rendition's init section is the same after a resume.

mod audio;
mod cancel;
mod check;
mod decode;
mod driver;
mod engine;
mod error;
mod package;
mod plan;
mod problem;
mod segment;
mod segmenter;
mod settings;
mod source;
mod stages;
mod stats;
mod video;

pub use cancel::Cancel;
pub use check::{CheckError, check, libraries};
pub use decode::decodable;
pub use engine::run;
pub use error::{ErrorKind, MediaError};
pub use headwater_task::engine::{
    AUDIO, AudioSpan, Effort, FRAME_SAMPLES, GridFrame, Made, MediaTime, Part, Passthrough, Placement,
    RenditionKind, RenditionSegment, SAMPLE_RATE, Segment, StartPoint, VideoSpan,
};
pub use plan::governor::Pace;
pub use problem::{Problem, Problems};
pub use segment::{EndReason, Position, RunEnd};
pub use settings::{EngineSettings, RunInput, Rung};
pub use source::feed::{FeedItem, FeedReader, feed};
pub use source::remux;
pub use stats::Stats;
