//! Takes connections from encoders, in the clear or over TLS, and gives each its task.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use headwater_domain::ports::Hooks;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;

use super::connection;
use super::handshake;
use crate::gateway::context::Context;
use crate::gateway::log_throttle::ThrottledLine;
use crate::gateway::net::accept::accept;
use crate::gateway::net::socket::{Socket, Ticks};

/// First byte of a connection in plain RTMP (RTMP §5.2.2). No TLS record has that type.
const RTMP_VERSION: u8 = 3;

/// Takes encoders until the gateway leaves.
pub async fn take_encoders<H: Hooks + 'static>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    ticks: Ticks,
    context: Arc<Context<H>>,
) {
    while let Some((socket, peer)) = accept(&listener, &context.leaving).await {
        let permit = match context.connection_limiter.enter(peer.ip()) {
            Ok(permit) => permit,
            Err(full) => {
                if let Some(withheld) = context.log_throttle.take(ThrottledLine::Full) {
                    tracing::info!(%peer, withheld, "connection refused: {full}");
                }
                continue;
            }
        };
        let (tls, context) = (tls.clone(), context.clone());
        let socket = Socket::new(socket, ticks);
        let tracker = context.connections.clone();
        tracker.spawn(async move {
            let deadline = Instant::now() + context.limits.handshake_timeout;
            match tls {
                None => connection::serve(socket, peer, deadline, &context).await,
                Some(tls) => serve_tls(socket, tls, peer, deadline, &context).await,
            }
            drop(permit);
        });
    }
}

async fn serve_tls<H: Hooks + 'static>(
    socket: Socket,
    tls: TlsAcceptor,
    peer: SocketAddr,
    deadline: Instant,
    context: &Context<H>,
) {
    if let Ok(Ok(Some(RTMP_VERSION))) = timeout_at(deadline, socket.first_byte()).await {
        return handshake::turn_to_tls(socket, peer, deadline, context).await;
    }
    match timeout_at(deadline, tls.accept(socket)).await {
        Ok(Ok(socket)) => connection::serve(socket, peer, deadline, context).await,
        Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
            if let Some(withheld) = context.log_throttle.take(ThrottledLine::Foreign) {
                tracing::info!(%peer, withheld, "connection closed: no TLS on the port for TLS: {error}");
            }
        }
        // Load balancers, whose checks say nothing.
        Ok(Err(error)) => tracing::debug!(%peer, %error, "no tls"),
        Err(_) => {
            if let Some(withheld) = context.log_throttle.take(ThrottledLine::Closed) {
                tracing::info!(%peer, withheld, "connection closed: TLS handshake took too long");
            }
        }
    }
}
