//! What this function's process remembers of attempts to publish, so that guesses at keys cost no reads, and denials no
//! flood of log lines.
//!
//! A deployment has as many of these as it has instances of the function; the gateways, which count by themselves, are in
//! front of all of them. Guesses come in through gateways only, so no more is shared than that.

use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use headwater_domain::Timestamp;
use headwater_domain::hooks::{PublishAnswer, PublishRequest};
use headwater_domain::key::StreamKey;
use headwater_domain::key_attempts::{Attempt, KeyAttemptLimiter, TooMany};
use headwater_domain::rate_limit::RateLimit;
use parking_lot::{Mutex, MutexGuard};

/// Lines about denied publishers in each [`LINES_WINDOW`].
const MAX_LINES: u32 = 20;
/// What they are counted over.
const LINES_WINDOW: Duration = Duration::from_secs(10);

/// What this process remembers of attempts to publish.
#[derive(Debug, Clone)]
pub struct PublishGuard(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    guard: Mutex<KeyAttemptLimiter>,
    lines: Mutex<RateLimit>,
    hasher: RandomState,
}

impl Default for PublishGuard {
    fn default() -> Self {
        let (guard, lines) = (Mutex::default(), Mutex::new(RateLimit::new(MAX_LINES, LINES_WINDOW)));
        Self(Arc::new(Inner { guard, lines, hasher: RandomState::new() }))
    }
}

impl PublishGuard {
    fn guard(&self) -> MutexGuard<'_, KeyAttemptLimiter> {
        self.0.guard.lock()
    }

    /// The attempt that a request is; `key` if what was sent is one.
    pub(super) fn attempt(&self, request: &PublishRequest, key: Option<&StreamKey>) -> Attempt {
        Attempt {
            address: request.address.parse().ok().map(|address: SocketAddr| address.ip().into()),
            key: key.map(Attempt::names),
            fingerprint: self.0.hasher.hash_one(request.key.expose()),
        }
    }

    /// Counts the attempt, if it may be made.
    pub(super) fn begin(&self, attempt: &Attempt, now: Timestamp) -> Result<(), TooMany> {
        self.guard().begin(attempt, now)
    }

    /// What came of the attempt.
    pub(super) fn note(&self, attempt: &Attempt, answer: &PublishAnswer) {
        match answer {
            PublishAnswer::Deny { kind, .. } if !kind.proves_key() => self.guard().wrong(attempt),
            _ => self.guard().right(attempt),
        }
    }

    /// Whether a line may be written about a denied publisher: how many were not since the last one.
    pub(super) fn may_tell(&self, now: Timestamp) -> Option<u64> {
        self.0.lines.lock().take(now)
    }
}
