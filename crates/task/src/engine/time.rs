//! The two clocks of a broadcast: ticks of 1/90000 s for video, 1024-sample frames at 48 kHz for audio.
//! Knows how they convert exactly into each other and nothing of where they are used.

/// Sample rate of the audio rendition, in Hz.
pub const SAMPLE_RATE: u32 = 48_000;
/// Samples in one AAC frame; audio is cut only at multiples of it, counted from T = 0.
pub const FRAME_SAMPLES: usize = 1024;

const TICKS_PER_SECOND: i64 = 90_000;
const TICKS_PER_MILLI: i64 = 90;
/// 1024 samples at 48 kHz are exactly 1920 ticks.
const TICKS_PER_FRAME: i64 = 1_920;

/// An instant of the broadcast (T), or the distance between two, in 1/90000 s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaTime(i64);

impl MediaTime {
    /// From 1/90000 s.
    #[must_use]
    pub const fn from_ticks(ticks: i64) -> Self {
        Self(ticks)
    }

    /// From whole milliseconds (the unit of FLV).
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(TICKS_PER_MILLI))
    }

    /// From whole seconds.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(TICKS_PER_SECOND))
    }

    /// In 1/90000 s.
    #[must_use]
    pub const fn ticks(self) -> i64 {
        self.0
    }

    /// In seconds, for display and rates only.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / TICKS_PER_SECOND as f64
    }

    /// The audio frame on the grid that holds this instant: the last frame start at or before it.
    #[must_use]
    pub const fn frame(self) -> GridFrame {
        let index = self.0.div_euclid(TICKS_PER_FRAME);
        GridFrame(if index < 0 { 0 } else { index as u64 })
    }

    /// The nearest sample at 48 kHz.
    #[must_use]
    pub const fn sample(self) -> i64 {
        // 48000/90000 = 8/15; seven fifteenths more than the floor rounds to nearest.
        self.0.saturating_mul(8).saturating_add(7).div_euclid(15)
    }

    /// Later by `other`.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Earlier by `other`.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// Index of a 1024-sample audio frame on the grid that starts at T = 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GridFrame(u64);

impl GridFrame {
    /// The frame that starts at sample `1024 * index`.
    #[must_use]
    pub const fn new(index: u64) -> Self {
        Self(index)
    }

    /// Position on the grid.
    #[must_use]
    pub const fn index(self) -> u64 {
        self.0
    }

    /// Where the frame starts.
    #[must_use]
    pub const fn time(self) -> MediaTime {
        MediaTime((self.0 as i64).saturating_mul(TICKS_PER_FRAME))
    }

    /// First sample of the frame.
    #[must_use]
    pub const fn sample(self) -> u64 {
        self.0.saturating_mul(FRAME_SAMPLES as u64)
    }

    /// So many frames earlier.
    #[must_use]
    pub const fn back(self, frames: u64) -> Self {
        Self(self.0.saturating_sub(frames))
    }

    /// The frame after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Half-open interval of broadcast time that a segment's video covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoSpan {
    /// PTS of the first frame.
    pub start: MediaTime,
    /// PTS of the first frame after it, or the end of its last frame when nothing follows.
    pub end: MediaTime,
}

impl VideoSpan {
    /// `end - start`.
    #[must_use]
    pub const fn duration(self) -> MediaTime {
        self.end.minus(self.start)
    }
}

/// Half-open interval of the audio grid that a segment's audio covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioSpan {
    /// First frame.
    pub from: GridFrame,
    /// First frame after it.
    pub to: GridFrame,
}

impl AudioSpan {
    /// First sample, at 48 kHz from T = 0.
    #[must_use]
    pub const fn start_sample(self) -> u64 {
        self.from.sample()
    }

    /// Length in samples at 48 kHz.
    #[must_use]
    pub const fn samples(self) -> u64 {
        self.to.sample().saturating_sub(self.from.sample())
    }

    /// Length in broadcast time; exact, since a frame is 1920 ticks.
    #[must_use]
    pub const fn duration(self) -> MediaTime {
        self.to.time().minus(self.from.time())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_time_and_audio_grid_agree() {
        assert_eq!(GridFrame::new(469).time().ticks(), 469 * 1024 * 15 / 8);
        assert_eq!(MediaTime::from_secs(10).frame(), GridFrame::new(468));
        assert_eq!(MediaTime::from_secs(10).sample(), 480_000);
        assert_eq!(GridFrame::new(468).time().frame(), GridFrame::new(468));
    }
}
