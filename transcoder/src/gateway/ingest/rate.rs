//! Measures bytes over a sliding window. Pure: time is handed in.

use std::time::Duration;

/// Parts of the window; it slides by one of them.
const SLOTS: usize = 10;

/// Measures bytes over a sliding window.
#[derive(Debug)]
pub struct BitrateMeter {
    slots: [u64; SLOTS],
    sum: u64,
    slot: u128,
    slot_nanos: u128,
    max_bytes: u64,
}

impl BitrateMeter {
    /// Watches that no more than `bits_per_second` come over `window`.
    pub fn new(bits_per_second: u64, window: Duration) -> Self {
        let max_bytes = u128::from(bits_per_second) * window.as_millis() / 8_000;
        Self {
            slots: [0; SLOTS],
            sum: 0,
            slot: 0,
            slot_nanos: (window.as_nanos() / SLOTS as u128).max(1),
            max_bytes: u64::try_from(max_bytes).unwrap_or(u64::MAX),
        }
    }

    /// Counts `bytes` that came at `now`, time since any fixed point. False if the window holds too many.
    pub fn count(&mut self, bytes: usize, now: Duration) -> bool {
        let slot = now.as_nanos() / self.slot_nanos;
        let passed = slot.saturating_sub(self.slot).min(SLOTS as u128);
        for step in 1..=passed {
            let old = &mut self.slots[((slot - passed + step) % SLOTS as u128) as usize];
            self.sum -= *old;
            *old = 0;
        }
        self.slot = self.slot.max(slot);
        self.slots[(self.slot % SLOTS as u128) as usize] += bytes as u64;
        self.sum += bytes as u64;
        self.sum <= self.max_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_may_fill_the_window_and_no_more() {
        let mut meter = BitrateMeter::new(8_000, Duration::from_secs(10));
        assert!(meter.count(10_000, Duration::from_secs(100)));
        assert!(!meter.count(1, Duration::from_secs(105)));
        assert!(meter.count(9_000, Duration::from_secs(111)));
        assert!(meter.count(1_000, Duration::from_secs(120)));
        assert!(!meter.count(1, Duration::from_secs(120)));
        assert!(meter.count(8_999, Duration::from_secs(121)));
        assert!(meter.count(10_000, Duration::from_secs(5_000)));
    }

    #[test]
    fn a_steady_rate_at_the_limit_passes() {
        let mut meter = BitrateMeter::new(8_000_000, Duration::from_secs(10));
        for step in 0..10_000u64 {
            assert!(meter.count(1_000, Duration::from_millis(step)), "{step}");
        }
    }
}
