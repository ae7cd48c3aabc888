//! Time, with its unit in its type: wall clock ([`Timestamp`]) and media time ([`MediaTime`]).

use std::ops::{Add, Sub};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The wall clock as it is handed in: whoever needs the time asks this, and tests hand in their own. The edge of each program
/// has the real one.
pub type ClockReader = fn() -> Timestamp;

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

/// 1970 for what a machine's clock has before it.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The latest time that the machine has for what it cannot say.
impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        // The year 9999: every platform has it, and no protocol of ours goes beyond.
        const LATEST_MS: u64 = 253_402_300_799_999;
        UNIX_EPOCH + Duration::from_millis(time.0.min(LATEST_MS))
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
    fn a_machine_s_time_is_read_and_written() {
        let time = Timestamp(1_700_000_000_123);
        assert_eq!(Timestamp::from(SystemTime::from(time)), time);
        assert_eq!(
            Timestamp::from(UNIX_EPOCH - Duration::from_secs(1)),
            Timestamp(0),
            "a clock that is not set"
        );
        assert!(Timestamp::from(SystemTime::from(Timestamp(u64::MAX))) > time, "no overflow");
    }

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
