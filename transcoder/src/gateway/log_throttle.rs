//! Log lines that strangers can cause, rationed: a flood of attempts is not a flood of lines as well.
//!
//! A line that is written says how many of its kind were withheld before it; the figures count them all.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use headwater_domain::ClockReader;
use headwater_domain::rate_limit::RateLimit;
use parking_lot::Mutex;

/// Lines of one kind in each [`WINDOW`]: enough to see who comes and why it fails.
pub const MAX_LINES: u32 = 20;
/// What they are counted over.
pub const WINDOW: Duration = Duration::from_secs(10);

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThrottledLine {
    /// A connection that found no place.
    Full,
    /// A connection that ended before it asked to publish.
    Closed,
    /// Somebody who speaks another protocol.
    Foreign,
    /// A publisher's message that is not understood.
    Skipped,
    /// A publisher that was not let in.
    Refused,
    /// A question to the control plane that came to nothing.
    Unanswered,
}

/// Kinds of line.
const KINDS: usize = 6;

/// Limits the lines that strangers can cause, by kind.
#[derive(Debug)]
pub struct LogThrottle {
    rate_limits: [Mutex<RateLimit>; KINDS],
    refusals: AtomicU64,
    clock: ClockReader,
}

impl LogThrottle {
    /// Nothing has happened yet.
    pub fn new(clock: ClockReader) -> Self {
        Self {
            rate_limits: std::array::from_fn(|_| Mutex::new(RateLimit::new(MAX_LINES, WINDOW))),
            refusals: AtomicU64::new(0),
            clock,
        }
    }

    /// Counts something; if a line may be written of it, how many were not since the last one.
    pub fn take(&self, line: ThrottledLine) -> Option<u64> {
        if matches!(line, ThrottledLine::Full | ThrottledLine::Refused) {
            self.refusals.fetch_add(1, Ordering::Relaxed);
        }
        self.rate_limits[line as usize].lock().take((self.clock)())
    }

    /// Connections and publishers that were turned away so far.
    pub fn refusals(&self) -> u64 {
        self.refusals.load(Ordering::Relaxed)
    }
}
