//! How much all spools hold together. It counts; who has to give way is decided by the registry.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes held by all spools.
#[derive(Debug, Clone, Default)]
pub struct Budget(Arc<AtomicU64>);

impl Budget {
    /// What is held now.
    pub fn held(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// A spool's part of it.
    pub fn share(&self) -> Share {
        Share { total: self.clone(), held: 0 }
    }
}

/// What one spool holds; gives it back when dropped.
#[derive(Debug)]
pub struct Share {
    total: Budget,
    held: u64,
}

impl Share {
    /// What it holds.
    pub fn held(&self) -> u64 {
        self.held
    }

    /// It holds `bytes` now.
    pub fn set(&mut self, bytes: u64) {
        // Wrapping: a difference may be negative, the sum never is.
        self.total.0.fetch_add(bytes.wrapping_sub(self.held), Ordering::Relaxed);
        self.held = bytes;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}
