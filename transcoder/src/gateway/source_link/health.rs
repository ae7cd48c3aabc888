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
        let Self { sessions, connections, buffered_bytes, lost_messages, .. } = self;
        write!(
            f,
            "{sessions} sessions, {connections} connections, {buffered_bytes} bytes kept, \
             {lost_messages} messages lost"
        )
    }
}
