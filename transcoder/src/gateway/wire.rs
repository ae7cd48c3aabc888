//! A publisher's socket and the protocol session that is driven with it: bytes in, bytes out, with time limits.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use headwater_rtmp::{Phase, ServerSession, SessionError};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::config::Limits;

/// Read buffer. At 3 Mbit/s a read brings one picture (12 KiB); a fast sender should need few reads.
const READ_BYTES: usize = 64 * 1024;

/// The connection is of no more use.
#[derive(Debug, Error)]
pub enum WireError {
    /// The peer closed it.
    #[error("encoder closed the connection")]
    Closed,
    /// It broke.
    #[error("connection broke: {}", .0.kind())]
    Io(#[from] io::Error),
    /// The peer does not read.
    #[error("encoder does not read")]
    Stuck,
    /// The peer does not speak RTMP as it should.
    #[error(transparent)]
    Protocol(#[from] SessionError),
}

/// See the module.
#[derive(Debug)]
pub struct Wire<S> {
    socket: S,
    /// The protocol.
    pub rtmp: ServerSession,
    input: BytesMut,
    write_timeout: Duration,
    linger: Duration,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Drives `rtmp` with `socket`.
    pub fn new(socket: S, rtmp: ServerSession, limits: &Limits) -> Self {
        Self {
            socket,
            rtmp,
            input: BytesMut::with_capacity(READ_BYTES),
            write_timeout: limits.write_timeout,
            linger: limits.linger,
        }
    }

    /// Reads once and hands what came to the protocol; answers how many bytes. Events are to be polled even after a
    /// protocol error. Cancel-safe.
    pub async fn read(&mut self) -> Result<usize, WireError> {
        self.input.clear();
        self.input.reserve(READ_BYTES);
        let count = self.socket.read_buf(&mut self.input).await?;
        if count == 0 {
            return Err(WireError::Closed);
        }
        self.rtmp.receive(&self.input)?;
        Ok(count)
    }

    /// Writes what the protocol has to say.
    pub async fn flush(&mut self) -> Result<(), WireError> {
        while let Some(bytes) = self.rtmp.poll_output() {
            timeout(self.write_timeout, self.socket.write_all(&bytes))
                .await
                .map_err(|_| WireError::Stuck)??;
        }
        // TLS buffers; TCP has nothing to flush.
        Ok(self.socket.flush().await?)
    }

    /// Says the last words and closes. A peer that never spoke RTMP is cut off at once.
    pub async fn close(mut self) {
        let spoke = self.rtmp.phase() != Phase::Handshake && self.rtmp.client().is_some();
        if self.flush().await.is_err() || !spoke {
            return;
        }
        // The peer is to close first: GStreamer takes it for an error if we do, and closing with unread input would
        // reset the connection, so that the reason might be lost on its way.
        let drained = async {
            loop {
                self.input.clear();
                self.input.reserve(READ_BYTES);
                if self.socket.read_buf(&mut self.input).await? == 0 {
                    return Ok::<_, io::Error>(());
                }
            }
        };
        // Whoever does not close by itself in time is cut off.
        let _ = timeout(self.linger, drained).await;
        let _ = timeout(self.write_timeout, self.socket.shutdown()).await;
    }
}
