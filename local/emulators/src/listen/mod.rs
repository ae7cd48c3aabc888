//! The HTTP/1.1 front that all stand-ins share: loopback listeners that can fail in every way while the service behind
//! them keeps its state. Must not know any protocol above HTTP.
//!
//! A service has one listener of its own and may have *secondary listeners*: more of them for the same service, each with failures
//! of its own. Who is given a listener of its own can be cut off alone.

mod answer;
mod faults;
mod pace;
mod paced;
mod shared;

pub use faults::Faults;

use crate::fault::Failure;
use crate::ports::{PortError, Reserved};
use axum::body::Body;
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode};
use std::net::SocketAddr;
use std::sync::Arc;
use thiserror::Error;

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

    /// What it says when it is made to fail, in its own protocol's words.
    fn fail(&self, failure: Failure) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = match failure {
            Failure::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Failure::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Failure::Throttle => StatusCode::TOO_MANY_REQUESTS,
        };
        response
    }
}

/// A running (or stopped) listener. Dropping it closes the port and every connection soon; to listen on the same port
/// again at once, wait for [`Faults::stop`] first.
#[derive(Debug)]
pub struct Server {
    faults: Faults,
}

impl Server {
    /// Listens on `port` (0: any free one); `name` is used in errors and log lines.
    pub fn start(name: &str, port: u16, handler: Arc<dyn Handler>) -> Result<Self, ListenError> {
        let faults = Faults::new(name, Reserved::take(port, name)?, handler, None);
        faults.start()?;
        Ok(Self { faults })
    }

    /// Another way in to the same service. Failures of the service itself are felt here, too; those of the secondary listener only
    /// here.
    pub fn secondary(&self, name: &str, port: u16) -> Result<Self, ListenError> {
        let faults = self.faults.secondary(name, Reserved::take(port, name)?);
        faults.start()?;
        Ok(Self { faults })
    }

    /// Where it listens, also while it is stopped.
    pub fn addr(&self) -> SocketAddr {
        self.faults.addr()
    }

    /// The handle that fails and counts.
    pub fn faults(&self) -> Faults {
        self.faults.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.faults.abandon();
    }
}
