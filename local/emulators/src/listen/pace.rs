//! How fast bytes may move. Pure.

use std::time::Duration;

/// A narrow connection moves its bytes so often a second.
const STEPS: u64 = 20;

/// So many bytes, then a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    pub(super) bytes: usize,
    pub(super) every: Duration,
}

impl Pace {
    pub(super) fn drip(every: Duration) -> Self {
        Self { bytes: 1, every }
    }

    pub(super) fn bandwidth(bytes_a_second: u64) -> Self {
        let steps = STEPS.min(bytes_a_second).max(1);
        let bytes = usize::try_from(bytes_a_second / steps).unwrap_or(usize::MAX).max(1);
        Self { bytes, every: Duration::from_secs(1) / u32::try_from(steps).unwrap_or(1) }
    }

    pub(super) fn time_of_a_byte(self) -> Duration {
        self.every / u32::try_from(self.bytes).unwrap_or(u32::MAX)
    }
}
