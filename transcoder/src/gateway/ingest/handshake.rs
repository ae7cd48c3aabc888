//! The first words of a connection: up to the publish request, or to the reason why there is none.

use std::net::SocketAddr;

use headwater_domain::ports::Hooks;
use headwater_rtmp::{ErrorKind, Event, PublishRequest, ServerSession, SessionConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};

use super::rtmp_connection::{ConnectionError, RtmpConnection};
use crate::gateway::context::Context;
use crate::gateway::log_throttle::{LogThrottle, ThrottledLine};

/// An encoder has come to the port for TLS without TLS: its connect command is answered with that.
pub async fn turn_to_tls<H, S>(socket: S, peer: SocketAddr, deadline: Instant, context: &Context<H>)
where
    H: Hooks + 'static,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut config = SessionConfig::new(random());
    config.wants_tls = true;
    let mut connection = RtmpConnection::new(socket, ServerSession::new(config), &context.limits);
    if let Ok(Err(error)) = timeout_at(deadline, handshake(&mut connection)).await {
        log_failure(peer, &error, &context.log_throttle);
    }
    connection.close().await;
}

/// Random bytes for a handshake.
pub fn random() -> [u8; 1_528] {
    let mut random = [0; 1_528];
    rand::fill(&mut random);
    random
}

/// Reads until the encoder asks to publish.
pub async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    connection: &mut RtmpConnection<S>,
) -> Result<PublishRequest, ConnectionError> {
    loop {
        // Broken behind the request is broken: nothing it sends would be heard any more.
        connection.read().await?;
        while let Some(event) = connection.rtmp.poll_event() {
            if let Event::PublishRequested(request) = event {
                return Ok(request);
            }
        }
        connection.flush().await?;
    }
}

/// Writes down why a connection ended that never published.
pub fn log_failure(peer: SocketAddr, error: &ConnectionError, log_throttle: &LogThrottle) {
    match error {
        // Load balancers and scanners, many times a minute.
        ConnectionError::Closed | ConnectionError::Io(_) => {
            tracing::debug!(%peer, "connection closed: {error}")
        }
        ConnectionError::Protocol(error) if error.kind() == ErrorKind::NotRtmp => {
            if let Some(withheld) = log_throttle.take(ThrottledLine::Foreign) {
                tracing::info!(%peer, withheld, "connection closed: {error}");
            }
        }
        _ => {
            if let Some(withheld) = log_throttle.take(ThrottledLine::Closed) {
                tracing::info!(%peer, withheld, "connection closed: {error}");
            }
        }
    }
}
