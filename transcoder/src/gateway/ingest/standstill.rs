//! Timestamps that go on no further while media comes: they stand still, or fall back by less than a new epoch again and
//! again. Messages then lie a millisecond behind each other, and hours of them make no segment.
//!
//! Pure: it is told what time it is.

use std::time::Duration;

use headwater_domain::Timestamp;
use headwater_rtmp::MediaKind;

/// What a track is judged by: so much time in which it came, and so many messages. The first may yet have a second of right
/// times, the next is enough to tell of, because people are to be told within ten seconds; two in a row are to end a
/// session, because an encoder begins anew with a new connection.
const STRETCH: Duration = Duration::from_secs(3);
/// See [`STRETCH`]: enough for an average.
const MIN_MESSAGES: u32 = 30;
/// See [`STRETCH`].
const MAX_STRETCHES: u32 = 2;
/// Timestamps that stand are placed a millisecond behind each other. Those that advance by less than this (ms) a message, and
/// by less than half of the time in which they come, stand: pictures of 240 Hz are 4 ms apart, and at half of real time 2.
const MIN_ADVANCE: u32 = 2;
/// Nothing came for longer: a pause of the encoder's.
const MAX_STEP: Duration = Duration::from_secs(1);
/// A track of which nothing has come for so long does not speak for the other.
const MAX_SILENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy)]
struct Track {
    /// When its newest message came.
    at: Timestamp,
    /// Time in which the messages of this stretch came, without pauses.
    came: Duration,
    count: u32,
    /// Source time, ms, at which the stretch begins.
    from: u32,
    /// Stretches in a row in which it stood.
    stood: u32,
}

/// Judges whether timestamps advance.
#[derive(Debug, Default)]
pub(super) struct Standstill {
    /// Audio, video.
    tracks: [Option<Track>; 2],
}

impl Standstill {
    /// A message lies at `time` of a run, which it may have opened; answers whether that changes
    /// [`problem`](Self::problem).
    pub(super) fn note(&mut self, kind: MediaKind, time: u32, opens: bool, now: Timestamp) -> bool {
        let was = self.stands();
        if opens {
            self.tracks = [None; 2];
        }
        let track = self.tracks[kind as usize].get_or_insert(Track {
            at: now,
            came: Duration::ZERO,
            count: 0,
            from: time,
            stood: 0,
        });
        track.came += now.since(track.at).min(MAX_STEP);
        track.at = now;
        track.count += 1;
        if track.came >= STRETCH && track.count >= MIN_MESSAGES {
            let advanced = time.saturating_sub(track.from);
            let stands = advanced < track.count.saturating_mul(MIN_ADVANCE)
                && u128::from(advanced) * 2 < track.came.as_millis();
            track.stood = if stands { track.stood + 1 } else { 0 };
            (track.came, track.count, track.from) = (Duration::ZERO, 0, time);
        }
        was != self.stands()
    }

    /// Whether nothing can be made of the session.
    pub(super) fn is_hopeless(&self, now: Timestamp) -> bool {
        let mut speaking =
            self.tracks.iter().flatten().filter(|track| now.since(track.at) <= MAX_SILENCE).peekable();
        speaking.peek().is_some() && speaking.all(|track| track.stood >= MAX_STRETCHES)
    }

    /// A sentence for people.
    pub(super) fn problem(&self) -> Option<String> {
        let whose = match self.stands() {
            [false, false] => return None,
            [true, false] => "the sound's",
            [false, true] => "the pictures'",
            [true, true] => "the encoder's",
        };
        Some(format!(
            "{whose} timestamps stand still, or fall back again and again, so that nothing can be made of what comes: \
             restart the encoder"
        ))
    }

    fn stands(&self) -> [bool; 2] {
        self.tracks.map(|track| track.is_some_and(|track| track.stood > 0))
    }
}

#[cfg(test)]
mod tests {
    use headwater_rtmp::MediaKind::{Audio, Video};

    use super::*;

    /// Pictures each 40 ms and sound each 20 ms, for so many seconds, with the times that they claim; what was told, when.
    fn run(
        standstill: &mut Standstill,
        seconds: std::ops::Range<u64>,
        pictures: impl Fn(u64) -> Option<u64>,
        sound: impl Fn(u64) -> Option<u64>,
    ) -> Vec<(u64, Option<String>)> {
        let mut news = Vec::new();
        for at in (seconds.start * 1_000..seconds.end * 1_000).step_by(20) {
            let now = Timestamp(1_000_000 + at);
            let pictures = (at % 40 == 0).then(|| pictures(at)).flatten();
            for (kind, claimed) in [(Video, pictures), (Audio, sound(at))] {
                let Some(time) = claimed else { continue };
                if standstill.note(kind, time as u32, false, now) {
                    news.push((at, standstill.problem()));
                }
            }
        }
        news
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp(1_000_000 + millis)
    }

    #[test]
    fn what_advances_is_not_meant() {
        type Claim = fn(u64) -> Option<u64>;
        let honest: [Claim; 5] = [
            Some,
            // Half speed, bursts, a pause of the camera's, a tenth of real time.
            |at| Some(at / 2),
            |at| Some(at / 400 * 400),
            |at| (at % 20_000 < 4_000).then_some(at),
            |at| (at % 400 == 0).then_some(at / 10),
        ];
        for claim in honest {
            assert_eq!(run(&mut Standstill::default(), 0..60, claim, Some), []);
            let mut standstill = Standstill::default();
            assert_eq!(run(&mut standstill, 0..60, claim, claim), []);
            assert!(!standstill.is_hopeless(at(60_000)));
        }
    }

    #[test]
    fn a_pause_is_no_standstill() {
        // The camera's own clock stood, too.
        let claim = |at: u64| match at {
            0..2_000 => Some(at),
            2_000..60_000 => None,
            _ => Some(at - 58_000),
        };
        assert_eq!(run(&mut Standstill::default(), 0..90, claim, Some), []);
    }

    #[test]
    fn a_track_that_stands_is_told_and_both_are_hopeless() {
        // As it is placed: a millisecond for each message.
        let stands = |at: u64| Some(2_000_u64.min(at) + at.saturating_sub(2_000) / 40);
        let mut standstill = Standstill::default();
        let news = run(&mut standstill, 0..20, stands, Some);
        let [(told, Some(problem))] = news.as_slice() else { panic!("{news:?}") };
        assert!(
            *told <= 10_000 && problem.starts_with("the pictures' timestamps stand still"),
            "{told} {problem}"
        );
        assert!(!standstill.is_hopeless(at(20_000)), "the sound goes on");
        let news = run(&mut standstill, 20..40, |at| Some(3_000 + at / 40), |at| Some(20_000 + at / 20));
        assert!(news.last().unwrap().1.as_ref().unwrap().starts_with("the encoder's"), "{news:?}");
        assert!(standstill.is_hopeless(at(40_000)));
        let news = run(&mut standstill, 40..60, Some, Some);
        assert_eq!(news.last().unwrap().1, None, "it is over");
    }

    #[test]
    fn a_session_of_one_track_ends_and_a_new_run_is_judged_anew() {
        let mut standstill = Standstill::default();
        run(&mut standstill, 0..11, |_| Some(0), |_| None);
        assert!(standstill.is_hopeless(at(11_000)));
        assert!(standstill.note(Video, 0, true, at(11_040)), "news");
        assert_eq!((standstill.problem(), standstill.is_hopeless(at(11_040))), (None, false));
        run(&mut standstill, 12..23, |_| Some(0), |_| None);
        standstill.note(Audio, 0, false, at(22_000));
        assert!(!standstill.is_hopeless(at(23_000)), "who knows of the sound");
        assert!(standstill.is_hopeless(at(32_100)), "nothing more came of it");
    }
}
