//! What is noticed of the bytes on their way into libavformat: cursors, a failure, a cancel.

use std::io::{self, Read};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::cursor::{CursorMap, TagPosition};
use super::remux::Watch;
use crate::media::cancel::Cancel;

#[derive(Debug)]
struct Noticed {
    cursors: CursorMap,
    failure: Option<io::Error>,
}

/// Shared by the readers and the demuxer's owner.
#[derive(Clone, Debug)]
pub(super) struct Tap(Arc<Mutex<Noticed>>);

impl Tap {
    pub(crate) fn new(first_cursor: u64) -> Self {
        Self(Arc::new(Mutex::new(Noticed { cursors: CursorMap::new(first_cursor), failure: None })))
    }

    fn lock(&self) -> MutexGuard<'_, Noticed> {
        self.0.lock()
    }

    /// What the demuxer found at byte `position`.
    pub(crate) fn place(&self, position: u64) -> TagPosition {
        self.lock().cursors.at(position)
    }

    pub(super) fn has_failed(&self) -> bool {
        self.lock().failure.is_some()
    }

    pub(super) fn take_failure(&self) -> Option<io::Error> {
        self.lock().failure.take()
    }
}

impl Watch for Tap {
    fn flv(&mut self, bytes: &[u8]) {
        self.lock().cursors.feed(bytes);
    }

    fn media(&mut self, position: u64, cursor_bits: u32, dts: i64) {
        self.lock().cursors.note(position, cursor_bits, dts);
    }
}

/// Reads until there is something, a cancel or a failure.
pub(super) struct Guard {
    inner: Box<dyn Read + Send>,
    tap: Tap,
    cancel: Cancel,
}

impl Guard {
    pub(crate) fn new(inner: Box<dyn Read + Send>, tap: Tap, cancel: Cancel) -> Self {
        Self { inner, tap, cancel }
    }
}

impl Read for Guard {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.cancel.is_cancelled() {
                return Ok(0);
            }
            match self.inner.read(buf) {
                Ok(n) => return Ok(n),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    self.tap.lock().failure = Some(e);
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
            }
        }
    }
}
