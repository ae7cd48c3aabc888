//! What was read of a run and may not be in the timeline yet. If the gateway that has it is gone, it is read once more,
//! from here. Knows FLV tags and their cursors (ARCHITECTURE.md, "The source link"), nothing of HTTP or the engine.

use std::collections::VecDeque;
use std::io::{self, Read};

use bytes::{Bytes, BytesMut};
use headwater_rtmp::MediaKind;
use headwater_rtmp::codec::{Inspector, MediaClass, RandomAccess};
use headwater_rtmp::flv::{FILE_HEADER_LEN, TAG_HEADER_LEN, TAG_TRAILER_LEN};
use headwater_rtmp::message::type_id;

/// Most that is kept of a run, bytes: ten seconds of 50 Mbit/s, the most that a gateway takes. Usually it is two
/// segments. Beyond it nothing is kept: what begins without its beginning cannot be decoded.
const MAX_KEPT: usize = 64 << 20;
/// A tag's stream id has so many bits of its message's cursor.
const CURSOR_BITS: u64 = 0xff_ffff;

/// What is read again of a run, as the gateway would send it, to its clean end.
#[derive(Debug)]
pub struct Replay(VecDeque<Bytes>);

impl Read for Replay {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(piece) = self.0.front_mut() else { return Ok(0) };
        let read = piece.split_to(piece.len().min(buffer.len()));
        buffer[..read.len()].copy_from_slice(&read);
        if piece.is_empty() {
            self.0.pop_front();
        }
        Ok(read.len())
    }
}

#[derive(Debug)]
struct Tag {
    cursor: u64,
    random_access: Option<RandomAccess>,
    bytes: Bytes,
}

/// What was read of one run and may not be in the timeline yet: filled by whoever reads, trimmed by whoever writes the
/// timeline.
#[derive(Debug, Default)]
pub struct ReplayBuffer {
    /// Cursor of the run's first message.
    first: u64,
    /// That of the newest.
    last: Option<u64>,
    written: u64,
    /// Of a tag that has not come whole.
    partial: BytesMut,
    /// File header, metadata and sequence headers.
    head: Vec<Bytes>,
    tags: VecDeque<Tag>,
    inspector: Inspector,
    has_video: bool,
    size: usize,
    /// Too much came, or what is no FLV.
    given_up: bool,
}

impl ReplayBuffer {
    /// Of a run whose first message has the cursor `first`; up to `written` the timeline has everything.
    pub fn new(first: u64, written: u64) -> Self {
        Self { first, written, ..Self::default() }
    }

    /// The next bytes, as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.given_up {
            return;
        }
        self.size += bytes.len();
        self.partial.extend_from_slice(bytes);
        while let Some(whole) = self.whole() {
            let bytes = self.partial.split_to(whole).freeze();
            self.take(bytes);
        }
        if self.size > MAX_KEPT {
            self.give_up();
        }
    }

    /// What the timeline does not have, with what must be decoded before it, and the cursor of the first message.
    pub fn rest(&self) -> Option<(u64, Replay)> {
        let first = self.tags.front()?.cursor;
        let pieces = self.head.iter().chain(self.tags.iter().map(|tag| &tag.bytes)).cloned().collect();
        (self.last? > self.written).then_some((first, Replay(pieces)))
    }

    /// Length of what comes next, if it is there.
    fn whole(&self) -> Option<usize> {
        let length = if self.head.is_empty() {
            FILE_HEADER_LEN
        } else {
            let [_, high, middle, low, ..] = *self.partial else { return None };
            TAG_HEADER_LEN + u32::from_be_bytes([0, high, middle, low]) as usize + TAG_TRAILER_LEN
        };
        (self.partial.len() >= length).then_some(length)
    }

    fn take(&mut self, bytes: Bytes) {
        if self.head.is_empty() {
            self.head.push(bytes);
            return;
        }
        let body = &bytes[TAG_HEADER_LEN..bytes.len() - TAG_TRAILER_LEN];
        let class = match (bytes[0], MediaKind::from_type_id(bytes[0])) {
            (_, Some(kind)) => self.inspector.inspect(kind, body).ok().map(|info| info.class),
            (type_id::DATA_AMF0, None) => Some(MediaClass::SequenceHeader),
            _ => return self.give_up(),
        };
        let low = u64::from(u32::from_be_bytes([0, bytes[8], bytes[9], bytes[10]]));
        let is_header = low != self.first & CURSOR_BITS || class == Some(MediaClass::SequenceHeader);
        if self.last.is_none() && is_header {
            self.head.push(bytes);
            return;
        }
        self.has_video |= bytes[0] == type_id::VIDEO;
        let cursor = self.last.map_or(self.first, |last| last + (low.wrapping_sub(last) & CURSOR_BITS));
        self.last = Some(cursor);
        let random_access = match class {
            Some(MediaClass::RandomAccess(random_access)) => Some(random_access),
            _ => None,
        };
        self.tags.push_back(Tag { cursor, random_access, bytes });
    }

    /// The timeline has everything up to `cursor`.
    pub fn written(&mut self, cursor: u64) {
        self.written = self.written.max(cursor);
        for _ in 0..self.needless() {
            if let Some(tag) = self.tags.pop_front() {
                self.size -= tag.bytes.len();
            }
        }
    }

    /// How many tags nothing depends on that is still to be written. As where the gateway begins: of open entries the
    /// last may have leading pictures that were not written, those of the one before it were.
    fn needless(&self) -> usize {
        let written = self.tags.partition_point(|tag| tag.cursor <= self.written);
        if !self.has_video {
            return written;
        }
        let mut passed_open = false;
        let random_access = self.tags.range(..written).rposition(|tag| match tag.random_access {
            Some(RandomAccess::Closed) => true,
            Some(RandomAccess::Open) => std::mem::replace(&mut passed_open, true),
            None => false,
        });
        random_access.unwrap_or(0)
    }

    fn give_up(&mut self) {
        *self = Self { given_up: true, ..Self::default() };
    }
}

#[cfg(test)]
mod tests;
