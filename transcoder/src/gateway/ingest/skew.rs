//! Sound whose clock has nothing to do with the pictures': timestamps of the two tracks that come together and are seconds
//! apart. The sound is moved to the pictures that it comes with. Done here, where it is known what came together, so that
//! whoever reads a session again finds the same.
//!
//! Pure: it is told what time it is. The pictures' clock is the one that holds.

use headwater_domain::Timestamp;
use headwater_rtmp::MediaKind;

/// Timestamps that come together and are further apart (ms) are of two clocks. Less is believed: some encoders send one
/// track seconds after the other, and the transcoder waits three.
const MAX_APART: i64 = 2_500;
/// A step of a track's own clock that exceeds the wall clock's by so much (ms) is a new clock.
const MAX_STEP: i64 = 1_000;
/// Sound may lie so long (ms) before the pictures that it comes with, before it is moved: a backlog is no clock.
const PATIENCE: i64 = 1_000;
/// Pictures may have paused for so long (ms) that their clock says nothing of the sound's.
const MAX_PAUSE: i64 = 10_000;

/// The newest message of a track: its time as placed, and when it came.
#[derive(Debug, Clone, Copy)]
struct Newest {
    time: i64,
    at: i64,
}

/// Moves sound of another clock to the pictures that it comes with.
#[derive(Debug, Default)]
pub(super) struct Skew {
    video: Option<Newest>,
    audio: Option<Newest>,
    /// Milliseconds by which sound is moved.
    moved: i64,
    /// Since when sound has come that lies too far before the pictures.
    behind_since: Option<i64>,
}

impl Skew {
    /// The time of a message, which claims `time`.
    pub(super) fn place(&mut self, kind: MediaKind, time: i64, now: Timestamp) -> i64 {
        let at = i64::try_from(now.0).unwrap_or(i64::MAX);
        if kind == MediaKind::Video {
            if self.video.is_none_or(|newest| is_another_clock(newest, time, at)) {
                // Judged anew: the sound may have jumped, too.
                self.audio = None;
            }
            self.video = Some(Newest { time, at });
            return time;
        }
        if let Some(video) = self.video {
            self.judge(video, time, at);
        }
        let placed = time + self.moved;
        self.audio = Some(Newest { time: placed, at });
        placed
    }

    /// Milliseconds by which sound is moved.
    pub(super) fn moved(&self) -> i64 {
        self.moved
    }

    /// What people are to know.
    pub(super) fn problem(&self) -> Option<String> {
        let seconds = self.moved.unsigned_abs() as f64 / 1_000.0;
        let how = if self.moved < 0 { "ahead of" } else { "behind" };
        (self.moved != 0).then(|| {
            format!(
                "the sound's timestamps are {seconds:.1} s {how} the pictures', it is moved to those that it comes with: \
                 check the clock of the encoder's sound source"
            )
        })
    }

    fn judge(&mut self, video: Newest, time: i64, at: i64) {
        let passed = (at - video.at).clamp(0, MAX_PAUSE);
        let fits = |placed: i64| (video.time - MAX_APART..=video.time + passed + MAX_APART).contains(&placed);
        let placed = time + self.moved;
        let is_new = self.audio.is_none_or(|newest| is_another_clock(newest, placed, at));
        let is_behind = placed < video.time - MAX_APART;
        self.behind_since = is_behind.then(|| self.behind_since.unwrap_or(at));
        let stays_behind = self.behind_since.is_some_and(|since| at - since >= PATIENCE);
        if !is_new && !stays_behind {
            return;
        }
        self.behind_since = None;
        if fits(time) {
            self.moved = 0;
        } else if !fits(placed) {
            self.moved = video.time + passed.min(PATIENCE) - time;
        }
    }
}

/// Whether a track that was at `newest` cannot have come to `time` by its own clock.
fn is_another_clock(newest: Newest, time: i64, at: i64) -> bool {
    let step = time - newest.time;
    step < -MAX_STEP || step > (at - newest.at).max(0) + MAX_STEP
}

#[cfg(test)]
mod tests {
    use headwater_rtmp::MediaKind::{Audio, Video};

    use super::*;

    /// Seconds of a picture each 40 ms and sound each 20 ms; what the sound claims and when it is placed, with the wall clock.
    fn run(
        skew: &mut Skew,
        seconds: std::ops::Range<i64>,
        claims: impl Fn(i64) -> Option<i64>,
    ) -> Vec<(i64, i64)> {
        let mut placed = Vec::new();
        for at in (seconds.start * 1_000..seconds.end * 1_000).step_by(20) {
            let now = Timestamp(1_000_000 + at as u64);
            if at % 40 == 0 {
                assert_eq!(skew.place(Video, at, now), at);
            }
            if let Some(claimed) = claims(at) {
                placed.push((at, skew.place(Audio, claimed, now)));
            }
        }
        placed
    }

    #[test]
    fn tracks_that_are_a_little_apart_stay_so() {
        for apart in [-2_400, 0, 40, 2_400] {
            let mut skew = Skew::default();
            let placed = run(&mut skew, 0..20, |at| Some(at + apart));
            assert!(placed.iter().all(|(at, placed)| *placed == at + apart), "{apart}");
            assert_eq!(skew.problem(), None);
        }
    }

    #[test]
    fn sound_of_another_clock_is_moved_to_what_it_comes_with() {
        for apart in [-3_600_000, -30_000, -4_000, 3_000, 4_000, 30_000, 3_600_000] {
            let mut skew = Skew::default();
            let placed = run(&mut skew, 0..20, |at| Some(at + apart));
            assert!(placed.iter().all(|(at, placed)| (placed - at).abs() <= 20), "{apart}");
            let problem = skew.problem().unwrap();
            assert!(problem.contains(if apart > 0 { "ahead of" } else { "behind" }), "{problem}");
        }
    }

    #[test]
    fn a_clock_that_jumps_in_mid_stream_is_followed_and_forgiven() {
        for jump in [4_000, -4_000, 8_000, -8_000] {
            let mut skew = Skew::default();
            run(&mut skew, 0..10, Some);
            let apart = run(&mut skew, 10..20, |at| Some(at + jump));
            assert!(apart.iter().all(|(at, placed)| (placed - at).abs() <= 20), "{jump}");
            assert!(skew.problem().is_some());
            let right = run(&mut skew, 20..30, Some);
            assert!(right.iter().all(|(at, placed)| placed == at) && skew.problem().is_none(), "{jump}");
        }
    }

    #[test]
    fn sound_whose_clock_stood_while_it_paused_comes_back() {
        let mut skew = Skew::default();
        run(&mut skew, 0..10, Some);
        run(&mut skew, 10..20, |_| None);
        let back = run(&mut skew, 20..30, |at| Some(at - 10_000));
        let late = back.iter().filter(|(at, placed)| (placed - at).abs() > 20).count();
        assert!(late <= 51, "{late}");
    }

    #[test]
    fn pauses_of_either_track_move_nothing() {
        let mut skew = Skew::default();
        run(&mut skew, 0..5, Some);
        let back = run(&mut skew, 5..25, |at| (at >= 15_000).then_some(at));
        assert!(back.iter().all(|(at, placed)| at == placed));
        for at in (25_000..33_000).step_by(20) {
            assert_eq!(skew.place(Audio, at, Timestamp(1_000_000 + at as u64)), at, "no pictures");
        }
        let back = run(&mut skew, 33..40, Some);
        assert!(back.iter().all(|(at, placed)| at == placed) && skew.problem().is_none());
    }

    #[test]
    fn both_tracks_may_jump() {
        for jump in [3_600_000, -4_000] {
            let mut skew = Skew::default();
            run(&mut skew, 0..10, Some);
            for at in (10_000..20_000).step_by(20) {
                let now = Timestamp(1_000_000 + at as u64);
                skew.place(Video, at + jump, now);
                let placed = skew.place(Audio, at + jump, now);
                assert_eq!(placed, at + jump, "{jump}");
            }
            assert_eq!(skew.problem(), None);
        }
    }

    #[test]
    fn sound_that_comes_first_is_moved_once_pictures_come() {
        let mut skew = Skew::default();
        assert_eq!(skew.place(Audio, 4_000, Timestamp(0)), 4_000);
        assert_eq!(skew.place(Video, 0, Timestamp(5)), 0);
        assert_eq!(skew.place(Audio, 4_021, Timestamp(21)), 16);
    }
}
