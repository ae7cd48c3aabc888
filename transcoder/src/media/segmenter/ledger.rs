//! Remembers which packets may still be needed, to tell from which cursor a successor must ask. Pure.

use std::collections::VecDeque;

use crate::media::source::Track;
use crate::media::{GridFrame, MediaTime};

/// Packets remembered a track; a minute at 240 a second, far beyond a segment and the greatest skew of the tracks.
const MAX_PACKETS: usize = 16_384;
/// Audio frames before the first one needed: the encoder's pre-roll, the decoder's overlap, jitter (170 ms).
const AUDIO_MARGIN: u64 = 8;

/// Packets of a run by cursor, with their FLV time.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    video: VecDeque<(u64, i64)>,
    audio: VecDeque<(u64, i64)>,
    last: u64,
    had_video: bool,
}

impl Ledger {
    pub(crate) fn new(first_cursor: u64) -> Self {
        Self { last: first_cursor, ..Self::default() }
    }

    pub(crate) fn saw(&mut self, track: Track, cursor: u64, pts_millis: i64) {
        let packets = match track {
            Track::Video => &mut self.video,
            Track::Audio => &mut self.audio,
        };
        self.had_video |= track == Track::Video;
        if packets.len() == MAX_PACKETS {
            packets.pop_front();
        }
        packets.push_back((cursor, pts_millis));
        self.last = self.last.max(cursor);
    }

    /// The newest cursor seen.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// The first packet of the pictures from `at` on.
    pub(crate) fn pictures_from(&self, at: MediaTime, offset: MediaTime) -> Option<u64> {
        let after = self.video.iter().filter(|(_, pts)| MediaTime::from_millis(*pts).plus(offset) >= at);
        after.map(|&(cursor, _)| cursor).min()
    }

    /// The cursor to resume from after a segment that ends at `video` and `audio`; forgets what lies before.
    pub(crate) fn resume(&mut self, video: MediaTime, audio: GridFrame, offset: MediaTime) -> u64 {
        let audio = audio.back(AUDIO_MARGIN).time();
        let needed =
            [(&mut self.video, video), (&mut self.audio, audio)].into_iter().filter_map(|(packets, from)| {
                packets.retain(|&(_, pts)| MediaTime::from_millis(pts).plus(offset) >= from);
                packets.iter().map(|&(cursor, _)| cursor).min()
            });
        match needed.min() {
            // Without pictures there is no IDR to go back to: the gateway serves what lies *after* the cursor.
            Some(cursor) if !self.had_video => cursor.saturating_sub(1),
            Some(cursor) => cursor,
            None => self.last,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_cursor_that_is_still_needed() {
        let mut ledger = Ledger::new(100);
        // Decode order I P B B: the P packet is before the Bs that are shown earlier.
        for (cursor, pts) in [(100, 66), (102, 166), (103, 100), (105, 133), (106, 266)] {
            ledger.saw(Track::Video, cursor, pts);
        }
        ledger.saw(Track::Audio, 101, 60);
        ledger.saw(Track::Audio, 104, 400);
        let offset = MediaTime::from_secs(10);
        let end = MediaTime::from_millis(10_133);
        let audio = MediaTime::from_millis(10_500).frame();
        assert_eq!(ledger.resume(end, audio, offset), 102);
        assert_eq!(ledger.resume(MediaTime::from_secs(11), MediaTime::from_secs(11).frame(), offset), 106);
    }

    #[test]
    fn sound_alone_is_asked_for_after_the_cursor() {
        let mut ledger = Ledger::new(7);
        for i in 0..10_u64 {
            ledger.saw(Track::Audio, 7 + i, 21 * i as i64);
        }
        let cursor = ledger.resume(MediaTime::default(), GridFrame::new(13), MediaTime::default());
        assert_eq!(cursor, 12);
    }
}
