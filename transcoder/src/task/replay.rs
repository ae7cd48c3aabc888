//! What was read of a run, shared by whoever reads it and whoever writes the timeline.

use std::sync::Arc;

use headwater_task::{Replay, ReplayBuffer};
use parking_lot::{Mutex, MutexGuard};

/// A [`ReplayBuffer`] of one run.
#[derive(Debug, Clone)]
pub(super) struct SharedReplay(Arc<Mutex<ReplayBuffer>>);

impl SharedReplay {
    pub(super) fn new(first: u64, written: u64) -> Self {
        Self(Arc::new(Mutex::new(ReplayBuffer::new(first, written))))
    }

    pub(super) fn push(&self, bytes: &[u8]) {
        self.lock().push(bytes);
    }

    pub(super) fn written(&self, cursor: u64) {
        self.lock().written(cursor);
    }

    pub(super) fn rest(&self) -> Option<(u64, Replay)> {
        self.lock().rest()
    }

    fn lock(&self) -> MutexGuard<'_, ReplayBuffer> {
        self.0.lock()
    }
}
