//! Asking a run to stop, from any thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

// 0: nothing is asked.
const END_SEGMENT: u8 = 1;
const FINISH: u8 = 2;
const ABORT: u8 = 3;

/// Shared flag; clones ask the same run. A waiting reader must return `Interrupted` for it to be noticed.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicU8>);

impl Cancel {
    /// Nothing asked.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// End behind the open segment, at its boundary: a successor begins there (handed over).
    pub fn end_segment(&self) {
        self.0.fetch_max(END_SEGMENT, Ordering::SeqCst);
    }

    /// Stop reading, emit what is complete and the open segment as a short one, end (SIGTERM).
    pub fn finish(&self) {
        self.0.fetch_max(FINISH, Ordering::SeqCst);
    }

    /// Drop everything at once (fenced).
    pub fn abort(&self) {
        self.0.fetch_max(ABORT, Ordering::SeqCst);
    }

    /// Whether nothing more is to be read.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst) >= FINISH
    }

    /// Whether what is behind the next boundary is to be dropped.
    #[must_use]
    pub fn ends_segment(&self) -> bool {
        self.0.load(Ordering::SeqCst) == END_SEGMENT
    }

    /// Whether everything is to be dropped.
    #[must_use]
    pub fn is_aborted(&self) -> bool {
        self.0.load(Ordering::SeqCst) == ABORT
    }
}
