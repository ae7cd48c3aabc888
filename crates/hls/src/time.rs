//! Time as playlists have it: exact durations, whole target seconds, wall clock in UTC.
//! Must not read a clock.

use std::fmt;
use std::time::Duration;

use time::UtcDateTime;

/// Finest time base: a tick must not be shorter than the six decimals of EXTINF, or a reader could not
/// get the exact tick count back. 90,000 and every audio rate are far below.
pub const MAX_TIMESCALE: u32 = 1_000_000;

/// First millisecond of the year 10000, which ISO 8601 cannot write in four digits.
const END_OF_WALL_CLOCK_MS: u64 = 253_402_300_800_000;

/// Longest duration, in seconds: a day. It keeps all arithmetic far from overflow.
const MAX_SECONDS: u64 = 86_400;

/// Why a number is not a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Zero, or finer than [`MAX_TIMESCALE`].
    #[error("time base of {0} ticks a second is not between 1 and {MAX_TIMESCALE}")]
    Timescale(u32),
    /// Zero, or longer than a day.
    #[error("{ticks} ticks of 1/{timescale} s are not a duration between one tick and a day")]
    Duration {
        /// How many ticks.
        ticks: u64,
        /// Ticks in a second.
        timescale: u32,
    },
    /// Zero, or longer than a day.
    #[error("target duration of {0} s is not between one second and a day")]
    Target(u32),
    /// Beyond the year 9999.
    #[error("{0} ms after 1970 is beyond the year 9999")]
    WallClock(u64),
}

/// How long a segment is, exactly: ticks of its track's time base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MediaDuration {
    ticks: u64,
    timescale: u32,
}

impl MediaDuration {
    /// `ticks` of 1/`timescale` seconds.
    pub fn new(ticks: u64, timescale: u32) -> Result<Self, TimeError> {
        if timescale == 0 || timescale > MAX_TIMESCALE {
            return Err(TimeError::Timescale(timescale));
        }
        if ticks == 0 || ticks > MAX_SECONDS * u64::from(timescale) {
            return Err(TimeError::Duration { ticks, timescale });
        }
        Ok(Self { ticks, timescale })
    }

    /// Ticks of the time base.
    pub fn ticks(self) -> u64 {
        self.ticks
    }

    /// Ticks in a second.
    pub fn timescale(self) -> u32 {
        self.timescale
    }

    /// To the nearest whole second, halves up: the number that TARGETDURATION limits (section 4.4.3.1).
    pub fn rounded_seconds(self) -> u64 {
        let timescale = u64::from(self.timescale);
        (2 * self.ticks + timescale) / (2 * timescale)
    }

    /// In microseconds, rounded down, for sums over a playlist.
    pub(crate) fn micros(self) -> u64 {
        // At most a day of at most a million ticks a second: far below 2^64 once divided.
        u64::try_from(u128::from(self.ticks) * 1_000_000 / u128::from(self.timescale)).unwrap_or(u64::MAX)
    }

    pub(crate) fn times(self, factor: u64) -> Self {
        Self { ticks: self.ticks.saturating_mul(factor), ..self }
    }

    /// Whether this is at least so many percent of `other`; exact.
    pub(crate) fn is_percent_of(self, percent: u64, other: Self) -> bool {
        let own = 100 * u128::from(self.ticks) * u128::from(other.timescale);
        own >= u128::from(percent) * u128::from(other.ticks) * u128::from(self.timescale)
    }
}

impl fmt::Display for MediaDuration {
    /// Seconds with six decimals, rounded: enough to tell neighbouring ticks apart up to [`MAX_TIMESCALE`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timescale = u64::from(self.timescale);
        let micros = (2_000_000 * self.ticks + timescale) / (2 * timescale);
        write!(f, "{}.{:06}", micros / 1_000_000, micros % 1_000_000)
    }
}

/// EXT-X-TARGETDURATION: no segment, rounded to whole seconds, is longer; it never changes while a playlist lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetDuration(u32);

impl TargetDuration {
    /// Whole seconds, at least one.
    pub fn from_seconds(seconds: u32) -> Result<Self, TimeError> {
        if seconds == 0 || u64::from(seconds) > MAX_SECONDS {
            return Err(TimeError::Target(seconds));
        }
        Ok(Self(seconds))
    }

    /// The smallest that fits all of them, for a playlist that is complete; one second when there are none.
    /// A live playlist takes its target from the settings instead: what comes later is not known yet.
    pub fn fitting(durations: impl IntoIterator<Item = MediaDuration>) -> Self {
        let longest = durations.into_iter().map(MediaDuration::rounded_seconds).max().unwrap_or(1).max(1);
        Self(u32::try_from(longest).expect("a MediaDuration is at most a day"))
    }

    /// `duration`, or the longest that fits if it is longer.
    pub fn cut(self, duration: MediaDuration) -> MediaDuration {
        let longest = MediaDuration { ticks: u64::from(self.0) * 1_000 + 499, timescale: 1_000 };
        if self.fits(duration) { duration } else { longest }
    }

    /// In seconds.
    pub fn seconds(self) -> u32 {
        self.0
    }

    /// Whether a segment of this length may be in the playlist, i.e. is shorter than target + 0.5 s.
    pub fn fits(self, duration: MediaDuration) -> bool {
        duration.rounded_seconds() <= u64::from(self.0)
    }
}

/// A moment in UTC: milliseconds after 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallClock(u64);

impl WallClock {
    /// Milliseconds after 1970-01-01T00:00:00Z.
    pub fn from_unix_ms(ms: u64) -> Result<Self, TimeError> {
        if ms < END_OF_WALL_CLOCK_MS { Ok(Self(ms)) } else { Err(TimeError::WallClock(ms)) }
    }

    /// Milliseconds after 1970-01-01T00:00:00Z.
    pub fn unix_ms(self) -> u64 {
        self.0
    }
}

impl fmt::Display for WallClock {
    /// ISO 8601 with milliseconds, as EXT-X-PROGRAM-DATE-TIME wants it (section 4.4.4.6).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = UtcDateTime::UNIX_EPOCH + Duration::from_millis(self.0);
        let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
        let (hour, minute, second, ms) = at.time().as_hms_milli();
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
    }
}
