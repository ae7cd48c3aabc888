//! The first words of a connection: up to the publish request, or to the reason why there is none.

use std::net::SocketAddr;

use headwater_domain::ports::Hooks;
use headwater_rtmp::{ErrorKind, Event, PublishRequest, ServerSession, SessionConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};

use super::context::Context;
use super::notices::{Notice, Notices};
use super::wire::{Wire, WireError};

/// An encoder has come to the port for TLS without TLS: its connect command is answered with that.
pub async fn turn_to_tls<H, S>(socket: S, peer: SocketAddr, deadline: Instant, context: &Context<H>)
where
    H: Hooks + 'static,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut config = SessionConfig::new(random());
    config.wants_tls = true;
    let mut wire = Wire::new(socket, ServerSession::new(config), &context.limits);
    if let Ok(Err(error)) = timeout_at(deadline, greet(&mut wire)).await {
        log_failure(peer, &error, &context.notices);
    }
    wire.close().await;
}

/// Random bytes for a handshake.
pub fn random() -> [u8; 1_528] {
    let mut random = [0; 1_528];
    rand::fill(&mut random);
    random
}

/// Reads until the encoder asks to publish.
pub async fn greet<S: AsyncRead + AsyncWrite + Unpin>(
    wire: &mut Wire<S>,
) -> Result<PublishRequest, WireError> {
    loop {
        // Broken behind the request is broken: nothing it sends would be heard any more.
        wire.read().await?;
        while let Some(event) = wire.rtmp.poll_event() {
            if let Event::PublishRequested(request) = event {
                return Ok(request);
            }
        }
        wire.flush().await?;
    }
}

/// Writes down why a connection ended that never published.
pub fn log_failure(peer: SocketAddr, error: &WireError, notices: &Notices) {
    match error {
        // Load balancers and scanners, many times a minute.
        WireError::Closed | WireError::Io(_) => tracing::debug!(%peer, "closed: {error}"),
        WireError::Protocol(error) if error.kind() == ErrorKind::NotRtmp => {
            if let Some(withheld) = notices.take(Notice::Foreign) {
                tracing::info!(%peer, withheld, "closed: {error}");
            }
        }
        _ => {
            if let Some(withheld) = notices.take(Notice::Closed) {
                tracing::info!(%peer, withheld, "closed: {error}");
            }
        }
    }
}
