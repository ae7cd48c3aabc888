//! How a run ended, and where the next one goes on.

use std::time::Duration;

use super::error::MediaError;
use super::stats::Stats;
use super::{GridFrame, MediaTime, Placement, StartPoint};

/// Where the timeline stands after the last segment handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Video continues here.
    pub video_end: MediaTime,
    /// Audio continues here.
    pub audio_end: GridFrame,
    /// Number of the next segment.
    pub next_segment: u64,
    /// Placement of the run, once known.
    pub offset: Option<MediaTime>,
    /// Resume cursor: that of the last segment (the first of the input if there was none); after a clean end the last
    /// one consumed, after a jump or a change of parameters that of the packet behind it.
    pub cursor: u64,
    /// Whether the last segment had the source's own pictures.
    pub copied: bool,
}

impl Position {
    /// Takes up the same run of the gateway where this stands; a new one must start `StartPoint::aligned`.
    #[must_use]
    pub fn resume(self) -> StartPoint {
        StartPoint {
            video_from: self.video_end,
            audio_from: self.audio_end,
            placement: self.offset.map_or(Placement::AlignFirst, Placement::Offset),
            next_segment: self.next_segment,
            copied: self.copied,
            parts: Vec::new(),
        }
    }
}

/// Why a run ended.
#[derive(Debug)]
pub enum EndReason {
    /// The source ended cleanly; everything was handed out.
    Ended,
    /// The source ended cleanly, and nothing of it could be decoded. What follows it may be better.
    Barren(MediaError),
    /// The reader failed: whole segments were handed out, the open one was not. Resume at the position.
    Abrupt(std::io::Error),
    /// `Cancel::finish`: the open segment was handed out short, cut where a resume is exact.
    Finished,
    /// `Cancel::abort`, or the sink said break.
    Aborted,
    /// A track appeared or went away; continue with a new run and a discontinuity.
    TracksChanged,
    /// The picture's size or format changed; continue with a new run and a discontinuity.
    ParametersChanged,
    /// The source's packets are not fit to be a rendition, or no longer: go on at the position without passthrough.
    NotCopyable {
        /// Why not, for people.
        why: &'static str,
    },
    /// Source time jumped; continue with a new, aligned run and a discontinuity.
    TimestampJump,
}

/// How and where a run ended.
#[derive(Debug)]
pub struct RunEnd {
    /// Where to continue.
    pub position: Position,
    /// Why it ended.
    pub reason: EndReason,
    /// Counters of the whole run.
    pub stats: Stats,
    /// CPU time by stage: `decode`, `scale 480p`, `encode 480p`, `audio`, …
    pub stages: Vec<(String, Duration)>,
}
