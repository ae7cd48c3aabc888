//! Recovers the gateway's 64-bit cursors from the FLV tags as they pass (ARCHITECTURE.md, "The source link"), and keeps
//! which byte position belongs to which cursor until the demuxer has reached it. Pure: bytes in, positions out.

use std::collections::VecDeque;

use headwater_rtmp::codec::BodyHead;
use headwater_rtmp::flv::{FILE_HEADER_LEN, TAG_HEADER_LEN, TAG_TRAILER_LEN, TagHead, TagKind};

/// Tags between what was read and what was demuxed; far above what the demuxer buffers (tens of KiB).
const MAX_PENDING: usize = 65_536;
/// Cursors are consecutive numbers of messages: a greater step means that this is no tag header.
const MAX_STEP: u64 = 1 << 20;
/// Header plus the two payload bytes that tell a sequence header from media.
const PEEK: usize = TAG_HEADER_LEN + 2;
const LOW_BITS: u64 = 0xff_ffff;

/// Observer of the tags; feed it every byte in order.
#[derive(Debug)]
pub(super) struct CursorMap {
    read: u64,
    skip: u64,
    head: Vec<u8>,
    last: Option<u64>,
    first: u64,
    stamped: bool,
    lost: bool,
    pending: VecDeque<(u64, TagPosition)>,
    current: TagPosition,
}

/// What is known of a media tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TagPosition {
    pub(crate) cursor: u64,
    /// Its FLV time, if the demuxer cannot know it.
    pub(crate) dts: Option<i64>,
}

impl CursorMap {
    pub(crate) fn new(first: u64) -> Self {
        Self {
            read: 0,
            skip: FILE_HEADER_LEN as u64,
            head: Vec::with_capacity(PEEK),
            last: None,
            first,
            stamped: true,
            lost: false,
            pending: VecDeque::new(),
            current: TagPosition { cursor: first, dts: None },
        }
    }

    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let n = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
                self.skip -= n as u64;
                self.read += n as u64;
                bytes = &bytes[n..];
                continue;
            }
            self.head.push(bytes[0]);
            self.read += 1;
            bytes = &bytes[1..];
            if self.head.len() == PEEK {
                self.tag();
            }
        }
    }

    /// The media tag that holds byte `position`, or became what does.
    pub(crate) fn at(&mut self, position: u64) -> TagPosition {
        while let Some(&(start, place)) = self.pending.front() {
            if start > position {
                break;
            }
            self.current = place;
            self.pending.pop_front();
        }
        self.current
    }

    fn tag(&mut self) {
        let Some(head) = TagHead::read(&self.head) else { return };
        let start = self.read - PEEK as u64;
        let low = u64::from(head.stream_id);
        let media = match head.kind() {
            Some(TagKind::Media(kind)) => BodyHead::read(kind, &self.head[TAG_HEADER_LEN..])
                .is_some_and(|body| !body.is_sequence_header()),
            Some(TagKind::Script) | None => false,
        };
        let step = self.step(low);
        let plausible = head.kind().is_some()
            && head.body_len >= 2
            && (!self.lost || (media && self.stamped && (1..=MAX_STEP).contains(&step)));
        if !plausible {
            self.lost = true;
            self.head.remove(0);
            return;
        }
        self.lost = false;
        self.head.clear();
        self.skip = (head.body_len - 2 + TAG_TRAILER_LEN) as u64;
        if media {
            self.record(start, low, None);
        }
    }

    /// For media that was made something else of, instead of [`CursorMap::feed`].
    pub(crate) fn note(&mut self, start: u64, low: u32, dts: i64) {
        self.record(start, u64::from(low), Some(dts));
    }

    fn step(&self, low: u64) -> u64 {
        low.wrapping_sub(self.last.unwrap_or(self.first)) & LOW_BITS
    }

    fn record(&mut self, start: u64, low: u64, dts: Option<i64>) {
        let step = self.step(low);
        let cursor = match self.last {
            None => {
                self.stamped = low == self.first & LOW_BITS;
                self.first
            }
            Some(last) if self.stamped && step != 0 => last + step,
            // A source that stamps nothing (a foreign server): count.
            Some(last) => {
                self.stamped = false;
                last + 1
            }
        };
        self.last = Some(cursor);
        if self.pending.len() < MAX_PENDING {
            self.pending.push_back((start, TagPosition { cursor, dts }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(kind: u8, low: u32, payload: &[u8]) -> Vec<u8> {
        let size = payload.len() as u32;
        let mut t = vec![kind];
        t.extend_from_slice(&size.to_be_bytes()[1..]);
        t.extend_from_slice(&[0; 4]);
        t.extend_from_slice(&low.to_be_bytes()[1..]);
        t.extend_from_slice(payload);
        t.extend_from_slice(&(size + 11).to_be_bytes());
        t
    }

    fn stream(first: u64, steps: &[u64]) -> (Vec<u8>, Vec<(u64, u64)>) {
        let mut bytes = b"FLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec();
        bytes.extend(tag(18, 0, b"onMetaData"));
        bytes.extend(tag(9, 0, &[0x17, 0, 1, 2, 3]));
        let mut cursor = first;
        let mut places = Vec::new();
        for (i, step) in steps.iter().enumerate() {
            cursor += step;
            places.push((bytes.len() as u64 + 16, cursor));
            let kind = if i % 2 == 0 { 9 } else { 8 };
            bytes.extend(tag(kind, (cursor & LOW_BITS) as u32, &[0x27, 1, 0, 0, 0, 9, 9, 9]));
        }
        (bytes, places)
    }

    #[test]
    fn recovers_64_bit_cursors_byte_by_byte_and_across_a_wrap() {
        let first = (7 << 24) | 0xff_fffd;
        let (bytes, places) = stream(first, &[0, 1, 1, 5, 1]);
        let mut map = CursorMap::new(first);
        for b in &bytes {
            map.feed(std::slice::from_ref(b));
        }
        for (position, cursor) in places {
            assert_eq!(map.at(position).cursor, cursor);
        }
    }

    #[test]
    fn counts_when_nothing_is_stamped() {
        let mut bytes = b"FLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec();
        for _ in 0..3 {
            bytes.extend(tag(9, 0, &[0x27, 1, 0]));
        }
        for first in [0, 41] {
            let mut map = CursorMap::new(first);
            map.feed(&bytes);
            assert_eq!(map.at(u64::MAX).cursor, first + 2);
        }
    }

    #[test]
    fn finds_the_tags_again_after_garbage() {
        let (mut bytes, places) = stream(100, &[0, 1, 1, 1]);
        let garbage = [0xAA; 57];
        let (position, _) = places[2];
        let at = position as usize - 16;
        bytes.splice(at..at, garbage);
        let mut map = CursorMap::new(100);
        map.feed(&bytes);
        assert_eq!(map.at(position + 57).cursor, 102);
        assert_eq!(map.at(u64::MAX).cursor, 103);
    }
}
