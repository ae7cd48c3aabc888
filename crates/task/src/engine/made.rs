//! What a run of the engine hands out: segments of all renditions, and their parts when latency is low.

use bytes::Bytes;

use super::time::{AudioSpan, MediaTime, VideoSpan};

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

/// A stretch of a segment in all renditions: all of it, unless latency is low.
#[derive(Clone, Debug)]
pub struct Part {
    /// The segment it belongs to.
    pub number: u64,
    /// Its place there, from 0.
    pub index: u32,
    /// Whether it ends the segment.
    pub last: bool,
    /// Whether all its video begins with an IDR.
    pub independent: bool,
    /// What its video covers; `None` without video.
    pub video: Option<VideoSpan>,
    /// What its audio covers; `None` without audio.
    pub audio: Option<AudioSpan>,
    /// T = offset + 90 * FLV milliseconds, for the whole run.
    pub offset: MediaTime,
    /// Video by descending height, then audio. Only the data of a segment's first part begins with `styp`.
    pub renditions: Vec<RenditionSegment>,
    /// Pictures in it.
    pub frames: u32,
    /// Pictures in it that repeat their predecessor across a gap of the source.
    pub repeated: u32,
    /// Where to go on behind it; of use for the last part only.
    pub cursor: u64,
    /// How much work was done for the segment.
    pub effort: Effort,
}

/// What a run hands out.
#[derive(Clone, Debug)]
pub enum Made {
    /// A part, when latency is low.
    Part(Part),
    /// A segment, behind all of its parts.
    Segment(Segment),
}

/// How much work is done for a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// Encoders use their faster preset.
    pub fast: bool,
    /// So many of the largest encoded renditions are left out.
    pub dropped: u8,
}
