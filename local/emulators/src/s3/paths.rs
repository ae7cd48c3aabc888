//! One object is written by one request at a time, and not read meanwhile. The file store puts an object's bytes in
//! place before its headers, and checks `If-None-Match` before it writes; in S3 both are atomic. Must not know S3.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// Locks kept before those that nobody holds are forgotten.
const MAX_IDLE: usize = 1024;

/// The locks.
#[derive(Debug, Default)]
pub(super) struct Paths {
    locks: Mutex<HashMap<String, Arc<RwLock<()>>>>,
}

impl Paths {
    pub(super) async fn read(&self, path: &str) -> OwnedRwLockReadGuard<()> {
        self.lock(path).read_owned().await
    }

    pub(super) async fn write(&self, path: &str) -> OwnedRwLockWriteGuard<()> {
        self.lock(path).write_owned().await
    }

    fn lock(&self, path: &str) -> Arc<RwLock<()>> {
        let mut locks = self.locks.lock();
        if locks.len() > MAX_IDLE {
            locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        }
        locks.entry(path.to_owned()).or_default().clone()
    }
}
