//! What the connections of one listener share: its handler, and what is wrong with it. Must not know who makes trouble.

use super::Handler;
use super::pace::Pace;
use crate::fault::{Failure, Rate};
use crate::random::hits;
use fastrand::Rng;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::sync::watch;

/// What connections of one listener need.
pub(super) struct Shared {
    pub(super) name: String,
    pub(super) handler: Arc<dyn Handler>,
    pub(super) requests: AtomicU64,
    pub(super) trouble: watch::Sender<Trouble>,
    rng: Mutex<Rng>,
    /// The service's own listener, if this is a secondary listener.
    behind: Option<Arc<Shared>>,
}

/// What is wrong with the answers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Trouble {
    pub(super) frozen: bool,
    pub(super) mute: bool,
    pub(super) resetting: bool,
    pub(super) latency: Duration,
    pub(super) drip: Option<Duration>,
    pub(super) bandwidth: Option<u64>,
    pub(super) failing: Option<(Rate, Failure, u64)>,
}

impl Shared {
    pub(super) fn new(name: &str, handler: Arc<dyn Handler>, behind: Option<Arc<Shared>>) -> Self {
        let trouble = watch::Sender::new(Trouble::default());
        let (requests, rng) = (AtomicU64::new(0), Mutex::new(Rng::with_seed(0)));
        Self { name: name.to_owned(), handler, requests, trouble, rng, behind }
    }

    pub(super) fn seed_with(&self, rng: Rng) {
        *self.rng.lock() = rng;
    }

    /// This listener, then the service's own if this is a secondary listener.
    pub(super) fn all(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |shared| shared.behind.as_deref())
    }

    /// Waits out freeze and latency; the error, if this request is to have one.
    pub(super) async fn suffer(&self) -> Option<Failure> {
        self.thawed().await;
        let Trouble { latency, failing, .. } = *self.trouble.borrow();
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let (rate, with, _) = failing?;
        hits(&mut self.rng.lock(), rate.share()).then_some(with)
    }

    async fn thawed(&self) {
        // The sender is part of ourselves, so this cannot fail.
        let _ = self.trouble.subscribe().wait_for(|trouble| !trouble.frozen).await;
    }

    /// Waits until it may say what it has done.
    pub(super) async fn speaks(&self) {
        let _ = self.trouble.subscribe().wait_for(|trouble| !trouble.frozen && !trouble.mute).await;
    }

    /// Whether connections are reset now.
    pub(super) fn resets(&self) -> bool {
        self.all().any(|level| level.trouble.borrow().resetting)
    }

    /// How fast bytes may leave now, if that is bounded; the slowest of what is asked for.
    pub(super) fn pace_out(&self) -> Option<Pace> {
        let drips = self.all().filter_map(|level| level.trouble.borrow().drip.map(Pace::drip));
        drips.chain(self.pace_in()).max_by_key(|pace| pace.time_of_a_byte())
    }

    /// How fast bytes may come.
    pub(super) fn pace_in(&self) -> Option<Pace> {
        let narrow = self.all().filter_map(|level| level.trouble.borrow().bandwidth.map(Pace::bandwidth));
        narrow.max_by_key(|pace| pace.time_of_a_byte())
    }
}
