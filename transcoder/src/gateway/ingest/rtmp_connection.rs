//! A publisher's socket and the protocol session that is driven with it: bytes in, bytes out, with time limits.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::mem::take;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use headwater_rtmp::{Phase, ServerSession, SessionError};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

use crate::gateway::limits::Limits;
use crate::gateway::net::socket::Pollable;

/// Read buffer. At 3 Mbit/s a read brings one picture (12 KiB); a fast sender should need few reads.
const READ_BYTES: usize = 64 * 1024;

/// Answers that a publisher does not read, bytes. What repeats itself is left out long before; of other answers nobody asks
/// for so many.
const MAX_UNSENT: usize = 64 * 1024;

thread_local! {
    /// What has been read goes to the protocol before anything else is read, so all connections of a thread can share a
    /// buffer. It stays in the processor's cache, and a connection costs that much less.
    static INPUT: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

/// The connection is of no more use.
#[derive(Debug, Error)]
pub enum ConnectionError {
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

/// A socket and its protocol session.
#[derive(Debug)]
pub struct RtmpConnection<S> {
    socket: S,
    /// The protocol.
    pub rtmp: ServerSession,
    /// What the socket has not taken of it: the rest of a message.
    unsent: Bytes,
    write_timeout: Duration,
    linger: Duration,
}

impl<S: AsyncRead + AsyncWrite + Unpin> RtmpConnection<S> {
    /// Drives `rtmp` with `socket`.
    pub fn new(socket: S, rtmp: ServerSession, limits: &Limits) -> Self {
        Self {
            socket,
            rtmp,
            unsent: Bytes::new(),
            write_timeout: limits.write_timeout,
            linger: limits.linger,
        }
    }

    /// Reads once and hands what came to the protocol; answers how many bytes. Events are to be polled even after a
    /// protocol error. Cancel-safe.
    pub async fn read(&mut self) -> Result<usize, ConnectionError> {
        poll_fn(|context| self.poll_input(context, |rtmp, input| Ok(rtmp.receive(input)?))).await
    }

    fn poll_input(
        &mut self,
        context: &mut Context<'_>,
        hand_on: impl FnOnce(&mut ServerSession, &[u8]) -> Result<(), ConnectionError>,
    ) -> Poll<Result<usize, ConnectionError>> {
        INPUT.with_borrow_mut(|input| {
            let mut input = ReadBuf::new(input);
            ready!(Pin::new(&mut self.socket).poll_read(context, &mut input))?;
            let input = input.filled();
            if input.is_empty() {
                return Poll::Ready(Err(ConnectionError::Closed));
            }
            hand_on(&mut self.rtmp, input)?;
            Poll::Ready(Ok(input.len()))
        })
    }

    /// Writes as much of what the protocol has to say as the socket takes at once. A publisher that never reads
    /// (librtmp's `rtmpsink`) fills its window with our acknowledgements within hours, and goes on publishing.
    pub fn offer(&mut self) -> Result<(), ConnectionError> {
        while let Some(bytes) = self.next_output() {
            match self.socket.write(&bytes).now_or_never() {
                Some(Ok(0)) => return Err(ConnectionError::Closed),
                Some(count) => self.unsent = bytes.slice(count?..),
                None => {
                    self.unsent = bytes;
                    break;
                }
            }
        }
        if self.rtmp.output_waiting() > MAX_UNSENT {
            return Err(ConnectionError::Stuck);
        }
        // TLS keeps what the peer does not take, and offers it with the next write.
        self.socket.flush().now_or_never().transpose()?;
        Ok(())
    }

    fn next_output(&mut self) -> Option<Bytes> {
        Some(take(&mut self.unsent)).filter(|unsent| !unsent.is_empty()).or_else(|| self.rtmp.poll_output())
    }

    /// Writes what the protocol has to say.
    pub async fn flush(&mut self) -> Result<(), ConnectionError> {
        while let Some(bytes) = self.next_output() {
            timeout(self.write_timeout, self.socket.write_all(&bytes))
                .await
                .map_err(|_| ConnectionError::Stuck)??;
        }
        // TCP has nothing to flush. TLS has: it takes what the peer does not, and would wait for it for ever.
        let flushed = timeout(self.write_timeout, self.socket.flush()).await;
        Ok(flushed.map_err(|_| ConnectionError::Stuck)??)
    }

    /// Sends what is left to send and closes. A peer that never spoke RTMP is cut off at once.
    pub async fn close(mut self) {
        let spoke = self.rtmp.phase() != Phase::Handshake && self.rtmp.client().is_some();
        if self.flush().await.is_err() || !spoke {
            return;
        }
        // The peer is to close first: GStreamer takes it for an error if we do, and closing with unread input would
        // reset the connection, so that the reason might be lost on its way.
        let (linger, write_timeout) = (self.linger, self.write_timeout);
        let drained =
            async { while poll_fn(|context| self.poll_input(context, |_, _| Ok(()))).await.is_ok() {} };
        // Whoever does not close by itself in time is cut off.
        let _ = timeout(linger, drained).await;
        let _ = timeout(write_timeout, self.socket.shutdown()).await;
    }
}

impl<S: Pollable> RtmpConnection<S> {
    /// For a publisher: its socket is looked at from time to time.
    pub fn pace(&mut self) -> io::Result<()> {
        self.socket.pace()
    }
}
