//! Media playlists: which window of segments is a valid playlist. Must not know how it is written down.

mod render;

use crate::{MediaDuration, Segment, TargetDuration, Uri};

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
/// TARGETDURATION and by their user's settings, and a recording starts at its start anyway. Neither is there
/// EXT-X-SERVER-CONTROL: its HOLD-BACK default is the three target durations we want, and the rest of it
/// belongs to low latency.
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
}

impl Window {
    /// Drops the oldest segments until at most `count` are left, and counts what went into both sequence numbers.
    /// Does nothing to an event or a recording, which may not lose any (section 4.4.3.5).
    pub fn keep_newest(&mut self, count: usize) {
        let excess = self.segments.len().saturating_sub(count);
        if self.playlist_type != PlaylistType::Live || excess == 0 {
            return;
        }
        let breaks = self.segments.drain(..excess).filter(|segment| segment.discontinuity).count();
        self.media_sequence += excess as u64;
        self.discontinuity_sequence += breaks as u64;
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
        /// Which segment.
        index: usize,
        /// Its length.
        duration: MediaDuration,
        /// What the playlist promises, in seconds.
        target: u32,
    },
    /// Not a gap, and no initialization section.
    #[error("segment {index} has no initialization section")]
    MapMissing {
        /// Which segment.
        index: usize,
    },
    /// First of a live or event window, or after a discontinuity, and without a wall-clock time.
    #[error("segment {index} needs a wall-clock time")]
    DateTimeMissing {
        /// Which segment.
        index: usize,
    },
    /// A byte range that is empty or ends beyond 2^64.
    #[error("segment {index} has an impossible byte range")]
    ByteRange {
        /// Which segment.
        index: usize,
    },
    /// A recording that has not ended contradicts itself.
    #[error("a VOD playlist must have ended")]
    VodNotEnded,
    /// Segment numbers would pass 2^64.
    #[error("media sequence numbers run out")]
    SequenceOverflow,
}

/// A window that was found valid; rendering it cannot fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaPlaylist(Window);

impl MediaPlaylist {
    /// Checks what players rely on.
    pub fn new(window: Window) -> Result<Self, WindowError> {
        if window.segments.is_empty() {
            return Err(WindowError::Empty);
        }
        if window.playlist_type == PlaylistType::Vod && !window.ended {
            return Err(WindowError::VodNotEnded);
        }
        if window.media_sequence.checked_add(window.segments.len() as u64).is_none() {
            return Err(WindowError::SequenceOverflow);
        }
        for (index, segment) in window.segments.iter().enumerate() {
            check(&window, index, segment)?;
        }
        Ok(Self(window))
    }

    /// The playlist's text.
    pub fn render(&self) -> String {
        render::media(&self.0)
    }

    /// What it was made from.
    pub fn window(&self) -> &Window {
        &self.0
    }
}

fn check(window: &Window, index: usize, segment: &Segment) -> Result<(), WindowError> {
    if !window.target_duration.fits(segment.duration) {
        let target = window.target_duration.seconds();
        return Err(WindowError::TooLong { index, duration: segment.duration, target });
    }
    if segment.map.is_none() && !segment.gap {
        return Err(WindowError::MapMissing { index });
    }
    // Apple authoring specification 8.4. At a break a player cannot extrapolate, so it holds for recordings too.
    let needs_time = segment.discontinuity || (index == 0 && window.playlist_type != PlaylistType::Vod);
    if needs_time && segment.program_date_time.is_none() {
        return Err(WindowError::DateTimeMissing { index });
    }
    match segment.byte_range {
        Some(range) if range.length == 0 || range.offset.checked_add(range.length).is_none() => {
            Err(WindowError::ByteRange { index })
        }
        _ => Ok(()),
    }
}

/// The init that the next EXTINF is under: a tag is due when it differs, and again after every break.
#[derive(Default)]
struct CurrentMap<'a>(Option<&'a Uri>);

impl<'a> CurrentMap<'a> {
    fn tag_due(&mut self, segment: &'a Segment) -> Option<&'a Uri> {
        if segment.discontinuity {
            self.0 = None;
        }
        let map = segment.map.as_ref()?;
        (self.0.replace(map) != Some(map)).then_some(map)
    }
}
