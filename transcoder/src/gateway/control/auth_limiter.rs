//! Who may ask the control plane: a bounded number at a time, and nobody who guesses at keys.
//!
//! It knows keys only as hashes that are worth nothing outside this process.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

use headwater_domain::ClockReader;
use headwater_domain::hooks::PublishAnswer;
use headwater_domain::key::StreamKey;
use headwater_domain::key_attempts::{Attempt, KeyAttemptLimiter, TooMany};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Duration, timeout};

/// Limits attempts to publish, and questions to the control plane.
#[derive(Debug)]
pub struct AuthLimiter {
    guard: Mutex<KeyAttemptLimiter>,
    turns: Semaphore,
    hasher: RandomState,
    clock: ClockReader,
}

impl AuthLimiter {
    /// Lets `most` ask at a time.
    pub fn new(most: usize, clock: ClockReader) -> Self {
        Self { guard: Mutex::default(), turns: Semaphore::new(most), hasher: RandomState::new(), clock }
    }

    fn guard(&self) -> MutexGuard<'_, KeyAttemptLimiter> {
        self.guard.lock()
    }

    /// An attempt from `address` with what `sent` is, a stream key if it is one.
    pub fn attempt(&self, address: IpAddr, sent: &str, key: Option<&StreamKey>) -> Attempt {
        let key = key.map(Attempt::names);
        Attempt { address: Some(address.into()), key, fingerprint: self.hasher.hash_one(sent) }
    }

    /// Counts the attempt, if it may be made.
    pub fn begin(&self, attempt: &Attempt) -> Result<(), TooMany> {
        self.guard().begin(attempt, (self.clock)())
    }

    /// Takes a turn to ask, until the answer is dropped; `None` if none comes within `limit`.
    pub async fn turn(&self, limit: Duration) -> Option<SemaphorePermit<'_>> {
        timeout(limit, self.turns.acquire()).await.ok()?.ok()
    }

    /// What came of the attempt. No answer proves nothing, so it goes on counting.
    pub fn note(&self, attempt: &Attempt, answer: &PublishAnswer) {
        match answer {
            PublishAnswer::Allow { .. } => self.guard().right(attempt),
            PublishAnswer::Deny { kind, .. } if kind.proves_key() => self.guard().right(attempt),
            PublishAnswer::Deny { .. } => self.guard().wrong(attempt),
        }
    }
}
