//! Takes connections and answers their requests, or does not, as the listener's troubles are. Must not know who makes
//! trouble.

use super::paced::Paced;
use super::shared::Shared;
use crate::ports::Listener;
use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

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
