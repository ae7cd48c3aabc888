//! The media engine of `transcoder run`: one FLV response of the source link in, aligned CMAF segments of all
//! renditions out. The only place that names `ffmpeg_next`. Knows nothing of HTTP, AWS, hooks or async.
//!
//! ```text
//! reader ─ cursor tap ─ demux ─┬─ copy: the source's packets are the top rendition (copy, gop, h264) ─┐
//!   (source, remux, cursor)    ├─ decode ─ boundaries ─┬─ rung 480p (scale, x264, mux) ───────────────┤
//!                              │   (frames, cut)       └─ rung 360p … (video, scale, x264) ───────────┼─ assemble ─ join ─ sink
//!                              └─ sound on the grid: copied, or decoded and encoded (audio*, grid) ───┘   (part)
//!        └──────────────── driver thread ──────────────┘  └── a thread each ──┘                       caller's thread
//! ```
//!
//! Invariant: every rendition of a segment covers the same interval of the broadcast's timeline, by presentation time; audio
//! is cut at the last grid frame that starts at or before the video's cut.
//! Invariant: a run resumed from `Segment::cursor` with the segment's offset and end shows every source frame once.
//! Invariant: a segment is its parts, to the byte; a rendition's init section is the same after a resume.

mod aac;
mod assemble;
mod audio;
mod audio_copy;
mod audio_encode;
mod cancel;
mod check;
mod codecs;
mod composition;
mod copy;
mod cursor;
mod cut;
mod decode;
mod deinterlace;
mod driver;
mod engine;
mod error;
mod feed;
mod frames;
mod gop;
mod governor;
mod grid;
mod h264;
mod ladder;
mod ledger;
mod mux;
mod names;
mod part;
mod pcm;
mod problem;
pub mod remux;
mod rungs;
mod scale;
mod segment;
mod settings;
mod source;
mod stages;
mod stats;
mod video;
mod x264;

pub use cancel::Cancel;
pub use check::{CheckError, check, libraries};
pub use decode::decodable;
pub use engine::run;
pub use error::{ErrorKind, MediaError};
pub use feed::{FeedItem, FeedReader, feed};
pub use governor::Pace;
pub use headwater_task::engine::{
    AUDIO, AudioSpan, Effort, FRAME_SAMPLES, GridFrame, Made, MediaTime, Part, Passthrough, Placement,
    RenditionKind, RenditionSegment, SAMPLE_RATE, Segment, StartPoint, VideoSpan,
};
pub use problem::{Problem, Problems};
pub use segment::{EndReason, Position, RunEnd};
pub use settings::{EngineSettings, RunInput, Rung};
pub use stats::Stats;
