//! A connection whose bytes can be held back, or that ends in a reset. Must not know what they mean.

use super::pace::Pace;
use super::shared::Shared;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// A connection that is paced or reset as the faults of its listener say.
pub(super) struct Paced {
    stream: TcpStream,
    shared: Arc<Shared>,
    reading: Pause,
    writing: Pause,
}

/// Until when one direction rests.
#[derive(Default)]
struct Pause(Option<Pin<Box<Sleep>>>);

impl Pause {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(sleep) = &mut self.0 {
            ready!(sleep.as_mut().poll(context));
            self.0 = None;
        }
        Poll::Ready(())
    }

    fn begin(&mut self, pace: Pace) {
        self.0 = Some(Box::pin(sleep_until(Instant::now() + pace.every)));
    }
}

impl Paced {
    pub(super) fn new(stream: TcpStream, shared: Arc<Shared>) -> Self {
        Self { stream, shared, reading: Pause::default(), writing: Pause::default() }
    }
}

impl Drop for Paced {
    fn drop(&mut self) {
        if self.shared.resets() {
            // Closed with bytes that nobody may have: the peer gets RST (tcp(7), SO_LINGER). If not, it is closed all the same.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Paced {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { stream, shared, reading, .. } = self.get_mut();
        let Some(pace) = shared.pace_in() else { return Pin::new(stream).poll_read(context, buffer) };
        ready!(reading.poll(context));
        let room = buffer.remaining().min(pace.bytes);
        let mut some = ReadBuf::new(buffer.initialize_unfilled_to(room));
        ready!(Pin::new(stream).poll_read(context, &mut some))?;
        let count = some.filled().len();
        buffer.advance(count);
        reading.begin(pace);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Paced {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Self { stream, shared, writing, .. } = self.get_mut();
        let Some(pace) = shared.pace_out() else { return Pin::new(stream).poll_write(context, bytes) };
        ready!(writing.poll(context));
        let count = ready!(Pin::new(stream).poll_write(context, &bytes[..bytes.len().min(pace.bytes)]))?;
        writing.begin(pace);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
