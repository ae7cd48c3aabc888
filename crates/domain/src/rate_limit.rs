//! So many of something in a window of time; the rest is counted. Pure: time is handed in.
//!
//! For log lines that strangers can cause, so that a flood of attempts is not a flood of lines as well.

use std::time::Duration;

use crate::time::Timestamp;

/// How many of something there have been in the window of time that runs: the one rule of all that is counted by time here,
/// log lines as well as attempts at keys.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    began: Timestamp,
    count: u32,
}

impl Window {
    /// One that begins at `now`.
    pub(crate) const fn beginning(now: Timestamp) -> Self {
        Self { began: now, count: 0 }
    }

    /// Whether it has lasted for `length`. A clock that was set back must not hold it open.
    pub(crate) fn is_over(&self, length: Duration, now: Timestamp) -> bool {
        now < self.began || now.since(self.began) >= length
    }

    /// Counts one, in the next window if this one is over; not if there are `most` already.
    pub(crate) fn take(&mut self, most: u32, length: Duration, now: Timestamp) -> bool {
        if self.is_over(length, now) {
            *self = Self::beginning(now);
        }
        let may = self.count < most;
        self.count += u32::from(may);
        may
    }

    /// Takes one back that was counted.
    pub(crate) fn give_back(&mut self) {
        self.count = self.count.saturating_sub(1);
    }

    /// How many there have been.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }
}

/// So many of something in each window of time.
#[derive(Debug, Clone)]
pub struct RateLimit {
    most: u32,
    length: Duration,
    window: Window,
    withheld: u64,
}

impl RateLimit {
    /// At most `most` in each `window`.
    pub const fn new(most: u32, window: Duration) -> Self {
        Self { most, length: window, window: Window::beginning(Timestamp(0)), withheld: 0 }
    }

    /// Takes one: `Some` if there is one, with how many were withheld since the one before.
    pub fn take(&mut self, now: Timestamp) -> Option<u64> {
        if !self.window.take(self.most, self.length, now) {
            self.withheld += 1;
            return None;
        }
        Some(std::mem::take(&mut self.withheld))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_so_many_and_the_next_one_tells_of_the_rest() {
        let mut rate_limit = RateLimit::new(2, Duration::from_secs(10));
        let mut take = |at| rate_limit.take(Timestamp(at));
        assert_eq!([take(50_000), take(50_001), take(50_002), take(59_999)], [Some(0), Some(0), None, None]);
        assert_eq!([take(60_000), take(60_000), take(60_000)], [Some(2), Some(0), None]);
        assert_eq!(take(1_000), Some(1), "the clock was set back");
    }
}
