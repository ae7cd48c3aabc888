//! Composition times of messages whose time was changed.

use bytes::{Bytes, BytesMut};

use crate::codec::{FourCc, VideoCodec, VideoTag};

/// Packet type of the enhanced form in which a composition time stands before the data (E-RTMP "CodedFrames").
const CODED_FRAMES: u8 = 1;
const TIME_LEN: usize = 3;

/// The body of a video message that is decoded `later` milliseconds than it says and shown when it says, or as soon as it
/// is decoded: PTS = DTS + composition time.
#[must_use]
pub fn delay_decoding(body: &Bytes, later: u32) -> Bytes {
    let Some((at, time)) = composition_time(body).filter(|(_, time)| *time > 0) else { return body.clone() };
    let time = time.saturating_sub(i32::try_from(later).unwrap_or(i32::MAX)).max(0);
    let mut changed = BytesMut::from(&body[..]);
    changed[at..at + TIME_LEN].copy_from_slice(&time.to_be_bytes()[1..]);
    changed.freeze()
}

/// Where it stands and what it is, if the message has one.
fn composition_time(body: &[u8]) -> Option<(usize, i32)> {
    let tag = VideoTag::parse(body).ok()?;
    let has = if tag.enhanced {
        // The packet type is the first byte's unless modifiers come before it; those are left alone.
        body.first().is_some_and(|first| first & 0x0F == CODED_FRAMES)
            && match tag.codec {
                VideoCodec::Avc | VideoCodec::Hevc => true,
                VideoCodec::Enhanced(code) => code == FourCc::VVC,
                VideoCodec::Av1 | VideoCodec::Classic(_) => false,
            }
    } else {
        matches!(tag.codec, VideoCodec::Avc | VideoCodec::Hevc)
    };
    has.then(|| (body.len() - tag.data.len() - TIME_LEN, tag.composition_time_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delayed(body: &'static [u8], later: u32) -> Bytes {
        delay_decoding(&Bytes::from_static(body), later)
    }

    #[test]
    fn what_is_decoded_later_is_shown_when_it_was_to_be() {
        assert_eq!(delayed(b"\x27\x01\0\0\x50abc", 30)[..], *b"\x27\x01\0\0\x32abc");
        assert_eq!(delayed(b"\xa1hvc1\0\x01\0abc", 1)[..], *b"\xa1hvc1\0\0\xffabc");
    }

    #[test]
    fn nothing_is_shown_before_it_is_decoded() {
        assert_eq!(delayed(b"\x27\x01\0\0\x50abc", 90)[..], *b"\x27\x01\0\0\0abc");
        for untouched in
            [&b"\x27\x01\0\0\0abc"[..], b"\x27\x01\xff\xff\xf0abc", b"\xa3hvc1abc", b"\xa1av01abcd"]
        {
            assert_eq!(delayed(untouched, 30)[..], *untouched);
        }
    }
}
