//! The HTTP/1.1 front that all stand-ins share: one loopback listener that can be stopped and started while the
//! service behind it keeps its state. Must not know any protocol above HTTP.

use crate::ports::{PortError, Reserved};
use axum::body::Body;
use futures::future::BoxFuture;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Why a listener could not be opened.
#[derive(Debug, Error)]
pub enum ListenError {
    /// The port is not to be had.
    #[error(transparent)]
    Port(#[from] PortError),
    /// A reserved port refused to listen.
    #[error("cannot listen on {addr}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
}

/// What a service does with one request.
pub trait Handler: Send + Sync + 'static {
    /// Answers `request`, which came from `peer`. The future is dropped when the client goes away.
    fn handle(
        self: Arc<Self>,
        request: Request<Body>,
        peer: SocketAddr,
    ) -> BoxFuture<'static, Response<Body>>;
}

/// A running (or stopped) listener. Dropping it closes the port and every connection soon; to listen on the same port
/// again at once, wait for [`Faults::stop`] first.
#[derive(Debug)]
pub struct Server {
    faults: Faults,
}

/// A hand on one service's failures. Cheap to clone; works from any task.
#[derive(Clone)]
pub struct Faults {
    shared: Arc<Shared>,
}

struct Shared {
    name: String,
    port: Reserved,
    handler: Arc<dyn Handler>,
    up: watch::Sender<bool>,
    requests: AtomicU64,
    latency: Mutex<Duration>,
    running: Mutex<Option<Running>>,
}

struct Running {
    cancel: CancellationToken,
    tasks: TaskTracker,
}

impl Server {
    /// Listens on `port` (0: any free one); `name` is used in errors and log lines.
    pub fn start(name: &str, port: u16, handler: Arc<dyn Handler>) -> Result<Self, ListenError> {
        Self::on(name, Reserved::take(port, name)?, handler)
    }

    /// Listens on a port that is already reserved.
    pub fn on(name: &str, port: Reserved, handler: Arc<dyn Handler>) -> Result<Self, ListenError> {
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            port,
            handler,
            up: watch::Sender::new(false),
            requests: AtomicU64::new(0),
            latency: Mutex::new(Duration::ZERO),
            running: Mutex::new(None),
        });
        let faults = Faults { shared };
        faults.start()?;
        Ok(Self { faults })
    }

    /// Where it listens, also while it is stopped.
    pub fn addr(&self) -> SocketAddr {
        self.faults.shared.port.addr()
    }

    /// The handle that stops, starts, slows and counts.
    pub fn faults(&self) -> Faults {
        self.faults.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(running) = self.faults.take_running() {
            running.cancel.cancel();
        }
    }
}

impl Faults {
    /// Closes the listener and drops every connection; returns when both are gone. Clients are refused from then on.
    pub async fn stop(&self) {
        if let Some(running) = self.take_running() {
            running.cancel.cancel();
            running.tasks.wait().await;
        }
    }

    /// Listens again on the same port; nothing happens if it does already.
    pub fn start(&self) -> Result<(), ListenError> {
        let mut slot = self.shared.running.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_some() {
            return Ok(());
        }
        let addr = self.shared.port.addr();
        let listener = self.shared.port.listen().map_err(|source| ListenError::Listen { addr, source })?;
        let running = Running { cancel: CancellationToken::new(), tasks: TaskTracker::new() };
        let accept = accept(self.shared.clone(), listener, running.cancel.clone(), running.tasks.clone());
        running.tasks.spawn(running.cancel.clone().run_until_cancelled_owned(accept));
        running.tasks.close();
        *slot = Some(running);
        self.shared.up.send_replace(true);
        Ok(())
    }

    /// Whether the service refuses connections now.
    pub fn is_stopped(&self) -> bool {
        !*self.shared.up.borrow()
    }

    /// Follows `true` (up) and `false` (stopped).
    pub fn watch(&self) -> watch::Receiver<bool> {
        self.shared.up.subscribe()
    }

    /// Requests taken since the start.
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// Delays every answer from now on.
    pub fn set_latency(&self, latency: Duration) {
        *self.shared.latency.lock().unwrap_or_else(PoisonError::into_inner) = latency;
    }

    fn take_running(&self) -> Option<Running> {
        let running = self.shared.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if running.is_some() {
            self.shared.up.send_replace(false);
        }
        running
    }
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Faults({} on {})", self.shared.name, self.shared.port.addr())
    }
}

async fn accept(shared: Arc<Shared>, listener: TcpListener, cancel: CancellationToken, tasks: TaskTracker) {
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
        let shared = shared.clone();
        let service = service_fn(move |request: Request<Incoming>| answer(shared.clone(), request, peer));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tasks.spawn(cancel.clone().run_until_cancelled_owned(connection));
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Result<Response<Body>, Infallible> {
    shared.requests.fetch_add(1, Ordering::Relaxed);
    let latency = *shared.latency.lock().unwrap_or_else(PoisonError::into_inner);
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    Ok(shared.handler.clone().handle(request.map(Body::new), peer).await)
}
