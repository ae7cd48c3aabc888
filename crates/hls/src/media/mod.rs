//! Media playlists: which window of segments is a valid playlist. Must not know how it is written down.

mod check;
mod render;

use crate::{LowLatency, MediaDuration, Segment, TargetDuration, Uri};

/// Parts are listed of segments that end so many target durations before the playlist's end; who is further behind
/// loads whole segments (section 4.4.4.9).
const PARTS_TARGETS: u64 = 3;
/// A delta update leaves out what ends so many target durations before the playlist's end: CAN-SKIP-UNTIL, whose least
/// is six (section 4.4.3.8).
const SKIP_TARGETS: u64 = 6;

/// Breaks before one segment beyond the first: some 6 kB of lines, which gzip makes a few. What a region leaves out that
/// takes over at once is a dozen.
pub const MAX_FURTHER_BREAKS: u64 = 255;

/// EXT-X-PLAYLIST-TYPE: what may still happen to the playlist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaylistType {
    /// The window slides; no tag is written.
    Live,
    /// Segments are only ever added.
    Event,
    /// Nothing changes any more.
    Vod,
}

/// What a media playlist is to say.
///
/// There is no EXT-X-START: it would override the distance from the live edge that players choose by
/// TARGETDURATION and by their user's settings, and a recording starts at its start anyway. EXT-X-SERVER-CONTROL
/// comes with low latency only: else its HOLD-BACK default is the three target durations we want.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The same in all renditions, and constant while the playlist lives.
    pub target_duration: TargetDuration,
    /// Number of the first segment.
    pub media_sequence: u64,
    /// How many discontinuities have left the window at its front. One that stands *on* the first segment is
    /// still in the window and not counted.
    pub discontinuity_sequence: u64,
    /// What may still happen.
    pub playlist_type: PlaylistType,
    /// Nothing will be added (EXT-X-ENDLIST).
    pub ended: bool,
    /// Every segment decodes by itself.
    pub independent_segments: bool,
    /// Oldest first.
    pub segments: Vec<Segment>,
    /// What low latency adds, if the broadcast has parts.
    pub low_latency: Option<LowLatency>,
}

impl Window {
    /// Drops the oldest segments until at most `count` are left, and counts what went into both sequence numbers.
    /// Does nothing to an event or a recording, which may not lose any (section 4.4.3.5).
    pub fn keep_newest(&mut self, count: usize) {
        let excess = self.segments.len().saturating_sub(count);
        if self.playlist_type != PlaylistType::Live || excess == 0 {
            return;
        }
        let left = self.segments.drain(..excess).filter(|segment| segment.discontinuity);
        self.discontinuity_sequence += left.map(|segment| 1 + segment.further_breaks).sum::<u64>();
        self.media_sequence += excess as u64;
    }

    /// Drops the parts of segments that nobody plays in parts any more.
    fn forget_old_parts(&mut self) {
        let old = self.ending_before(PARTS_TARGETS);
        self.segments[..old].iter_mut().for_each(|segment| segment.parts.clear());
    }

    /// How many segments end more than `targets` target durations before the end of the playlist, parts included.
    fn ending_before(&self, targets: u64) -> usize {
        let limit = targets * u64::from(self.target_duration.seconds()) * 1_000_000;
        let open = self.low_latency.as_ref().and_then(|low| low.open.as_ref());
        let mut behind: u64 =
            open.into_iter().flat_map(|open| &open.parts).map(|p| p.duration.micros()).sum();
        let within = self.segments.iter().rev().take_while(|segment| {
            let is_near = behind <= limit;
            behind += segment.duration.micros();
            is_near
        });
        self.segments.len() - within.count()
    }
}

/// Why a window is not a valid playlist. `index` counts its segments from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// Players give up on a playlist without segments; answer 404 until there is one.
    #[error("no segments")]
    Empty,
    /// A segment that is longer than the target duration plus half a second.
    #[error("segment {index} of {duration} s is too long for a target duration of {target} s")]
    TooLong {
        /// Its place in the window, from 0.
        index: usize,
        /// Its length.
        duration: MediaDuration,
        /// What the playlist promises, in seconds.
        target: u32,
    },
    /// Not a gap, and no initialization section.
    #[error("segment {index} has no initialization section")]
    MapMissing {
        /// Its place in the window, from 0.
        index: usize,
    },
    /// First of a live or event window, or after a discontinuity, and without a wall-clock time.
    #[error("segment {index} needs a wall-clock time")]
    DateTimeMissing {
        /// Its place in the window, from 0.
        index: usize,
    },
    /// A byte range that is empty or ends beyond 2^64.
    #[error("segment {index} has an impossible byte range")]
    ByteRange {
        /// Its place in the window, from 0.
        index: usize,
    },
    /// A part, or an open segment's only ones, that break what the playlist promises. `part` counts from 0.
    #[error("part {part} of segment {index}: {problem}")]
    Part {
        /// Which segment; that behind the last one is the open one.
        index: usize,
        /// Which of its parts.
        part: usize,
        /// What is wrong with it.
        problem: PartProblem,
    },
    /// Low latency is for live playlists that go on, and parts for low latency.
    #[error("parts are for live playlists that have not ended")]
    PartsOutOfPlace,
    /// An open segment without parts says nothing, and one that has them all is closed.
    #[error("the open segment has no parts")]
    OpenWithoutParts,
    /// A part target above the target duration.
    #[error("the part target of {0} s is longer than a segment")]
    PartTarget(MediaDuration),
    /// A recording that has not ended contradicts itself.
    #[error("a VOD playlist must have ended")]
    VodNotEnded,
    /// More breaks before a segment than are worth their lines, or some before one that is behind none.
    #[error("segment {index} has {further} further breaks")]
    FurtherBreaks {
        /// Its place in the window, from 0.
        index: usize,
        /// How many.
        further: u64,
    },
    /// Segment numbers would pass 2^64.
    #[error("media sequence numbers run out")]
    SequenceOverflow,
}

/// What is wrong with a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PartProblem {
    /// Longer than the part target.
    #[error("longer than the part target")]
    TooLong,
    /// Not its segment's last, and shorter than 85 % of the part target.
    #[error("too short for one that is not the last")]
    TooShort,
    /// Lost, but its segment is not (section 4.4.4.9).
    #[error("a gap in a segment that is none")]
    Gap,
}

/// A window that was found valid; rendering it cannot fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaPlaylist(Window);

impl MediaPlaylist {
    /// Checks what players rely on.
    pub fn new(mut window: Window) -> Result<Self, WindowError> {
        window.forget_old_parts();
        check::check(&window)?;
        Ok(Self(window))
    }

    /// The playlist's text.
    pub fn render(&self) -> String {
        render::media(&self.0, 0)
    }

    /// The playlist as a delta update (section 6.2.5.1), for a client that has seen it within half the skip boundary;
    /// the whole of it if there is nothing to skip.
    pub fn render_delta(&self) -> String {
        let skipped = if self.0.low_latency.is_some() { self.0.ending_before(SKIP_TARGETS) } else { 0 };
        render::media(&self.0, skipped)
    }

    /// What it was made from.
    pub fn window(&self) -> &Window {
        &self.0
    }
}

/// The init that the next EXTINF or part is under: a tag is due when it differs, and again after every break.
#[derive(Default)]
struct CurrentMap<'a>(Option<&'a Uri>);

impl<'a> CurrentMap<'a> {
    fn tag_due(&mut self, discontinuity: bool, map: Option<&'a Uri>) -> Option<&'a Uri> {
        if discontinuity {
            self.0 = None;
        }
        let map = map?;
        (self.0.replace(map) != Some(map)).then_some(map)
    }
}
