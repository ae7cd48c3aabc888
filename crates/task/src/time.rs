//! The time, handed in.

use std::time::Duration;

use headwater_domain::Timestamp;

/// What time it is when something is handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Since some moment, the same for all that one task is handed; never goes back. Deadlines are told by it.
    pub monotonic: Duration,
    /// By the wall clock, which may jump.
    pub wall: Timestamp,
}
