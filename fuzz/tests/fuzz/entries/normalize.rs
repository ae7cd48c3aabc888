//! What encoders send, on its way into the one form.

use std::collections::VecDeque;

use headwater_rtmp::MediaKind::{self, Audio, Video};
use headwater_rtmp::MediaMessage;
use headwater_rtmp::codec::{AudioTag, NalUnits, VideoCodec, VideoTag};
use headwater_rtmp::normalize::{Clock, Frame, MediaTag, Normal, Normalizer, delay_decoding};

/// Messages as `kind, timestamp (4), length (2), body`.
fn messages(mut data: &[u8]) -> Vec<MediaMessage> {
    let mut messages = Vec::new();
    while let Some(([kind, t3, t2, t1, t0, l1, l0], rest)) = data.split_first_chunk::<7>() {
        let length = usize::from(u16::from_be_bytes([*l1, *l0])).min(rest.len());
        let (payload, rest) = rest.split_at(length);
        data = rest;
        if !payload.is_empty() {
            messages.push(MediaMessage {
                kind: if kind % 2 == 0 { Audio } else { Video },
                timestamp: u32::from_be_bytes([*t3, *t2, *t1, *t0]),
                payload: payload.to_vec().into(),
            });
        }
    }
    messages
}

/// Readers take this for granted.
fn check(frame: &Frame) {
    match frame.kind {
        Audio => assert!(!AudioTag::parse(&frame.body).expect("a tag").data.is_empty()),
        Video => {
            let tag = VideoTag::parse(&frame.body).expect("a tag");
            if matches!(tag.codec, VideoCodec::Avc | VideoCodec::Hevc) {
                let nals = NalUnits::new(tag.data, 4);
                assert!(nals.clone().all(|nal| !nal.is_empty()));
                assert_eq!(nals.map(|nal| nal.len() + 4).sum::<usize>(), tag.data.len());
            }
            let delayed = delay_decoding(&frame.body, 17);
            assert_eq!(delayed.len(), frame.body.len());
        }
    }
}

/// What comes out is well-formed, behind a header, and each header is another than the one before; no message is timed
/// twice or not at all.
pub(crate) fn normalize(data: &[u8]) {
    let (mut normalizer, mut clock) = (Normalizer::default(), Clock::default());
    let (mut out, mut timed) = (Vec::new(), VecDeque::new());
    let mut headers = [None, None];
    let (mut frames, mut came) = (0, 0);
    let mut take = |out: &mut Vec<Normal>, at: u32| {
        for normal in out.drain(..) {
            match normal {
                Normal::Header(kind, body) => {
                    let before: Option<bytes::Bytes> = headers[kind as usize].replace(body.clone());
                    assert!(before.is_none_or(|before| before != body));
                    clock.header(kind, &mut timed);
                }
                Normal::Frame(frame) => {
                    let kind: MediaKind = frame.kind;
                    assert!(headers[kind as usize].is_some());
                    check(&frame);
                    clock.push(kind, frame.timestamp, at.into(), frames, &mut timed);
                    frames += 1;
                }
            }
        }
        came += timed.drain(..).count();
        assert!(frames - came < 16, "few wait");
    };
    for message in messages(data) {
        if let Ok(tag) = MediaTag::parse(&message) {
            let _ = normalizer.push(&message, &tag, &mut out);
        }
        take(&mut out, message.timestamp);
    }
    normalizer.finish(&mut out);
    take(&mut out, 0);
    clock.flush(&mut timed);
    assert_eq!(came + timed.len(), frames);
}
