//! One track in the form of several (E-RTMP v2 "Multitrack", AvMultitrackType OneTrack): the same message without it.

use bytes::Bytes;

use super::{BodyHead, ex};
use crate::message::MediaKind;

/// Packet types that say that tracks follow.
const AUDIO_MULTITRACK: u8 = 5;
const VIDEO_MULTITRACK: u8 = 6;
const ONE_TRACK: u8 = 0;
/// The track that a receiver takes which knows of one alone.
const DEFAULT_TRACK: u8 = 0;
/// Multitrack type and packet type, FourCC, number of the track.
const HEAD_LEN: usize = 1 + 4 + 1;

/// The message as encoders of a single track send it, if it is the default track in the form of several.
#[must_use]
pub fn single_track(kind: MediaKind, body: &[u8]) -> Option<Bytes> {
    let first = BodyHead::read(kind, body).filter(|head| head.is_enhanced())?;
    let multitrack = match kind {
        MediaKind::Audio => AUDIO_MULTITRACK,
        MediaKind::Video => VIDEO_MULTITRACK,
    };
    let (packet_type, rest) = ex::skip_modifiers(first.number(), &body[1..]).ok()?;
    let (head, data) = rest.split_first_chunk::<HEAD_LEN>().filter(|_| packet_type == multitrack)?;
    let [types, code @ .., track] = *head;
    let inner = types & 0x0F;
    let nested = inner == multitrack || inner == ex::MOD_EX;
    if types >> 4 != ONE_TRACK || track != DEFAULT_TRACK || nested {
        return None;
    }
    // What modifies it stands before its packet type, whose place is the low half of the byte before `rest`.
    let before = body.len() - rest.len();
    let mut single = Vec::with_capacity(body.len() - 2);
    single.extend_from_slice(&body[..before]);
    single[before - 1] = single[before - 1] & 0xF0 | inner;
    single.extend_from_slice(&code);
    single.extend_from_slice(data);
    Some(single.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn single(kind: MediaKind, body: &[u8]) -> Option<Vec<u8>> {
        single_track(kind, body).map(|single| single.to_vec())
    }

    #[test]
    fn the_default_track_becomes_an_ordinary_message() {
        let video = |body: &[u8]| single(MediaKind::Video, body);
        assert_eq!(video(b"\x96\x00avc1\x00config").unwrap(), b"\x90avc1config");
        assert_eq!(video(b"\xa6\x01hvc1\x00\0\0\x28nal").unwrap(), b"\xa1hvc1\0\0\x28nal");
        assert_eq!(single(MediaKind::Audio, b"\x95\x01mp4a\x00frame").unwrap(), b"\x91mp4aframe");
        // Modifiers stay in front.
        assert_eq!(video(b"\xa7\x02abc\x06\x03avc1\x00nal").unwrap(), b"\xa7\x02abc\x03avc1nal");
    }

    #[test]
    fn other_multitrack_messages_are_left_alone() {
        let video = |body: &[u8]| single(MediaKind::Video, body);
        // Another track; two tracks; two tracks of two codecs; tracks within tracks; an ordinary message; classic ones.
        let others: [&[u8]; 7] = [
            b"\x96\x00avc1\x01config",
            b"\x96\x11avc1\x00\0\0\x01x\x01\0\0\x01y",
            b"\x96\x21avc1\x00\0\0\x01x",
            b"\x96\x06avc1\x00config",
            b"\x91avc1\0\0\0nal",
            b"\x17\x01\0\0\0nal",
            b"",
        ];
        for body in others {
            assert_eq!(video(body), None, "{body:?}");
        }
        assert_eq!(single(MediaKind::Audio, b"\xaf\x01\x05mp4a\x00"), None);
        for end in 0..8 {
            video(&b"\xa6\x01hvc1\x00"[..end.min(7)]);
        }
    }
}
