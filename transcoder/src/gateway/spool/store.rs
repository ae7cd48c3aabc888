//! Where a spool's bytes are: the oldest on disk, then what the disk did not take, the newest in the tail.
//!
//! Bytes are appended and given back in order, and addressed by offset. It knows of whole FLV tags only that they are
//! not to be torn apart, and decides nothing about how much there may be.

use std::io;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};

use super::budget::Share;
use super::chunks::{Chunks, Extent};
use super::disk::Disk;
use super::memory_overflow::{MemoryOverflow, OverflowBlock};

/// Memory in front of the disk. Larger saves writes, smaller saves memory: 1,000 sessions hold 128 MiB.
const TAIL_BYTES: usize = 128 * 1024;
/// What a tail keeps allocated after a message larger than itself.
const MAX_IDLE_TAIL: usize = 2 * TAIL_BYTES;
/// Blocks that go from memory to disk at once: 2 MiB or some more, a millisecond of the caller's thread.
const MAX_BLOCKS_AT_ONCE: usize = 16;

/// Bytes at a place.
#[derive(Debug)]
pub enum Found {
    /// These, and perhaps more behind them.
    Memory(Bytes),
    /// They are in a file.
    Disk(Extent),
}

/// One spool's bytes, in memory and on disk.
#[derive(Debug)]
pub struct SpoolStore {
    chunks: Chunks,
    overflow: MemoryOverflow,
    tail: BytesMut,
    tail_start: u64,
    disk: Disk,
}

impl SpoolStore {
    /// An empty one that will write to `folder`. What it holds in memory for want of a disk counts as `memory`.
    pub fn new(folder: PathBuf, memory: Share, disk: Disk) -> Self {
        let tail = BytesMut::with_capacity(TAIL_BYTES);
        Self { chunks: Chunks::new(folder), overflow: MemoryOverflow::new(memory), tail, tail_start: 0, disk }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.chunks.folder()
    }

    /// Where the next tag is written to.
    pub fn tail(&mut self) -> &mut BytesMut {
        &mut self.tail
    }

    /// Bytes held in memory because the disk did not take them.
    pub fn held(&self) -> u64 {
        self.overflow.bytes()
    }

    /// Offset of the oldest byte.
    pub fn first_offset(&self) -> u64 {
        let in_memory = || self.overflow.first().map_or(self.tail_start, |block| block.start);
        self.chunks.first_offset().unwrap_or_else(in_memory)
    }

    /// Moves a tail that has become long enough to disk.
    pub fn spill_if_long(&mut self) {
        if self.tail.len() < TAIL_BYTES {
            return;
        }
        self.flush();
        let (start, tail) = (self.tail_start, &self.tail);
        let is_next = self.overflow.first().is_none();
        if !(is_next && self.disk.write(|| self.chunks.append(start, tail))) {
            self.overflow.push(OverflowBlock { start, bytes: Bytes::copy_from_slice(tail) });
        }
        self.tail_start += self.tail.len() as u64;
        self.tail.clear();
        if self.tail.capacity() > MAX_IDLE_TAIL {
            self.tail = BytesMut::with_capacity(TAIL_BYTES);
        }
    }

    /// Moves what is held in memory to disk, as far as the disk takes it.
    pub fn flush(&mut self) {
        for _ in 0..MAX_BLOCKS_AT_ONCE {
            let Some(OverflowBlock { start, bytes }) = self.overflow.first() else { return };
            if !self.disk.write(|| self.chunks.append(*start, bytes)) {
                return;
            }
            self.overflow.pop();
        }
    }

    /// Gives back what is before `offset`: blocks, and files as a whole.
    pub fn drop_before(&mut self, offset: u64) {
        self.overflow.drop_before(offset);
        if self.chunks.drop_before(offset) {
            self.disk.freed();
        }
    }

    /// What is at `offset`, which is one of the store's; `most` bytes of it if it is in memory.
    pub fn find(&self, offset: u64, most: usize) -> Found {
        if let Some(extent) = self.chunks.find(offset) {
            return Found::Disk(extent.clone());
        }
        if let Some(mut held) = self.overflow.from(offset) {
            held.truncate(most);
            return Found::Memory(held);
        }
        let tail = &self.tail[(offset - self.tail_start) as usize..];
        Found::Memory(Bytes::copy_from_slice(&tail[..tail.len().min(most)]))
    }

    /// Fills `bytes` from `offset`, all of one tag; for small reads.
    pub fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        if self.chunks.find(offset).is_some() {
            return self.chunks.read_at(offset, bytes);
        }
        let found = match self.overflow.from(offset) {
            Some(block) => block.get(..bytes.len()).map(|found| bytes.copy_from_slice(found)),
            None => {
                let from = (offset - self.tail_start) as usize;
                let found = self.tail.get(from..from + bytes.len());
                found.map(|found| bytes.copy_from_slice(found))
            }
        };
        found.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}
