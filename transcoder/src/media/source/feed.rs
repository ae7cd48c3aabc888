//! A bounded pipe from whoever receives the bytes (async or not) to the reader a run needs.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use bytes::{Buf, Bytes};

/// How long a read waits before it lets the run look at its cancel flag.
const POLL: Duration = Duration::from_millis(50);

/// What the receiving side hands over; `None` is the clean end. Dropping the sender without it is an abrupt end.
pub type FeedItem = Option<io::Result<Bytes>>;

/// Reads what the other end sends.
#[derive(Debug)]
pub struct FeedReader {
    items: Receiver<FeedItem>,
    current: Bytes,
    ended: bool,
}

/// A pipe that holds at most `chunks` chunks; a full one blocks the sender (`try_send` tells instead).
#[must_use]
pub fn feed(chunks: usize) -> (SyncSender<FeedItem>, FeedReader) {
    let (sender, items) = sync_channel(chunks);
    (sender, FeedReader { items, current: Bytes::new(), ended: false })
}

impl Read for FeedReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            if self.ended {
                return Ok(0);
            }
            match self.items.recv_timeout(POLL) {
                Ok(Some(Ok(bytes))) => self.current = bytes,
                Ok(Some(Err(e))) => return Err(e),
                Ok(None) => self.ended = true,
                Err(RecvTimeoutError::Timeout) => return Err(io::ErrorKind::Interrupted.into()),
                Err(RecvTimeoutError::Disconnected) => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        let n = self.current.len().min(buf.len());
        self.current.copy_to_slice(&mut buf[..n]);
        Ok(n)
    }
}
