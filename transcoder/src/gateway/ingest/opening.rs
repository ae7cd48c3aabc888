//! The first messages of a session, held until it is known which tracks its first run has.
//!
//! A run has the sequence headers that came before its first message, and one that comes later opens another run, at the
//! next key frame. Encoders whose sound is a moment slower than their camera, or whose sound carries its header in each
//! frame (ADTS), would lose their first GOP to that. So the first pictures wait for the sound's header, once and briefly,
//! unless the encoder has said that there is no sound. A session whose headers are in order waits for nothing.
//!
//! Pure: it is told what time it is.

use std::collections::VecDeque;

use headwater_domain::Timestamp;
use headwater_rtmp::amf::{Properties, Value};
use headwater_rtmp::normalize::{Frame, Timed};
use headwater_rtmp::{MediaKind, Metadata};

/// For so long (ms), by the pictures' own time or by the clock: a fifth of what low latency may take to start. A sound card
/// that opens behind the camera takes a tenth of a second.
const MAX_HELD_MILLIS: u64 = 300;
/// Bytes that are held: the first key frame and what follows it at 25 Mbit/s. A larger one is worth more early than whole.
const MAX_HELD_BYTES: usize = 1 << 20;
/// Messages that are held: a third of a second at 240 pictures a second, more than which nobody shows.
const MAX_HELD_MESSAGES: usize = 80;

/// What onMetaData calls the sound's codec, rate and the like (FLV 10.1 §E.5; OBS and FFmpeg write all of them or none).
const OF_SOUND: [&str; 5] =
    ["audiocodecid", "audiodatarate", "audiosamplerate", "audiosamplesize", "audiochannels"];

/// A frame, and when it came.
pub(super) type Arrived = (Timed<Frame>, Timestamp);

/// Holds the first pictures of a session.
#[derive(Debug, Default)]
pub(super) struct Opening {
    held: Vec<Arrived>,
    bytes: usize,
    /// What comes passes.
    is_over: bool,
}

impl Opening {
    /// The encoder describes its stream.
    pub(super) fn metadata(&mut self, metadata: &Metadata) {
        self.is_over |= tells_of_pictures_alone(&metadata.values);
    }

    /// A sequence header follows. What is held was sent under the headers before it, so pictures go on if theirs changes;
    /// that of the sound is what they have waited for.
    pub(super) fn header(&mut self, kind: MediaKind, out: &mut VecDeque<Arrived>) {
        if kind == MediaKind::Video {
            self.release(out);
        }
    }

    /// That header is taken: nothing need wait for the sound's any more.
    pub(super) fn after_header(&mut self, kind: MediaKind, out: &mut VecDeque<Arrived>) {
        if kind == MediaKind::Audio {
            self.end(out);
        }
    }

    /// Takes a frame; puts into `out` what need not wait.
    pub(super) fn push(&mut self, frame: Timed<Frame>, now: Timestamp, out: &mut VecDeque<Arrived>) {
        // Sound that needs no header, or pictures after it.
        self.is_over |= frame.kind == MediaKind::Audio;
        self.bytes += frame.item.body.len();
        self.held.push((frame, now));
        if self.is_over || self.is_enough() {
            self.end(out);
        }
    }

    /// Nothing is held any more.
    pub(super) fn end(&mut self, out: &mut VecDeque<Arrived>) {
        self.is_over = true;
        self.release(out);
    }

    fn release(&mut self, out: &mut VecDeque<Arrived>) {
        self.bytes = 0;
        out.extend(self.held.drain(..));
    }

    fn is_enough(&self) -> bool {
        let (Some((first, began)), Some((last, now))) = (self.held.first(), self.held.last()) else {
            return false;
        };
        last.time.abs_diff(first.time) > MAX_HELD_MILLIS
            || now.since(*began).as_millis() > u128::from(MAX_HELD_MILLIS)
            || self.bytes > MAX_HELD_BYTES
            || self.held.len() > MAX_HELD_MESSAGES
    }
}

/// Whether onMetaData describes pictures, and no sound.
fn tells_of_pictures_alone(values: &Properties) -> bool {
    let says = |name: &str| values.iter().any(|(key, _)| key.eq_ignore_ascii_case(name));
    let denied = |(key, value): &(String, Value)| {
        key.eq_ignore_ascii_case("hasAudio") && *value == Value::Boolean(false)
    };
    values.iter().any(denied) || (says("videocodecid") && !OF_SOUND.into_iter().any(says))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use MediaKind::{Audio, Video};

    use super::*;

    const T0: u64 = 1_000_000;

    fn frame(kind: MediaKind, time: i64, bytes: usize) -> Timed<Frame> {
        let body = Bytes::from(vec![0; bytes]);
        Timed { kind, time, item: Frame { kind, timestamp: 0, random_access: None, body } }
    }

    /// Times of what goes on when a picture of `time` comes at `at` (ms).
    fn pictures(opening: &mut Opening, time: i64, at: u64) -> Vec<i64> {
        push(opening, frame(Video, time, 100), at)
    }

    fn push(opening: &mut Opening, frame: Timed<Frame>, at: u64) -> Vec<i64> {
        let mut out = VecDeque::new();
        opening.push(frame, Timestamp(T0 + at), &mut out);
        out.into_iter().map(|(frame, _)| frame.time).collect()
    }

    fn header(opening: &mut Opening, kind: MediaKind) -> [usize; 2] {
        let (mut before, mut after) = (VecDeque::new(), VecDeque::new());
        opening.header(kind, &mut before);
        opening.after_header(kind, &mut after);
        [before.len(), after.len()]
    }

    #[test]
    fn a_session_whose_headers_are_in_order_waits_for_nothing() {
        for order in [[Video, Audio], [Audio, Video]] {
            let mut opening = Opening::default();
            for kind in order {
                header(&mut opening, kind);
            }
            assert_eq!(pictures(&mut opening, 0, 0), [0]);
            assert_eq!(pictures(&mut opening, 40, 40), [40]);
        }
    }

    #[test]
    fn pictures_wait_for_the_sounds_header_and_keep_when_they_came() {
        let mut opening = Opening::default();
        assert_eq!(header(&mut opening, Video), [0, 0]);
        assert!(pictures(&mut opening, 5_000, 7).is_empty());
        assert!(pictures(&mut opening, 5_300, 99).is_empty());
        let mut out = VecDeque::new();
        opening.header(Audio, &mut out);
        assert!(out.is_empty(), "what is held belongs behind it");
        opening.after_header(Audio, &mut out);
        let came: Vec<_> = out.into_iter().map(|(frame, at)| (frame.time, at.0 - T0)).collect();
        assert_eq!(came, [(5_000, 7), (5_300, 99)]);
        assert_eq!(pictures(&mut opening, 5_340, 140), [5_340]);
        assert_eq!(header(&mut opening, Audio), [0, 0]);
    }

    #[test]
    fn nothing_waits_longer_than_its_bounds_and_nothing_waits_twice() {
        let over = |filled: &dyn Fn(&mut Opening), last: Timed<Frame>, at: u64| {
            let mut opening = Opening::default();
            header(&mut opening, Video);
            filled(&mut opening);
            let held = opening.held.len();
            assert_eq!(push(&mut opening, last, at).len(), held + 1);
            assert_eq!(pictures(&mut opening, 0, at + 1), [0], "once");
            held
        };
        let one = |opening: &mut Opening| assert!(pictures(opening, 0, 0).is_empty());
        assert_eq!(over(&one, frame(Video, 301, 9), 0), 1, "by the pictures' time");
        assert_eq!(over(&one, frame(Video, -301, 9), 0), 1, "a clock that jumps back");
        assert_eq!(over(&one, frame(Video, 1, 9), 301), 1, "by the clock");
        assert_eq!(over(&one, frame(Video, 1, MAX_HELD_BYTES), 1), 1, "by what they weigh");
        assert_eq!(over(&one, frame(Audio, 1, 9), 1), 1, "sound that needs no header");
        let many = |opening: &mut Opening| {
            (0..MAX_HELD_MESSAGES).for_each(|_| assert!(pictures(opening, 0, 0).is_empty()));
        };
        assert_eq!(over(&many, frame(Video, 0, 9), 0), MAX_HELD_MESSAGES, "by their number");
    }

    #[test]
    fn pictures_that_are_held_keep_the_header_that_they_came_with() {
        let mut opening = Opening::default();
        header(&mut opening, Video);
        pictures(&mut opening, 0, 0);
        assert_eq!(header(&mut opening, Video), [1, 0]);
        assert!(pictures(&mut opening, 40, 40).is_empty(), "the next ones wait on");
        assert_eq!(header(&mut opening, Audio), [0, 1]);
    }

    #[test]
    fn what_the_encoder_says_of_its_sound_is_believed_if_it_says_that_there_is_none() {
        let number = |name: &str| (name.to_owned(), Value::Number(7.0));
        let flag = |has: bool| ("hasAudio".to_owned(), Value::Boolean(has));
        for (values, waits) in [
            (vec![], true),
            (vec![number("width")], true),
            (vec![number("videocodecid"), number("videodatarate")], false),
            (vec![number("videocodecid"), number("audiosamplerate")], true),
            (vec![number("VideoCodecId"), number("AudioCodecId")], true),
            (vec![number("width"), flag(false)], false),
            (vec![number("audiocodecid"), flag(true)], true),
        ] {
            let mut opening = Opening::default();
            opening.metadata(&Metadata { timestamp: 0, payload: Bytes::new(), values: values.clone() });
            assert_eq!(pictures(&mut opening, 0, 0).is_empty(), waits, "{values:?}");
        }
    }
}
