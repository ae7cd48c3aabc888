//! Time, with its unit in its type: wall clock ([`Timestamp`]) and media time ([`MediaTime`]).

use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Wall clock: milliseconds since 1970-01-01 UTC. Read at the edge of the program and handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// How long after `earlier` this is; zero if it is not after (clocks of two machines differ).
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Whole seconds since 1970, as DynamoDB's TTL wants them.
    pub fn unix_seconds(self) -> u64 {
        self.0 / 1_000
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// Ticks in a second of video time.
pub const VIDEO_TIMESCALE: u32 = 90_000;
/// Samples in a second of audio; all audio is brought to this rate.
pub const AUDIO_TIMESCALE: u32 = 48_000;

/// A point or length of media time in ticks of `timescale` per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MediaTime {
    /// Ticks.
    #[serde(rename = "t")]
    pub ticks: u64,
    /// Ticks per second; never 0.
    #[serde(rename = "s")]
    pub timescale: u32,
}

impl MediaTime {
    /// Video time in 1/90000 s.
    pub const fn video(ticks: u64) -> Self {
        Self { ticks, timescale: VIDEO_TIMESCALE }
    }

    /// Audio time in samples at 48 kHz.
    pub const fn audio(samples: u64) -> Self {
        Self { ticks: samples, timescale: AUDIO_TIMESCALE }
    }

    /// As seconds, for people and for playlists.
    pub fn seconds(self) -> f64 {
        self.ticks as f64 / f64::from(self.timescale)
    }

    /// As a duration, rounded down to nanoseconds.
    pub fn to_duration(self) -> Duration {
        let nanos = u128::from(self.ticks) * 1_000_000_000 / u128::from(self.timescale.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// A stretch of one track in media time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Where it starts, in the broadcast's time.
    pub start: MediaTime,
    /// How long it is.
    pub duration: MediaTime,
}

impl Span {
    /// First instant after it.
    pub fn end(&self) -> MediaTime {
        MediaTime { ticks: self.start.ticks + self.duration.ticks, timescale: self.start.timescale }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_time_is_as_long_as_its_ticks() {
        let time = MediaTime { ticks: 90_001, timescale: 90_000 };
        assert_eq!(time.to_duration(), Duration::from_nanos(1_000_011_111));
        assert!((time.seconds() - 1.000_011_111).abs() < 1e-9);
        assert_eq!(MediaTime::audio(48_000).to_duration(), Duration::from_secs(1));
        assert_eq!(MediaTime { ticks: u64::MAX, timescale: 1 }.to_duration(), Duration::from_nanos(u64::MAX));
        assert_eq!(
            MediaTime { ticks: 7, timescale: 0 }.to_duration(),
            Duration::from_secs(7),
            "no division by 0"
        );
        let span = Span { start: time, duration: MediaTime { ticks: 9, timescale: 90_000 } };
        assert_eq!(span.end(), MediaTime { ticks: 90_010, timescale: 90_000 });
    }
}
