//! So many of something in a window of time; the rest is counted. Pure: time is handed in.
//!
//! For log lines that strangers can cause, so that a flood of attempts is not a flood of lines as well.

use std::time::Duration;

use crate::time::Timestamp;

/// So many of something in each window of time.
#[derive(Debug, Clone)]
pub struct RateLimit {
    most: u32,
    window: Duration,
    began: Timestamp,
    taken: u32,
    withheld: u64,
}

impl RateLimit {
    /// At most `most` in each `window`.
    pub const fn new(most: u32, window: Duration) -> Self {
        Self { most, window, began: Timestamp(0), taken: 0, withheld: 0 }
    }

    /// Takes one: `Some` if there is one, with how many were withheld since the one before.
    pub fn take(&mut self, now: Timestamp) -> Option<u64> {
        // A clock that was set back must not hold the window open.
        if now < self.began || now.since(self.began) >= self.window {
            (self.began, self.taken) = (now, 0);
        }
        if self.taken == self.most {
            self.withheld += 1;
            return None;
        }
        self.taken += 1;
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
