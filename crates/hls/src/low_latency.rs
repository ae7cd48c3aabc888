//! What low latency adds to a media playlist (RFC 8216bis sections 4.4.3.7, 4.4.3.8, 4.4.4.9, 4.4.5): parts of
//! segments, the segment that is still being made, the part that comes next, and how far the other renditions are.
//! Must not know how they are written down.

use crate::{MediaDuration, TimeError, Uri, WallClock};

/// No part but a segment's last is shorter than this share of the part target (section 4.4.4.9), in percent.
const LEAST_PERCENT: u64 = 85;
/// A player stays so many part targets behind the end (section 4.4.3.8: at least two, three are recommended).
const HOLD_BACK_PARTS: u64 = 3;

/// EXT-X-PART-INF's PART-TARGET: no part is longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartTarget(MediaDuration);

impl PartTarget {
    /// From milliseconds.
    pub fn from_millis(millis: u64) -> Result<Self, TimeError> {
        MediaDuration::new(millis, 1_000).map(Self)
    }

    /// Whether a part may be so long.
    pub fn fits(self, part: MediaDuration) -> bool {
        self.0.is_percent_of(100, part)
    }

    /// Whether a part that is not its segment's last may be so short.
    pub fn is_filled_by(self, part: MediaDuration) -> bool {
        part.is_percent_of(LEAST_PERCENT, self.0)
    }

    /// As a duration.
    pub fn duration(self) -> MediaDuration {
        self.0
    }

    /// PART-HOLD-BACK: how far from the end players play.
    pub fn hold_back(self) -> MediaDuration {
        self.0.times(HOLD_BACK_PARTS)
    }
}

/// A partial segment (EXT-X-PART): an object of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Where it is.
    pub uri: Uri,
    /// Its exact length.
    pub duration: MediaDuration,
    /// It begins with a picture that decodes by itself.
    pub independent: bool,
    /// The media was lost and will not come.
    pub gap: bool,
}

/// The segment behind the last one: only parts of it are there yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSegment {
    /// Its initialization section. `None` only if all its parts are gaps.
    pub map: Option<Uri>,
    /// Encoding or timestamps do not continue from the segment before.
    pub discontinuity: bool,
    /// Breaks that stand before it as well; see [`crate::Segment::further_breaks`].
    pub further_breaks: u64,
    /// When its first sample was captured.
    pub program_date_time: Option<WallClock>,
    /// What there is of it; never empty.
    pub parts: Vec<Part>,
}

/// How far another rendition is (EXT-X-RENDITION-REPORT): who switches to it can ask for what comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenditionReport {
    /// Its media playlist, as the multivariant playlist has it.
    pub uri: Uri,
    /// Number of its last segment, complete or not.
    pub last_segment: u64,
    /// Index of that segment's last part, if it has parts.
    pub last_part: Option<u64>,
}

/// What a live window says beyond its segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LowLatency {
    /// The same in all renditions, and constant while the playlist lives.
    pub part_target: PartTarget,
    /// The segment that is being made.
    pub open: Option<OpenSegment>,
    /// Address of the part that comes next (EXT-X-PRELOAD-HINT); players may ask for it at once.
    pub hint: Option<Uri>,
    /// All other renditions.
    pub reports: Vec<RenditionReport>,
}
