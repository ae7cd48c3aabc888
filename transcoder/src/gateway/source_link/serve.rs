//! Serves the source link's routes on a listener.

use std::time::Duration;

use axum::Router;
use headwater_domain::ClockReader;
use headwater_domain::rate_limit::RateLimit;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::pin;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::gateway::log_throttle::{MAX_LINES, WINDOW};
use crate::gateway::net::accept::accept;

/// For a request's head. Transcoders send theirs at once.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections at a time: each of 500 sessions has a reader and now and then a commit, twice while a transcoder is
/// replaced. Beyond it new ones are closed at once.
const MAX_CONNECTIONS: usize = 2_500;
/// Longest head of a request, bytes; ours have 300.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// For connections to end by themselves when the gateway leaves; what is worth waiting for was waited for before.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Serves until `stop`.
pub async fn serve_until(listener: TcpListener, router: Router, clock: ClockReader, stop: CancellationToken) {
    let connections = TaskTracker::new();
    let mut log_throttle = RateLimit::new(MAX_LINES, WINDOW);
    while let Some((socket, peer)) = accept(&listener, &stop).await {
        if connections.len() >= MAX_CONNECTIONS {
            if let Some(withheld) = log_throttle.take(clock()) {
                tracing::warn!(%peer, withheld, "source link refused: too many connections");
            }
            continue;
        }
        connections.spawn(serve(socket, router.clone(), stop.clone()));
    }
    connections.close();
    connections.wait().await;
}

async fn serve(socket: TcpStream, router: Router, stop: CancellationToken) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(socket), TowerToHyperService::new(router));
    pin!(connection);
    let served = match stop.run_until_cancelled(connection.as_mut()).await {
        Some(served) => served,
        None => {
            connection.as_mut().graceful_shutdown();
            timeout(CLOSE_TIMEOUT, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "source connection ended");
    }
}
