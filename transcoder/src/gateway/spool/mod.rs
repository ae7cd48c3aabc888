//! Keeps one session's media until it is committed: a sequence of FLV tags, its newest part in memory, the rest on disk.
//!
//! New media is visible to readers at once; it goes to disk in larger pieces, so a following reader is served from
//! memory and a stream costs a handful of writes a second. Appending writes to the page cache on the caller's thread:
//! that takes some 40 µs, less than handing it to another thread would. It knows nothing of RTMP or HTTP.

pub mod budget;
pub mod chunks;
pub mod index;
pub mod reader;

use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use headwater_rtmp::MediaKind;
use headwater_rtmp::codec::Entry;
use headwater_rtmp::flv::{self, TagKind};
use thiserror::Error;
use tokio::sync::watch;

use self::budget::{Budget, Share};
use self::chunks::{Chunks, Extent};
use self::index::{Index, Start};
use super::runs::Placed;

/// Memory in front of the disk. Larger saves writes, smaller saves memory: 1,000 sessions hold 128 MiB.
const TAIL_BYTES: usize = 128 * 1024;
/// What a tail keeps allocated after a message larger than itself.
const MAX_IDLE_TAIL: usize = 2 * TAIL_BYTES;
/// Most bytes handed to a reader at once.
const MAX_PIECE: usize = 128 * 1024;

/// What one session may hold.
#[derive(Debug, Clone, Copy)]
pub struct SpoolLimits {
    /// Bytes, on disk and in memory.
    pub bytes: u64,
    /// Age of the oldest media.
    pub age: Duration,
}

/// The spool cannot take media.
#[derive(Debug, Error)]
pub enum SpoolError {
    /// The disk failed or is full.
    #[error("the gateway's disk failed")]
    Disk(#[from] io::Error),
    /// Larger than FLV can say.
    #[error(transparent)]
    Message(#[from] flv::BodyTooLong),
}

/// What a reader is told.
#[derive(Debug)]
pub enum Piece {
    /// Bytes at its position.
    Memory(Bytes),
    /// They are in a file.
    Disk(Extent),
    /// It has everything; more may come.
    Wait,
    /// It has all of its run.
    Over,
    /// What it wanted has been dropped.
    Dropped,
}

/// Where a reader of a session stands.
#[derive(Debug)]
pub enum Located {
    /// There is something to read.
    Here(Box<Start>, u64),
    /// Not yet.
    Wait,
    /// Nothing, and there will not be.
    Over,
}

#[derive(Debug)]
struct Inner {
    index: Index,
    chunks: Option<Chunks>,
    tail: BytesMut,
    tail_start: u64,
    metadata: Option<Bytes>,
    share: Share,
    ended: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Spool {
    inner: Mutex<Inner>,
    changed: watch::Sender<()>,
    began: Instant,
    limits: SpoolLimits,
}

impl Spool {
    /// An empty one that will write to `folder`.
    pub fn create(folder: PathBuf, limits: SpoolLimits, budget: &Budget) -> Result<Self, SpoolError> {
        let inner = Inner {
            index: Index::default(),
            chunks: Some(Chunks::create(folder)?),
            tail: BytesMut::with_capacity(TAIL_BYTES),
            tail_start: 0,
            metadata: None,
            share: budget.share(),
            ended: false,
        };
        let changed = watch::Sender::new(());
        Ok(Self { inner: Mutex::new(inner), changed, began: Instant::now(), limits })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic under this lock leaves at worst a tag that no index points to.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Told whenever there may be something new.
    pub fn watch(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Readers are to look again. Once for all messages that came in one read.
    pub fn announce(&self) {
        self.changed.send_replace(());
    }

    /// The body of onMetaData, for this run and those after it.
    pub fn set_metadata(&self, body: Bytes) {
        let mut inner = self.lock();
        inner.index.set_metadata(&body);
        inner.metadata = Some(body);
    }

    /// Takes one media message; `entry` says how reading may begin with it. Answers its cursor.
    pub fn append(
        &self,
        kind: MediaKind,
        placed: Placed,
        entry: Option<Entry>,
        body: &[u8],
    ) -> Result<u64, SpoolError> {
        let at = self.began.elapsed();
        let mut inner = self.lock();
        let inner = &mut *inner;
        if let Some(start) = placed.opens {
            inner.index.open(start, inner.metadata.clone());
        }
        let before = inner.tail.len();
        // The tag's 24 bits of stream id carry the cursor's low bits.
        let low_bits = (inner.index.next().cursor & 0xff_ffff) as u32;
        flv::write_tag(&mut inner.tail, TagKind::Media(kind), placed.time, low_bits, body)?;
        let cursor = inner.index.push(kind, entry, inner.tail.len() - before, at);
        if inner.tail.len() >= TAIL_BYTES {
            inner.spill().inspect_err(|error| tracing::error!(%error, "cannot write to the spool folder"))?;
        }
        inner.enforce(self.limits, at);
        inner.count();
        Ok(cursor)
    }

    /// Media up to `cursor` is safe elsewhere.
    pub fn commit(&self, cursor: u64) {
        let mut inner = self.lock();
        let ended = inner.ended;
        inner.index.commit(cursor, ended);
        inner.release();
        inner.count();
        drop(inner);
        self.announce();
    }

    /// Whether there is anything to read.
    pub fn keeps_media(&self) -> bool {
        self.lock().kept() > 0
    }

    /// Number of the run that came last.
    pub fn last_run(&self) -> Option<u32> {
        self.lock().index.open_run().map(|run| run.number)
    }

    /// No media will come any more.
    pub fn end(&self) {
        self.lock().ended = true;
        self.announce();
    }

    /// Forgets all media and deletes the files.
    pub fn clear(&self) {
        let mut inner = self.lock();
        inner.ended = true;
        inner.index.commit(u64::MAX, true);
        inner.release();
        inner.chunks = None;
        inner.tail = BytesMut::new();
        inner.count();
        drop(inner);
        self.announce();
    }

    /// Gives up the oldest media; false if there is none to give.
    pub fn drop_oldest(&self) -> bool {
        let mut inner = self.lock();
        let dropped = inner.index.drop_oldest();
        inner.release();
        inner.count();
        dropped
    }

    /// Bytes held.
    pub fn held(&self) -> u64 {
        self.lock().share.held()
    }

    /// Messages dropped before they were committed.
    pub fn lost(&self) -> u64 {
        self.lock().index.lost()
    }

    /// The cursor after which there is nothing but the newest message: its reader begins at the newest key frame.
    pub fn live_edge(&self) -> u64 {
        self.lock().index.next().cursor.saturating_sub(2)
    }

    /// Where a reader begins that has everything up to `after`.
    pub fn locate(&self, after: u64) -> io::Result<Located> {
        let inner = self.lock();
        let Some(start) = inner.index.locate(after) else {
            return Ok(if inner.ended { Located::Over } else { Located::Wait });
        };
        let mut offset = start.mark.offset;
        for _ in start.mark.cursor..start.cursor {
            offset += inner.tag_len(offset)?;
        }
        Ok(Located::Here(Box::new(start), offset))
    }

    /// What is at `position` in run `run`.
    pub fn read(&self, run: u32, position: u64) -> Piece {
        let inner = self.lock();
        if position < inner.index.first().offset {
            return Piece::Dropped;
        }
        let run_end = inner.index.end_of_run(run);
        let end = run_end.unwrap_or_else(|| inner.index.next()).offset;
        if position >= end {
            return if run_end.is_some() || inner.ended { Piece::Over } else { Piece::Wait };
        }
        if let Some(extent) = inner.chunks.as_ref().and_then(|chunks| chunks.find(position)) {
            return Piece::Disk(Extent { end: extent.end.min(end), ..extent.clone() });
        }
        let from = (position - inner.tail_start) as usize;
        let to = ((end - inner.tail_start) as usize).min(from + MAX_PIECE);
        Piece::Memory(Bytes::copy_from_slice(&inner.tail[from..to]))
    }
}

impl Inner {
    /// Moves the tail to disk.
    fn spill(&mut self) -> io::Result<()> {
        let chunks = self.chunks.as_mut().ok_or(io::ErrorKind::NotFound)?;
        chunks.append(self.tail_start, &self.tail)?;
        self.tail_start += self.tail.len() as u64;
        self.tail.clear();
        if self.tail.capacity() > MAX_IDLE_TAIL {
            self.tail = BytesMut::with_capacity(TAIL_BYTES);
        }
        Ok(())
    }

    fn enforce(&mut self, limits: SpoolLimits, now: Duration) {
        let lost = self.index.lost();
        while self.index.age(now) > limits.age || self.kept() > limits.bytes {
            if !self.index.drop_oldest() {
                break;
            }
            self.release();
        }
        if lost == 0 && self.index.lost() > 0 {
            let folder = self.chunks.as_ref().map(Chunks::folder);
            tracing::warn!(?folder, "media is not committed fast enough: the oldest is dropped");
        }
    }

    /// Media that a reader can have.
    fn kept(&self) -> u64 {
        self.index.next().offset - self.index.first().offset
    }

    /// Bytes on disk and in memory: more than is kept by what shares a file with it.
    fn stored(&self) -> u64 {
        self.index.next().offset - self.first_offset()
    }

    fn first_offset(&self) -> u64 {
        self.chunks.as_ref().and_then(Chunks::first_offset).unwrap_or(self.tail_start)
    }

    /// Frees files before the oldest media.
    fn release(&mut self) {
        let first = self.index.first().offset;
        if let Some(chunks) = &mut self.chunks {
            chunks.drop_before(first);
        }
    }

    fn count(&mut self) {
        let held = if self.chunks.is_some() { self.stored() } else { 0 };
        self.share.set(held);
    }

    /// Length of the tag at `offset`, header and trailer included.
    fn tag_len(&self, offset: u64) -> io::Result<u64> {
        let mut header = [0; flv::TAG_HEADER_LEN];
        match offset.checked_sub(self.tail_start) {
            Some(from) => {
                let from = from as usize;
                let tag = self.tail.get(from..from + header.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
                header.copy_from_slice(tag);
            }
            None => self.chunks.as_ref().ok_or(io::ErrorKind::NotFound)?.read_at(offset, &mut header)?,
        }
        let body = u32::from_be_bytes([0, header[1], header[2], header[3]]);
        Ok(u64::from(body) + (flv::TAG_HEADER_LEN + flv::TAG_TRAILER_LEN) as u64)
    }
}
