//! Keeps one session's media until it is committed: a sequence of FLV tags, its newest part in memory, the rest on disk.
//!
//! New media is visible to readers at once; it goes to disk in larger pieces, so a following reader is served from
//! memory and a stream costs a handful of writes a second. Appending writes to the page cache on the caller's thread:
//! that takes some 40 µs, less than handing it to another thread would. What a disk in trouble does not take stays in
//! memory, within bounds, until it does. It knows nothing of RTMP or HTTP.

pub mod budget;
pub mod chunks;
pub mod disk;
pub mod index;
pub mod memory_overflow;
pub mod reader;
pub mod runs;
pub mod store;

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater_domain::ClockReader;
use headwater_rtmp::MediaKind;
use headwater_rtmp::codec::RandomAccess;
use headwater_rtmp::flv::{self, TagKind};
use parking_lot::{Mutex, MutexGuard};
use thiserror::Error;
use tokio::sync::watch;

use self::budget::{Budget, Share};
use self::chunks::Extent;
use self::disk::Disk;
use self::index::{Index, Start};
use self::runs::PlacedMessage;
use self::store::{Found, SpoolStore};

/// Most bytes handed to a reader at once.
const MAX_PIECE: usize = 128 * 1024;

/// What one session may hold.
#[derive(Debug, Clone, Copy)]
pub struct SpoolLimits {
    /// Bytes, on disk and in memory.
    pub bytes: u64,
    /// Age of the oldest media.
    pub age: Duration,
    /// The same while nothing newer can be decoded without it.
    pub gop_age: Duration,
    /// Bytes in memory that the disk did not take.
    pub held: u64,
    /// The same, of all sessions together.
    pub total_held: u64,
}

/// What all spools of a gateway share.
#[derive(Debug, Clone)]
pub struct Shared {
    /// Bytes that they hold, on disk and in memory.
    pub all: Budget,
    /// Bytes that they hold in memory because the disk did not take them.
    pub held: Budget,
    /// The disk that they write to.
    pub disk: Disk,
}

impl Shared {
    /// Of a gateway without spools.
    pub fn new(clock: ClockReader) -> Self {
        Self { all: Budget::default(), held: Budget::default(), disk: Disk::new(clock) }
    }
}

/// The spool cannot take a message.
#[derive(Debug, Error)]
pub enum SpoolError {
    /// Larger than FLV can say.
    #[error(transparent)]
    Message(#[from] flv::BodyTooLong),
}

/// What a reader is told.
#[derive(Debug)]
pub enum SpoolPiece {
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
    /// There is, but decoding can begin nowhere in it: the last key frame came so long ago.
    Undecodable(Duration),
    /// Nothing, and there will not be.
    Over,
}

#[derive(Debug)]
struct Inner {
    index: Index,
    /// `None` when it is cleared.
    store: Option<SpoolStore>,
    metadata: Option<Bytes>,
    share: Share,
    total_held: Budget,
    ended: bool,
}

/// One session's media.
#[derive(Debug)]
pub struct Spool {
    inner: Mutex<Inner>,
    changed: watch::Sender<()>,
    began: Instant,
    limits: SpoolLimits,
}

impl Spool {
    /// An empty one that will write to `folder`.
    pub fn new(folder: PathBuf, limits: SpoolLimits, shared: &Shared) -> Self {
        let inner = Inner {
            index: Index::default(),
            store: Some(SpoolStore::new(folder, shared.held.share(), shared.disk.clone())),
            metadata: None,
            share: shared.all.share(),
            total_held: shared.held.clone(),
            ended: false,
        };
        let changed = watch::Sender::new(());
        Self { inner: Mutex::new(inner), changed, began: Instant::now(), limits }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic under this lock leaves at worst a tag that no index points to.
        self.inner.lock()
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

    /// Takes one media message; `random_access` says how reading may begin with it. Answers its cursor.
    pub fn append(
        &self,
        kind: MediaKind,
        placed: PlacedMessage,
        random_access: Option<RandomAccess>,
        body: &[u8],
    ) -> Result<u64, SpoolError> {
        let at = self.began.elapsed();
        let mut inner = self.lock();
        let inner = &mut *inner;
        if let Some(start) = placed.opens {
            inner.index.open(start, inner.metadata.clone());
        }
        let Some(store) = &mut inner.store else { return Ok(inner.index.next().cursor) };
        let tail = store.tail();
        let before = tail.len();
        // The tag's 24 bits of stream id carry the cursor's low bits.
        let low_bits = (inner.index.next().cursor & 0xff_ffff) as u32;
        flv::write_tag(tail, TagKind::Media(kind), placed.time, low_bits, body)?;
        let cursor = inner.index.push(kind, random_access, tail.len() - before, at);
        store.spill_if_long();
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
        inner.store = None;
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

    /// What has to be done without media coming in: what the disk did not take is offered to it again, and what all
    /// sessions may hold may have become less.
    pub fn run_maintenance(&self) {
        let mut inner = self.lock();
        if let Some(store) = &mut inner.store {
            store.flush();
        }
        inner.enforce_held(self.limits);
        inner.count();
    }

    /// Bytes held.
    pub fn held(&self) -> u64 {
        self.lock().share.held()
    }

    /// Messages taken so far; the newest has this cursor.
    pub fn taken(&self) -> u64 {
        self.lock().index.next().cursor - 1
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
        if !start.decodable {
            let since = inner.index.without_start(self.began.elapsed());
            return Ok(if inner.ended { Located::Over } else { Located::Undecodable(since) });
        }
        let mut offset = start.mark.offset;
        for _ in start.mark.cursor..start.cursor {
            offset += inner.tag_len(offset)?;
        }
        Ok(Located::Here(Box::new(start), offset))
    }

    /// What is at `position` in run `run`.
    pub fn read(&self, run: u32, position: u64) -> SpoolPiece {
        let inner = self.lock();
        if position < inner.index.first().offset {
            return SpoolPiece::Dropped;
        }
        let run_end = inner.index.end_of_run(run);
        let end = run_end.unwrap_or_else(|| inner.index.next()).offset;
        if position >= end {
            return if run_end.is_some() || inner.ended { SpoolPiece::Over } else { SpoolPiece::Wait };
        }
        let Some(store) = &inner.store else { return SpoolPiece::Dropped };
        match store.find(position, MAX_PIECE.min((end - position) as usize)) {
            Found::Disk(extent) => SpoolPiece::Disk(Extent { end: extent.end.min(end), ..extent }),
            Found::Memory(bytes) => SpoolPiece::Memory(bytes),
        }
    }
}

impl Inner {
    fn enforce(&mut self, limits: SpoolLimits, now: Duration) {
        let lost = self.index.lost();
        loop {
            let age = self.index.age(now);
            let dropped = if self.kept() > limits.bytes || age > limits.gop_age {
                self.index.drop_oldest()
            } else {
                age > limits.age && self.index.drop_to_next_start()
            };
            if !dropped {
                break;
            }
            self.release();
        }
        self.enforce_held(limits);
        if lost == 0 && self.index.lost() > 0 {
            let folder = self.store.as_ref().map(SpoolStore::folder);
            tracing::warn!(?folder, "media is not committed fast enough: the oldest is dropped");
        }
    }

    /// Drops the oldest media until what the disk does not take fits in memory.
    ///
    /// A session may hold as much as is left for all others: however many want more, each gets the same, none of them
    /// all, and the total is never exceeded (Choudhury and Hahne's dynamic thresholds for shared buffers).
    fn enforce_held(&mut self, limits: SpoolLimits) {
        while let Some(store) = &mut self.store {
            let left = limits.total_held.saturating_sub(self.total_held.held());
            if store.held() <= limits.held.min(left) {
                return;
            }
            if !self.index.drop_oldest() {
                self.index.drop_all();
            }
            store.drop_before(self.index.first().offset);
            // A full disk has room again if a file has gone.
            store.flush();
        }
    }

    /// Media that a reader can have.
    fn kept(&self) -> u64 {
        self.index.next().offset - self.index.first().offset
    }

    /// Frees what is before the oldest media.
    fn release(&mut self) {
        if let Some(store) = &mut self.store {
            store.drop_before(self.index.first().offset);
        }
    }

    /// Counts bytes on disk and in memory: more than is kept by what shares a file with it.
    fn count(&mut self) {
        let stored = |store: &SpoolStore| self.index.next().offset - store.first_offset();
        self.share.set(self.store.as_ref().map_or(0, stored));
    }

    /// Length of the tag at `offset`, header and trailer included.
    fn tag_len(&self, offset: u64) -> io::Result<u64> {
        let mut header = [0; flv::TAG_HEADER_LEN];
        self.store.as_ref().ok_or(io::ErrorKind::NotFound)?.read_at(offset, &mut header)?;
        let body = u32::from_be_bytes([0, header[1], header[2], header[3]]);
        Ok(u64::from(body) + (flv::TAG_HEADER_LEN + flv::TAG_TRAILER_LEN) as u64)
    }
}
