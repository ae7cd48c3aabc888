//! Asking a run to stop, from any thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const RUNNING: u8 = 0;
const FINISH: u8 = 1;
const ABORT: u8 = 2;

/// Shared flag; clones ask the same run. A waiting reader must return `Interrupted` for it to be noticed.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicU8>);

impl Cancel {
    /// Nothing asked.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Stop reading, emit what is complete and the open segment as a short one, end (SIGTERM).
    pub fn finish(&self) {
        self.0.fetch_max(FINISH, Ordering::SeqCst);
    }

    /// Drop everything at once (fenced).
    pub fn abort(&self) {
        self.0.fetch_max(ABORT, Ordering::SeqCst);
    }

    /// Whether either was asked.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst) != RUNNING
    }

    /// Whether everything is to be dropped.
    #[must_use]
    pub fn is_aborted(&self) -> bool {
        self.0.load(Ordering::SeqCst) == ABORT
    }
}
