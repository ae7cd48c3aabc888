//! A media engine without pictures: it cuts a session, whose cursors are milliseconds of media, as the real one does.

use bytes::Bytes;
use headwater_task::engine::{
    Effort, Made, MediaTime, Part, Placement, RenditionKind, RenditionSegment, Segment, StartPoint, VideoSpan,
};

/// Length of a segment, and of a part of one, in milliseconds.
pub(super) const SEGMENT: u64 = 2_000;
pub(super) const PART: u64 = 500;
/// Parts of a segment.
const PARTS: u64 = SEGMENT / PART;

/// The bytes of a segment; nobody looks at them.
static PICTURES: [u8; 650_000] = [0; 650_000];
/// Its initialization section is always the same.
static INIT: [u8; 4] = *b"ftyp";

/// One run.
pub(super) struct Engine {
    /// What is made: milliseconds of the session become ticks of the broadcast by this.
    offset: MediaTime,
    number: u64,
    /// Up to where segments were made, in milliseconds of the session.
    at: u64,
    /// Parts of the open segment.
    parts: u64,
    /// Parts that viewers had seen of the first segment, which are made anew.
    known: u64,
}

impl Engine {
    /// Of media from the cursor `first` on.
    pub(super) fn begin(start: &StartPoint, first: u64) -> Self {
        let first_tick = MediaTime::from_millis(millis(first));
        let offset = match start.placement {
            Placement::AlignFirst => start.video_from.minus(first_tick),
            Placement::Offset(offset) => offset,
        };
        // What is in the timeline is decoded and discarded.
        let resumed = u64::try_from(start.video_from.minus(offset).ticks() / 90).unwrap_or(0);
        let known = u64::try_from(start.parts.len()).unwrap_or(0);
        Self { offset, number: start.next_segment, at: first.max(resumed), parts: 0, known }
    }

    pub(super) fn offset(&self) -> MediaTime {
        self.offset
    }

    /// Up to where parts were made.
    pub(super) fn made(&self) -> u64 {
        self.at + PART * self.parts
    }

    /// Up to where segments were made.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Up to where media must have come for the next part or segment.
    pub(super) fn goal(&self, low: bool) -> u64 {
        self.at + if low { PART * (self.parts + 1) } else { SEGMENT }
    }

    /// Whether what ends at `until` is a part, and not the last one, whose segment is closed with it.
    pub(super) fn is_part(&self, low: bool, until: u64) -> bool {
        low && until == self.goal(low) && self.parts + 1 < PARTS
    }

    /// Whether viewers had seen the next part before this run.
    pub(super) fn is_known(&self) -> bool {
        self.parts < self.known
    }

    /// The next part, which ends at `until`.
    pub(super) fn part(&mut self, until: u64) -> Made {
        let from = self.at + PART * self.parts;
        let part = Part {
            number: self.number,
            index: u32::try_from(self.parts).unwrap(),
            last: false,
            independent: self.parts == 0,
            video: Some(self.span(from, until)),
            audio: None,
            offset: self.offset,
            renditions: vec![rendition(until - from)],
            frames: 0,
            repeated: 0,
            cursor: until,
            effort: Effort::default(),
        };
        self.parts += 1;
        Made::Part(part)
    }

    /// The next segment, which ends at `until`.
    pub(super) fn segment(&mut self, until: u64) -> Made {
        let segment = Segment {
            number: self.number,
            video: Some(self.span(self.at, until)),
            audio: None,
            offset: self.offset,
            cursor: until,
            renditions: vec![rendition(until - self.at)],
            frames: 0,
            repeated: 0,
            effort: Effort::default(),
        };
        (self.number, self.at, self.parts, self.known) = (self.number + 1, until, 0, 0);
        Made::Segment(segment)
    }

    fn span(&self, from: u64, to: u64) -> VideoSpan {
        let tick = |cursor: u64| self.offset.plus(MediaTime::from_millis(millis(cursor)));
        VideoSpan { start: tick(from), end: tick(to) }
    }
}

fn rendition(length: u64) -> RenditionSegment {
    let bytes = PICTURES.len() * usize::try_from(length.min(SEGMENT)).unwrap() / SEGMENT as usize;
    RenditionSegment {
        name: "720p".into(),
        kind: RenditionKind::Video { width: 1_280, height: 720, frame_rate: 30.0 },
        codecs: "avc1.64001f".into(),
        init: Bytes::from_static(&INIT),
        data: Bytes::from_static(&PICTURES[..bytes]),
        declared_bitrate: 3_080_000,
        copied: false,
    }
}

fn millis(cursor: u64) -> i64 {
    i64::try_from(cursor).unwrap()
}
