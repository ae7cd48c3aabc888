//! API Gateway v2 (HTTP API) of one region, as far as Lambda proxy integrations with payload 2.0 go: routes,
//! authorizers, limits, and the statuses callers see when something behind it fails. Must not know what the
//! functions do.

mod access_log;
mod authorizer;
mod config;
mod cors;
mod event;
mod front;
mod response;
mod routes;
mod sigv4;
mod throttle;

pub use access_log::LogError;
pub use config::{Authorizer, Cors, HttpApiConfig, Route, Throttle};
pub use routes::RouteError;

use crate::lambda::Lambda;
use crate::listen::{Faults, ListenError, Server};
use access_log::AccessLog;
use front::ApiFront;
use routes::Routes;
use std::net::SocketAddr;
use std::sync::Arc;
use thiserror::Error;

/// Why the API could not be started.
#[derive(Debug, Error)]
pub enum HttpApiError {
    /// The listener.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A route.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// The access log.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// A running HTTP API. Dropping it closes the listener.
#[derive(Debug)]
pub struct HttpApi {
    server: Server,
}

impl HttpApi {
    /// Listens, and invokes functions of `lambda`.
    pub fn start(config: HttpApiConfig, lambda: Lambda) -> Result<Self, HttpApiError> {
        let routes = Routes::new(&config.routes)?;
        let log = AccessLog::open(&config.access_log)?;
        let (name, port) = (format!("http api {}", config.region), config.port);
        let server = Server::start(&name, port, Arc::new(ApiFront::new(config, routes, lambda, log)))?;
        Ok(Self { server })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// Refuses connections from now on. `faults().start()` undoes it.
    pub async fn stop(&self) {
        self.server.faults().stop().await;
    }

    /// Makes it fail, and counts.
    pub fn faults(&self) -> Faults {
        self.server.faults()
    }

    /// Another listener, on `port` (0: any free one), that can be cut off alone.
    pub fn secondary(&self, name: &str, port: u16) -> Result<Server, ListenError> {
        self.server.secondary(name, port)
    }
}
