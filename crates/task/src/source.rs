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
