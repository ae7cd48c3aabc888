//! What the gateway says of the media that a task asks for.

/// What the gateway says of a run before its media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunHead {
    /// Number of the run in its session.
    pub run: u32,
    /// Wall clock (unix ms) at the run's time 0.
    pub started_ms: u64,
    /// Cursor of the first media message.
    pub first_cursor: u64,
    /// Messages that were asked for and are not kept any more.
    pub lost: u64,
}

/// The gateway's answer to a request for media.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// A run; its media follows.
    Run {
        /// What the gateway says of it.
        head: RunHead,
        /// What of the session cannot be used, for people.
        problem: Option<String>,
    },
    /// The session has ended, and everything of it was read.
    Gone,
}

/// The source cannot be read now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Why, for people.
    pub why: String,
    /// Whether asking again is of no use: the gateway has never heard of the session, or no longer.
    pub is_final: bool,
}
