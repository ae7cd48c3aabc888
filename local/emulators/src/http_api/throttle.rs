//! A token bucket. The clock is handed in.

use super::config::Throttle;
use std::time::Instant;

use parking_lot::Mutex;

/// The state of one route's throttle.
#[derive(Debug)]
pub(super) struct Bucket {
    limits: Throttle,
    level: Mutex<(f64, Instant)>,
}

impl Bucket {
    pub(super) fn new(limits: Throttle, now: Instant) -> Self {
        Self { limits, level: Mutex::new((f64::from(limits.burst), now)) }
    }

    /// Takes one token if there is one.
    pub(super) fn take(&self, now: Instant) -> bool {
        let mut level = self.level.lock();
        let refill = now.saturating_duration_since(level.1).as_secs_f64() * self.limits.rate_per_second;
        let tokens = (level.0 + refill).min(f64::from(self.limits.burst));
        let admitted = tokens >= 1.0;
        *level = (if admitted { tokens - 1.0 } else { tokens }, now);
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_passes_then_the_rate() {
        let start = Instant::now();
        let bucket = Bucket::new(Throttle { rate_per_second: 2.0, burst: 2 }, start);
        let at = |millis| bucket.take(start + Duration::from_millis(millis));
        assert_eq!([at(0), at(0), at(0)], [true, true, false]);
        assert_eq!([at(500), at(600)], [true, false]);
    }
}
