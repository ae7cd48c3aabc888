//! Takes connections and answers their requests, or does not, as the listener's troubles are. Must not know who makes
//! trouble.

use super::Handler;
use super::paced::{Pace, Paced};
use crate::fault::{Failure, Rate};
use crate::ports::Listener;
use crate::random::Rng;
use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

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
        let (requests, rng) = (AtomicU64::new(0), Mutex::new(Rng::new(0)));
        Self { name: name.to_owned(), handler, requests, trouble, rng, behind }
    }

    pub(super) fn seed_with(&self, rng: Rng) {
        *self.rng.lock().unwrap_or_else(PoisonError::into_inner) = rng;
    }

    /// This listener, then the service's own if this is a secondary listener.
    fn all(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |shared| shared.behind.as_deref())
    }

    /// Waits out freeze and latency; the error, if this request is to have one.
    async fn suffer(&self) -> Option<Failure> {
        self.thawed().await;
        let Trouble { latency, failing, .. } = *self.trouble.borrow();
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let (rate, with, _) = failing?;
        self.rng.lock().unwrap_or_else(PoisonError::into_inner).hits(rate.share()).then_some(with)
    }

    async fn thawed(&self) {
        // The sender is part of ourselves, so this cannot fail.
        let _ = self.trouble.subscribe().wait_for(|trouble| !trouble.frozen).await;
    }

    /// Waits until it may say what it has done.
    async fn speaks(&self) {
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

/// Instead of an answer the connection breaks.
#[derive(Debug, thiserror::Error)]
#[error("the connection is to be reset")]
struct Reset;

pub(super) async fn accept(
    shared: Arc<Shared>,
    listener: Listener,
    cancel: CancellationToken,
    tasks: TaskTracker,
) {
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(service = shared.name, %error, "cannot accept");
                // Out of file descriptors most likely; without a pause this would spin until one is free.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Answers are small and latency is measured; Nagle would add 40 ms to some of them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(service = shared.name, %error, "cannot set TCP_NODELAY");
        }
        let (shared, io) = (shared.clone(), Paced::new(stream, shared.clone()));
        let service = service_fn(move |request: Request<Incoming>| answer(shared.clone(), request, peer));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(io), service);
        tasks.spawn(cancel.clone().run_until_cancelled_owned(connection));
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Result<Response<Body>, Reset> {
    for level in shared.all() {
        level.requests.fetch_add(1, Ordering::Relaxed);
        if let Some(failure) = level.suffer().await {
            drain(request.into_body()).await;
            return Ok(shared.handler.fail(failure));
        }
    }
    if shared.resets() {
        return Err(Reset);
    }
    let response = shared.handler.clone().handle(request.map(Body::new), peer).await;
    // A service that was frozen meanwhile does not answer either.
    for level in shared.all() {
        level.speaks().await;
    }
    Ok(response)
}

/// Reads what still comes: a client that is answered in the middle of its body sees a broken connection, not the answer.
async fn drain(mut body: Incoming) {
    while let Some(Ok(_)) = body.frame().await {}
}
