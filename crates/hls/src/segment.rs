//! One media segment of a playlist. Knows nothing of its neighbours.

use crate::{MediaDuration, Part, Uri, WallClock};

/// A part of a larger object (EXT-X-BYTERANGE); the offset is always written, so order does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// How many bytes.
    pub length: u64,
    /// From which byte.
    pub offset: u64,
}

/// A media segment. Made with [`Segment::new`] and the verbs below, so that a new field changes no caller.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Segment {
    /// Where it is. A gap has one too: players need it to match renditions, and never load it.
    pub uri: Uri,
    /// Its exact length.
    pub duration: MediaDuration,
    /// Its initialization section. `None` only for a gap whose init is unknown.
    pub map: Option<Uri>,
    /// Encoding or timestamps do not continue from the segment before.
    pub discontinuity: bool,
    /// Breaks that stand before it as well: those of segments that nobody can list. Each is a tag, so that the numbers of
    /// discontinuities go on (section 4.4.3.3).
    pub further_breaks: u64,
    /// The media was lost and will not come (EXT-X-GAP).
    pub gap: bool,
    /// When its first sample was captured.
    pub program_date_time: Option<WallClock>,
    /// Where in the object it is, when it is not the whole of it.
    pub byte_range: Option<ByteRange>,
    /// The parts that it was published in, of a low-latency playlist.
    pub parts: Vec<Part>,
}

impl Segment {
    /// A segment that is the whole object at `uri`.
    pub fn new(uri: Uri, duration: MediaDuration) -> Self {
        Self {
            uri,
            duration,
            map: None,
            discontinuity: false,
            further_breaks: 0,
            gap: false,
            program_date_time: None,
            byte_range: None,
            parts: Vec::new(),
        }
    }

    /// With its initialization section.
    #[must_use]
    pub fn with_map(mut self, init: Uri) -> Self {
        self.map = Some(init);
        self
    }

    /// With the moment of its first sample.
    #[must_use]
    pub fn at(mut self, moment: WallClock) -> Self {
        self.program_date_time = Some(moment);
        self
    }

    /// As the first one after a break, if `discontinuity`.
    #[must_use]
    pub fn after_break(mut self, discontinuity: bool) -> Self {
        self.discontinuity = discontinuity;
        self
    }

    /// As the first one after so many breaks.
    #[must_use]
    pub fn after_breaks(mut self, count: u64) -> Self {
        self.discontinuity = count > 0;
        self.further_breaks = count.saturating_sub(1);
        self
    }

    /// As one whose media is lost, if `gap`.
    #[must_use]
    pub fn lost(mut self, gap: bool) -> Self {
        self.gap = gap;
        self
    }

    /// As a part of a larger object.
    #[must_use]
    pub fn within(mut self, range: ByteRange) -> Self {
        self.byte_range = Some(range);
        self
    }

    /// As one that was published in parts.
    #[must_use]
    pub fn in_parts(mut self, parts: Vec<Part>) -> Self {
        self.parts = parts;
        self
    }
}
