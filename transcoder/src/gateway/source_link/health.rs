//! What `GET /health` says. `transcoder health` reads it again.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The status of a gateway that works.
pub(super) const OK: &str = "ok";

/// How a gateway is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    pub(super) status: String,
    pub(super) sessions: usize,
    pub(super) connections: usize,
    pub(super) buffered_bytes: u64,
    pub(super) lost_messages: u64,
    /// Bytes that the disk did not take.
    pub(super) held_in_memory_bytes: u64,
    /// Writes that it has refused so far.
    pub(super) disk_errors: u64,
    /// Since when it refuses all. The gateway goes on as long as media can be kept: a new one would have lost it.
    pub(super) disk_failing_seconds: Option<u64>,
}

impl Health {
    /// Whether it says that it works.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.status == OK
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sessions, connections, buffered_bytes, lost_messages, held_in_memory_bytes, .. } = self;
        write!(
            f,
            "{sessions} sessions, {connections} connections, {buffered_bytes} bytes kept, \
             {lost_messages} messages lost"
        )?;
        if let Some(seconds) = self.disk_failing_seconds {
            write!(
                f,
                "; for {seconds} s the disk takes nothing, {held_in_memory_bytes} bytes are in memory"
            )?;
        }
        Ok(())
    }
}
