//! How long ago the last key frame of a run came, seen in passing. Knows FLV tags, nothing of HTTP or the engine.
//!
//! A task that dies is replaced by one that has to begin at a key frame: without any for minutes, it cannot.

use std::time::Duration;

use headwater_rtmp::MediaKind;
use headwater_rtmp::codec::{BodyHead, FrameType};
use headwater_rtmp::flv::{FILE_HEADER_LEN, TAG_HEADER_LEN, TagHead, TagKind};

/// Media without a key frame that people are to know of. Encoders send one each second or two, some each ten.
pub(super) const TOO_LONG: Duration = Duration::from_secs(30);

/// What of a tag is looked at: its header, and the first byte of its body.
const LOOKED_AT: usize = TAG_HEADER_LEN + 1;

/// Follows the bytes of one run.
#[derive(Debug)]
pub(super) struct KeyFrames {
    /// Bytes to be passed over before the next tag.
    skip: usize,
    head: [u8; LOOKED_AT],
    filled: usize,
    /// Milliseconds of the newest picture, and of the last key frame or the run's first picture.
    newest: u32,
    last_key: Option<u32>,
    is_too_long: bool,
}

impl KeyFrames {
    pub(super) fn new() -> Self {
        Self {
            skip: FILE_HEADER_LEN,
            head: [0; LOOKED_AT],
            filled: 0,
            newest: 0,
            last_key: None,
            is_too_long: false,
        }
    }

    /// The next bytes, as they came; whether it has been [`TOO_LONG`], if that has changed.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Option<bool> {
        while !bytes.is_empty() {
            let passed = self.skip.min(bytes.len());
            self.skip -= passed;
            bytes = &bytes[passed..];
            let taken = (LOOKED_AT - self.filled).min(bytes.len());
            self.head[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
            self.filled += taken;
            bytes = &bytes[taken..];
            if self.filled == LOOKED_AT {
                self.take();
            }
        }
        let millis = self.last_key.map_or(0, |last| self.newest.saturating_sub(last));
        let is_too_long = Duration::from_millis(millis.into()) > TOO_LONG;
        (std::mem::replace(&mut self.is_too_long, is_too_long) != is_too_long).then_some(is_too_long)
    }

    fn take(&mut self) {
        self.filled = 0;
        let Some(head) = TagHead::read(&self.head) else { return };
        self.skip = head.tag_len() - LOOKED_AT;
        if head.kind() == Some(TagKind::Media(MediaKind::Video)) && head.body_len > 0 {
            self.newest = head.timestamp_ms;
            let body = BodyHead::read(MediaKind::Video, &self.head[TAG_HEADER_LEN..]);
            if body.is_some_and(|body| body.frame_type() == FrameType::Key) || self.last_key.is_none() {
                self.last_key = Some(self.newest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use headwater_rtmp::MediaKind::{Audio, Video};
    use headwater_rtmp::flv::{TagKind, file_header, write_tag};

    use super::*;

    /// A picture each half second, keys where `is_key` says, sound beside them.
    fn run(seconds: u32, is_key: impl Fn(u32) -> bool) -> BytesMut {
        let mut out = BytesMut::from(&file_header(true, true)[..]);
        for half in 0..2 * seconds {
            let body = [if is_key(half) { 0x17 } else { 0x27 }, 1, 0, 0, 0, 9, 8, 7];
            write_tag(&mut out, TagKind::Media(Video), half * 500, half, &body).unwrap();
            write_tag(&mut out, TagKind::Media(Audio), half * 500, half, &[0x1f]).unwrap();
            write_tag(&mut out, TagKind::Script, half * 500, half, &[]).unwrap();
        }
        out
    }

    /// When it changes, in half seconds, however the bytes come.
    fn changes(flv: &[u8], piece: usize) -> Vec<bool> {
        let mut keys = KeyFrames::new();
        flv.chunks(piece).filter_map(|piece| keys.push(piece)).collect()
    }

    #[test]
    fn one_key_frame_and_no_more_is_told_and_the_next_takes_it_back() {
        for piece in [1, 7, 1_000] {
            assert!(changes(&run(30, |half| half == 0), piece).is_empty(), "thirty seconds are borne");
            assert_eq!(changes(&run(31, |half| half == 0), piece), [true]);
            assert_eq!(changes(&run(60, |half| half % 100 == 0), piece), [true, false]);
            assert!(changes(&run(600, |half| half % 20 == 0), piece).is_empty());
        }
    }

    #[test]
    fn enhanced_key_frames_are_some_and_a_run_without_any_is_counted_from_its_first_picture() {
        let mut flv = run(100, |_| false);
        assert_eq!(changes(&flv, 1_000), [true]);
        write_tag(&mut flv, TagKind::Media(Video), 100_000, 200, b"\x91hvc1\0\0\0").unwrap();
        assert_eq!(changes(&flv, 1_000), [true, false]);
    }

    #[test]
    fn sound_alone_has_no_key_frames_to_miss() {
        let mut flv = BytesMut::from(&file_header(true, false)[..]);
        for second in 0..1_000 {
            write_tag(&mut flv, TagKind::Media(Audio), second * 1_000, second, &[0xaf, 1, 2]).unwrap();
        }
        assert!(changes(&flv, 4_096).is_empty());
    }
}
