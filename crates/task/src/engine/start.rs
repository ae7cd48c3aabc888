//! Where on the broadcast's timeline a run of the engine starts, and what of its source it may copy.

use super::time::{GridFrame, MediaTime};

/// Which tracks may be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passthrough {
    /// The pictures.
    pub video: bool,
    /// The sound.
    pub audio: bool,
}

impl Passthrough {
    /// Both.
    pub const ALL: Self = Self { video: true, audio: true };
    /// Neither.
    pub const NONE: Self = Self { video: false, audio: false };
}

/// How FLV time is placed on the broadcast's timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// A new run: its first picture (first sound, if there are no pictures) lands at `video_from`, or up to an audio
    /// frame later, so that the sound needs no shifting onto the grid.
    AlignFirst,
    /// A known run is resumed: T = offset + 90 * FLV milliseconds.
    Offset(MediaTime),
}

/// Where a run starts on the broadcast's timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartPoint {
    /// Frames before it are decoded and discarded.
    pub video_from: MediaTime,
    /// First audio frame to produce.
    pub audio_from: GridFrame,
    /// How FLV time maps to T.
    pub placement: Placement,
    /// Number of the first segment.
    pub next_segment: u64,
    /// The source was copied until here: it is not weighed again.
    pub copied: bool,
    /// Ends of the parts of that segment that are out already: it is cut at the same instants, and what lies behind
    /// them can be decoded without them.
    pub parts: Vec<MediaTime>,
}

impl StartPoint {
    /// A new run whose first media lands at `at`.
    #[must_use]
    pub fn aligned(at: MediaTime, next_segment: u64) -> Self {
        Self {
            video_from: at,
            audio_from: at.frame(),
            placement: Placement::AlignFirst,
            next_segment,
            copied: false,
            parts: Vec::new(),
        }
    }
}
