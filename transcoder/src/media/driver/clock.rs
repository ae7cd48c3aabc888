//! The source's own clock: the decode times of its tracks, and whether they go on. Pure.

use crate::media::source::Track;

/// Steps of a track's DTS beyond which the source's clock jumped (the gateway's own limits for a new run).
const MAX_BACK_MILLIS: i64 = 1_000;
const MAX_FORWARD_MILLIS: i64 = 10_000;

/// The newest packet of each track, in FLV milliseconds.
#[derive(Debug, Default)]
pub(super) struct SourceClock {
    first: Option<i64>,
    pub(super) video: Option<i64>,
    pub(super) audio: Option<i64>,
}

impl SourceClock {
    /// Notes a packet. False if the clock jumped; it is not noted then.
    pub(super) fn follow(&mut self, track: Track, dts_millis: i64) -> bool {
        let newest = self.video.max(self.audio);
        let mine = match track {
            Track::Video => &mut self.video,
            Track::Audio => &mut self.audio,
        };
        let back = mine.is_some_and(|mine| dts_millis < mine - MAX_BACK_MILLIS);
        let forward = newest.is_some_and(|newest| dts_millis > newest + MAX_FORWARD_MILLIS);
        if back || forward {
            return false;
        }
        *mine = Some(mine.map_or(dts_millis, |mine| mine.max(dts_millis)));
        self.first.get_or_insert(dts_millis);
        true
    }

    /// The newest packet of all.
    pub(super) fn newest(&self) -> i64 {
        self.video.max(self.audio).unwrap_or(0)
    }

    /// Milliseconds of media seen so far.
    pub(super) fn seen(&self) -> i64 {
        self.video.unwrap_or(0).max(self.audio.unwrap_or(0)) - self.first.unwrap_or(0)
    }

    /// By how many milliseconds sound is ahead of pictures, once both are there.
    pub(super) fn sound_ahead(&self) -> Option<i64> {
        Some(self.audio? - self.video?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_goes_on_until_it_jumps() {
        let mut clock = SourceClock::default();
        assert!(clock.follow(Track::Video, 5_000) && clock.follow(Track::Audio, 4_000));
        assert_eq!((clock.newest(), clock.seen(), clock.sound_ahead()), (5_000, 0, Some(-1_000)));
        assert!(clock.follow(Track::Video, 4_000), "a second back is disorder");
        assert_eq!(clock.video, Some(5_000), "and moves nothing");
        assert!(!clock.follow(Track::Video, 3_999));
        assert!(!clock.follow(Track::Audio, 15_001), "ahead of all that came");
        assert!(clock.follow(Track::Audio, 15_000));
        assert_eq!((clock.newest(), clock.seen()), (15_000, 10_000));
    }
}
