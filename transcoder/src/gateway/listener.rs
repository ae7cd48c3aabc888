//! Takes connections from encoders, in the clear or over TLS, and gives each its task.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use headwater_domain::ports::Hooks;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::connection;
use super::context::Context;
use super::error::GatewayError;
use super::handshake;
use super::log_throttle::ThrottledLine;
use super::socket::{Socket, Ticks};

/// Pause when the system has no descriptor or memory for another connection; it will not have one at once.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);

/// First byte of a connection in plain RTMP (RTMP §5.2.2). No TLS record has that type.
const RTMP_VERSION: u8 = 3;

/// Listens on `address`, and says where that is.
pub async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), GatewayError> {
    let failed = |source| GatewayError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// The next connection; `None` when `stop` is cancelled.
pub async fn accept(listener: &TcpListener, stop: &CancellationToken) -> Option<(TcpStream, SocketAddr)> {
    loop {
        match stop.run_until_cancelled(listener.accept()).await? {
            Ok((socket, peer)) => {
                // Without it small writes wait for the peer's acknowledgement (Nagle).
                if socket.set_nodelay(true).is_ok() {
                    return Some((socket, peer));
                }
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections");
                sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

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
