//! What a run hands out: segments of all renditions, and how it ended.

use std::time::Duration;

use bytes::Bytes;

use super::error::MediaError;
use super::governor::Effort;
use super::settings::{Placement, StartPoint};
use super::stats::Stats;
use super::time::{AudioSpan, GridFrame, MediaTime, VideoSpan};

/// What a rendition carries.
#[derive(Clone, Debug, PartialEq)]
pub enum RenditionKind {
    /// Pictures only.
    Video {
        /// Pixels across; square.
        width: u32,
        /// Lines.
        height: u32,
        /// Nominal frames per second.
        frame_rate: f64,
    },
    /// Sound only.
    Audio {
        /// 1 or 2.
        channels: u16,
        /// Always 48000.
        sample_rate: u32,
    },
}

/// One rendition's part of a segment.
#[derive(Clone, Debug)]
pub struct RenditionSegment {
    /// Name of the rung, or `audio`.
    pub name: String,
    /// What it carries.
    pub kind: RenditionKind,
    /// RFC 6381, from the real bitstream.
    pub codecs: String,
    /// `ftyp` + `moov`; the same bytes in every segment of a run and after a resume.
    pub init: Bytes,
    /// `styp` + `moof` + `mdat`, several if it was made in parts.
    pub data: Bytes,
    /// Bits per second no full segment exceeds (VBV rate, buffer and container); of copied ones the highest so far and
    /// some more.
    pub declared_bitrate: u32,
    /// Whether it is the source's own packets.
    pub copied: bool,
}

/// One segment of all renditions.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Consecutive within a run, from `StartPoint::next_segment`.
    pub number: u64,
    /// What its video covers; `None` without video.
    pub video: Option<VideoSpan>,
    /// What its audio covers; `None` without audio.
    pub audio: Option<AudioSpan>,
    /// T = offset + 90 * FLV milliseconds, for the whole run.
    pub offset: MediaTime,
    /// Ask the gateway for media after this to continue frame-exactly behind this segment.
    pub cursor: u64,
    /// Video by descending height, then audio.
    pub renditions: Vec<RenditionSegment>,
    /// Pictures in it.
    pub frames: u32,
    /// Pictures in it that repeat their predecessor across a gap of the source.
    pub repeated: u32,
    /// How much work was done for it.
    pub effort: Effort,
}

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
