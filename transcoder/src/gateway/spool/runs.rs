//! Cuts a session's media into runs: stretches with one set of sequence headers and one timestamp epoch.
//!
//! Pure: it knows neither disk nor socket nor clock. A run is opened by its first media message, so headers that come
//! before it (in whatever order) belong to it, and one that comes later, for a track that had none, opens the next run.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use headwater_domain::Timestamp;
use headwater_rtmp::MediaKind;
use thiserror::Error;

/// A timestamp that falls back by more than this (ms) is a new epoch; less is jitter: each message of a track is at least a
/// millisecond behind the one before it.
const MAX_STEP_BACK: i64 = 1_000;
/// A timestamp that leaps ahead by more than this (ms) is a new epoch: as long as the silence we would tolerate.
const MAX_STEP_AHEAD: i64 = 10_000;
/// Longest run (ms, 24.8 days): FLV's 32 bits of time are read as signed by some.
const MAX_RUN_TIME: i64 = i32::MAX as i64;
/// Runs that may begin within [`RUN_WINDOW`]. A healthy encoder changes a few times an hour; one whose audio and video
/// clocks are far apart would change with every message.
const MAX_RUNS_IN_WINDOW: usize = 30;
/// See [`MAX_RUNS_IN_WINDOW`].
const RUN_WINDOW: Duration = Duration::from_secs(60);

/// What a decoder must know before media: message bodies as they came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Headers {
    /// Body of the video sequence header message.
    pub video: Option<Bytes>,
    /// Body of the audio sequence header message.
    pub audio: Option<Bytes>,
}

impl Headers {
    fn slot(&mut self, track: MediaKind) -> &mut Option<Bytes> {
        match track {
            MediaKind::Audio => &mut self.audio,
            MediaKind::Video => &mut self.video,
        }
    }

    /// Whether `track` has its header.
    pub fn has(&self, track: MediaKind) -> bool {
        match track {
            MediaKind::Audio => self.audio.is_some(),
            MediaKind::Video => self.video.is_some(),
        }
    }
}

/// A run begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunStart {
    /// Wall clock of FLV time 0.
    pub started: Timestamp,
    /// Its sequence headers.
    pub headers: Headers,
}

/// Where a media message belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedMessage {
    /// FLV time: milliseconds since the run's start.
    pub time: u32,
    /// Milliseconds of it that the message does not claim: it would be before its track's last one.
    pub lifted: u32,
    /// Set if the message is the first of a new run.
    pub opens: Option<RunStart>,
}

/// The encoder's timestamps or headers make no usable media.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("timestamps or sequence headers change all the time: {MAX_RUNS_IN_WINDOW} times within a minute")]
pub struct TooManyRuns;

/// One epoch: how source time maps to FLV time.
#[derive(Debug)]
struct Epoch {
    start: i64,
    started: Timestamp,
    latest: i64,
    /// By track (audio, video): latest source time as claimed, and as placed.
    last: [Option<Last>; 2],
}

#[derive(Debug, Clone, Copy)]
struct Last {
    claimed: i64,
    placed: i64,
}

impl Epoch {
    fn new(start: i64, started: Timestamp) -> Self {
        Self { start, started, latest: start, last: [None; 2] }
    }

    fn breaks_at(&self, track: MediaKind, time: i64) -> bool {
        let floor = self.last[track as usize].map_or(self.start, |last| last.claimed);
        time < floor - MAX_STEP_BACK
            || time > self.latest + MAX_STEP_AHEAD
            || time - self.start > MAX_RUN_TIME
    }

    fn place(&mut self, track: MediaKind, time: i64) -> PlacedMessage {
        let last = &mut self.last[track as usize];
        let placed = time.max(last.map_or(self.start, |last| last.placed + 1));
        let claimed = last.map_or(time, |last| last.claimed.max(time));
        *last = Some(Last { claimed, placed });
        self.latest = self.latest.max(placed);
        let millis = |millis| u32::try_from(millis).expect("a run is shorter than MAX_RUN_TIME");
        PlacedMessage { time: millis(placed - self.start), lifted: millis(placed - time), opens: None }
    }
}

/// Follows one session.
#[derive(Debug, Default)]
pub struct RunSplitter {
    /// Headers as last sent.
    wanted: Headers,
    /// Headers of the open run.
    current: Headers,
    epoch: Option<Epoch>,
    openings: VecDeque<Timestamp>,
}

impl RunSplitter {
    /// Takes note of a sequence header. The same one again changes nothing.
    pub fn header(&mut self, track: MediaKind, body: &[u8]) {
        let slot = self.wanted.slot(track);
        if slot.as_deref() != Some(body) {
            *slot = Some(Bytes::copy_from_slice(body));
        }
    }

    /// Places a media message with RTMP time `time` (without wraps), received at `now`.
    pub fn media(
        &mut self,
        track: MediaKind,
        time: i64,
        now: Timestamp,
    ) -> Result<PlacedMessage, TooManyRuns> {
        let jumps = self.epoch.as_ref().is_none_or(|epoch| epoch.breaks_at(track, time));
        if let Some(epoch) = self.epoch.as_mut().filter(|_| !jumps && self.wanted == self.current) {
            return Ok(epoch.place(track, time));
        }
        self.note_opening(now)?;
        let started = match &self.epoch {
            // The source's clock goes on: so does ours, without the network's jitter between the two runs.
            Some(epoch) if !jumps => shifted(epoch.started, time - epoch.start),
            _ => now,
        };
        let mut epoch = Epoch::new(time, started);
        let placed = epoch.place(track, time);
        self.epoch = Some(epoch);
        self.current = self.wanted.clone();
        Ok(PlacedMessage { opens: Some(RunStart { started, headers: self.current.clone() }), ..placed })
    }

    fn note_opening(&mut self, now: Timestamp) -> Result<(), TooManyRuns> {
        while self.openings.front().is_some_and(|at| now.since(*at) > RUN_WINDOW) {
            self.openings.pop_front();
        }
        if self.openings.len() >= MAX_RUNS_IN_WINDOW {
            return Err(TooManyRuns);
        }
        self.openings.push_back(now);
        Ok(())
    }
}

fn shifted(at: Timestamp, by: i64) -> Timestamp {
    Timestamp(at.0.saturating_add_signed(by))
}

#[cfg(test)]
mod tests {
    use headwater_rtmp::MediaKind::{Audio, Video};

    use super::*;

    const T0: Timestamp = Timestamp(1_000_000);

    fn splitter() -> RunSplitter {
        let mut splitter = RunSplitter::default();
        splitter.header(Video, b"sps");
        splitter.header(Audio, b"asc");
        splitter
    }

    /// FLV time and whether a run begins.
    fn put(splitter: &mut RunSplitter, track: MediaKind, time: i64) -> (i64, bool) {
        let placed = splitter.media(track, time, T0).unwrap();
        (placed.time.into(), placed.opens.is_some())
    }

    #[test]
    fn time_counts_from_the_first_message_of_a_run() {
        let mut s = splitter();
        assert_eq!(put(&mut s, Video, 5_000), (0, true));
        assert_eq!(put(&mut s, Audio, 5_010), (10, false));
        assert_eq!(put(&mut s, Video, 5_033), (33, false));
    }

    #[test]
    fn small_steps_back_are_levelled_and_large_ones_open_a_run() {
        let mut s = splitter();
        put(&mut s, Video, 10_000);
        assert_eq!(put(&mut s, Video, 12_000), (2_000, false));
        assert_eq!(put(&mut s, Audio, 9_500), (0, false), "before the run's start");
        assert_eq!(put(&mut s, Video, 11_000), (2_001, false));
        assert_eq!(put(&mut s, Video, 12_001), (2_002, false), "never twice the same");
        assert_eq!(put(&mut s, Video, 12_033), (2_033, false));
        assert_eq!(put(&mut s, Video, 11_032), (0, true));
        assert_eq!(put(&mut s, Audio, 11_040), (8, false), "the other track follows into the run");
    }

    #[test]
    fn a_repaired_time_says_by_how_much_it_was_lifted() {
        let mut s = splitter();
        let mut lifted = |time| s.media(Video, time, T0).unwrap().lifted;
        assert_eq!([0, 40, 15, 80, 80].map(&mut lifted), [0, 0, 26, 0, 1]);
        assert!(
            (0..5_000).all(|_| s.media(Video, 100, T0).unwrap().opens.is_none()),
            "a clock that stands still"
        );
    }

    #[test]
    fn leaps_ahead_open_a_run_but_a_track_may_pause() {
        let mut s = splitter();
        put(&mut s, Video, 0);
        put(&mut s, Audio, 0);
        for at in 1..=30 {
            assert_eq!(put(&mut s, Video, at * 1_000), (at * 1_000, false));
        }
        assert_eq!(put(&mut s, Audio, 30_000), (30_000, false));
        assert_eq!(put(&mut s, Audio, 40_000), (40_000, false));
        assert_eq!(put(&mut s, Audio, 50_001), (0, true));
    }

    #[test]
    fn a_changed_header_opens_a_run_on_the_same_clock() {
        let mut s = splitter();
        put(&mut s, Video, 1_000);
        s.header(Video, b"sps");
        assert_eq!(put(&mut s, Video, 1_033), (33, false));
        s.header(Video, b"another");
        let placed = s.media(Video, 1_066, Timestamp(T0.0 + 500)).unwrap();
        let opens = placed.opens.unwrap();
        assert_eq!((placed.time, opens.started), (0, Timestamp(T0.0 + 66)));
        assert_eq!(opens.headers.video.as_deref(), Some(&b"another"[..]));
        assert_eq!(opens.headers.audio.as_deref(), Some(&b"asc"[..]), "the other track keeps its header");
    }

    #[test]
    fn a_header_that_comes_after_media_opens_a_run_with_both() {
        let mut s = RunSplitter::default();
        s.header(Video, b"sps");
        assert!(s.media(Video, 0, T0).unwrap().opens.unwrap().headers.audio.is_none());
        s.header(Audio, b"asc");
        let opens = s.media(Audio, 20, T0).unwrap().opens.unwrap();
        assert!(opens.headers.has(Video) && opens.headers.has(Audio));
    }

    #[test]
    fn tracks_with_clocks_far_apart_end_in_an_error_not_in_endless_runs() {
        let mut s = splitter();
        let result = (0..100).try_for_each(|at| {
            s.media(Audio, at, T0)?;
            s.media(Video, at + 1_000_000, T0).map(|_| ())
        });
        assert_eq!(result, Err(TooManyRuns));
    }

    #[test]
    fn run_changes_are_forgiven_with_time() {
        let mut s = splitter();
        for minute in 0..100_u32 {
            let now = Timestamp(T0.0 + u64::from(minute) * 60_000);
            assert!(s.media(Video, i64::from(minute) * 60_000, now).unwrap().opens.is_some());
        }
    }
}
