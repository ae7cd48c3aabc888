//! Timestamps of a session: unwrapped, and without those that are damaged.
//!
//! A timestamp that leaps is either damaged, or the encoder's clock has jumped. The next one of its track tells: until
//! then its message waits. What nobody doubts is not held up: a step of the usual length, one that the wall clock or the
//! other track makes too, and small steps back. The time of a damaged message is put between its neighbours'.
//!
//! Pure: it is told what time it is. Steps back that remain are levelled by who cuts runs.

use std::collections::VecDeque;

use crate::message::MediaKind;

/// Timestamps that are no further apart (ms) are of one clock: audio and video start so close together, and a step back
/// of less is jitter.
const NEAR: i64 = 1_000;
/// A step of up to so much (ms) is not doubted: ten pictures a second.
const USUAL: i64 = 100;
/// By how much (ms) a timestamp may be ahead of the wall clock, or of the other track, without being doubted: messages
/// come a little sooner or later than they were sent.
const SLACK: i64 = 50;
/// A message does not wait any longer once the other track has gone on for so much (ms).
const PATIENCE: i64 = 3_000;
/// Messages at the start of a session that wait until it is known which of them are right: sound of a third of a second.
const MAX_AT_START: usize = 16;

/// A message and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timed<T> {
    /// Its track.
    pub kind: MediaKind,
    /// Milliseconds, without wraps.
    pub time: i64,
    /// The message.
    pub item: T,
}

#[derive(Debug)]
struct ClockMessage<T> {
    kind: MediaKind,
    time: i64,
    /// When it came, ms.
    at: i64,
    item: T,
}

/// The newest message of a track whose time is not doubted.
#[derive(Debug, Clone, Copy)]
struct Newest {
    time: i64,
    at: i64,
    /// From the one before it.
    step: i64,
}

#[derive(Debug)]
struct Track<T> {
    newest: Option<Newest>,
    doubted: Option<ClockMessage<T>>,
}

impl<T> Default for Track<T> {
    fn default() -> Self {
        Self { newest: None, doubted: None }
    }
}

/// Unwraps and mends the timestamps of both tracks.
#[derive(Debug)]
pub struct Clock<T> {
    tracks: [Track<T>; 2],
    /// Set until the session's first timestamps are known to be right.
    start: Option<Vec<ClockMessage<T>>>,
    /// What wraps are counted from.
    reference: Option<i64>,
}

impl<T> Default for Clock<T> {
    fn default() -> Self {
        Self { tracks: [Track::default(), Track::default()], start: Some(Vec::new()), reference: None }
    }
}

impl<T> Clock<T> {
    /// Takes the next message, with RTMP time `raw`, that came at `now` (ms); puts those whose time is known into `out`.
    pub fn push(&mut self, kind: MediaKind, raw: u32, now: u64, item: T, out: &mut VecDeque<Timed<T>>) {
        // RTMP time wraps after 49.7 days (RTMP §5.3.1.2): the nearest way round is meant.
        let time = self.reference.map_or(i64::from(raw), |reference| {
            reference + i64::from(raw.wrapping_sub(reference as u32).cast_signed())
        });
        self.reference.get_or_insert(time);
        let message = ClockMessage { kind, time, at: i64::try_from(now).unwrap_or(i64::MAX), item };
        let Some(start) = &mut self.start else { return self.follow(message, out) };
        start.push(message);
        if start.len() >= MAX_AT_START || is_settled(start) {
            self.begin(out);
        }
    }

    /// A sequence header of `kind` follows: what waits of its track belongs to the one before.
    pub fn header(&mut self, kind: MediaKind, out: &mut VecDeque<Timed<T>>) {
        // What waits of the other track at the very start does not: the session's first run has both headers.
        if self.start.as_ref().is_none_or(|start| start.iter().any(|message| message.kind == kind)) {
            self.flush(out);
        }
    }

    /// Nothing follows: nobody tells any more whether a leap was meant.
    pub fn flush(&mut self, out: &mut VecDeque<Timed<T>>) {
        self.begin(out);
        for kind in [MediaKind::Audio, MediaKind::Video] {
            if let Some(doubted) = self.tracks[kind as usize].doubted.take() {
                self.mend(doubted, None, out);
            }
        }
    }

    fn begin(&mut self, out: &mut VecDeque<Timed<T>>) {
        let Some(mut start) = self.start.take_if(|start| !start.is_empty()) else { return };
        let is_right: Vec<bool> = (0..start.len()).map(|n| agrees_with_another(&start, n)).collect();
        for n in 0..start.len() {
            let (kind, is_wrong) = (start[n].kind, !is_right[n]);
            let right_of_track = |m: &usize| is_right[*m] && start[*m].kind == kind;
            if is_wrong && let Some(next) = (n..start.len()).find(right_of_track) {
                let after = (next + 1..start.len()).find(right_of_track);
                let step = after.map_or(1, |after| start[after].time - start[next].time);
                start[n].time = start[next].time - step.max(1);
            } else if is_wrong && let Some(before) = (0..n).rev().find(right_of_track) {
                start[n].time = start[before].time + 1;
            }
        }
        start.into_iter().for_each(|message| self.accept(message, out));
    }

    fn follow(&mut self, message: ClockMessage<T>, out: &mut VecDeque<Timed<T>>) {
        if let Some(doubted) = self.tracks[message.kind as usize].doubted.take() {
            let step = message.time - doubted.time;
            if (0..=NEAR).contains(&step) {
                self.accept(doubted, out);
            } else if self.is_expected(&message) {
                self.mend(doubted, Some(message.time), out);
            } else if (-NEAR..0).contains(&step) {
                self.accept(doubted, out);
            } else {
                self.mend(doubted, None, out);
            }
        }
        if self.is_expected(&message) {
            self.accept(message, out);
            return;
        }
        let other = &mut self.tracks[other(message.kind) as usize].doubted;
        if let Some(jumped) = other.take_if(|doubted| (doubted.time - message.time).abs() <= NEAR) {
            self.accept(jumped, out);
            self.accept(message, out);
        } else {
            let track = &mut self.tracks[message.kind as usize];
            track.doubted = Some(message);
        }
    }

    /// Whether a message may have the time that it has, by what came before.
    fn is_expected(&self, message: &ClockMessage<T>) -> bool {
        let beside = self.tracks[other(message.kind) as usize].newest;
        let Some(newest) = self.tracks[message.kind as usize].newest else {
            return beside.is_none_or(|beside| (message.time - beside.time).abs() <= NEAR);
        };
        let step = message.time - newest.time;
        if step < -NEAR {
            // The other track has jumped back before it: it is nearer to that than to its own.
            return beside.is_some_and(|beside| (message.time - beside.time).abs() <= NEAR / 2);
        }
        step <= USUAL.max(2 * newest.step)
            || step <= message.at - newest.at + SLACK
            || beside.is_some_and(|beside| message.time <= beside.time + SLACK)
    }

    /// Hands out a message as it is.
    fn accept(&mut self, message: ClockMessage<T>, out: &mut VecDeque<Timed<T>>) {
        let ClockMessage { kind, time, at, item } = message;
        let newest = &mut self.tracks[kind as usize].newest;
        let step = newest.map_or(0, |newest| time - newest.time);
        *newest = Some(match *newest {
            // Jitter: what follows is measured by where the track has been.
            Some(newest) if (-NEAR..=0).contains(&step) => Newest { at, ..newest },
            _ => Newest { time, at, step: step.max(0) },
        });
        self.reference = Some(time);
        out.push_back(Timed { kind, time, item });
        self.judge_other(kind, time, out);
    }

    /// The other track may have come to where a doubted message is, or have gone on without its track.
    fn judge_other(&mut self, kind: MediaKind, time: i64, out: &mut VecDeque<Timed<T>>) {
        let track = &mut self.tracks[other(kind) as usize];
        let Some(doubted) = &track.doubted else { return };
        let since = track.newest.map_or(doubted.time, |newest| newest.time);
        let is_reached = doubted.time >= since && (-NEAR..=SLACK).contains(&(doubted.time - time));
        if !is_reached && time - since <= PATIENCE {
            return;
        }
        let Some(doubted) = track.doubted.take() else { return };
        if is_reached {
            self.accept(doubted, out);
        } else {
            self.mend(doubted, None, out);
        }
    }

    /// Hands out a message whose time is damaged: between the one before it and the one at `next`.
    fn mend(&mut self, mut message: ClockMessage<T>, next: Option<i64>, out: &mut VecDeque<Timed<T>>) {
        let newest = self.tracks[message.kind as usize].newest;
        let usual = newest.map(|newest| newest.time + newest.step.max(1));
        if let Some(time) = match (usual, next) {
            (Some(usual), Some(next)) => Some(usual.min(next - 1)),
            (None, Some(next)) => Some(next - 1),
            (usual, None) => usual,
        } {
            message.time = time;
        }
        self.accept(message, out);
    }
}

fn other(kind: MediaKind) -> MediaKind {
    match kind {
        MediaKind::Audio => MediaKind::Video,
        MediaKind::Video => MediaKind::Audio,
    }
}

/// Whether the session's first messages tell which of them are right: each track has two that agree.
fn is_settled<T>(start: &[ClockMessage<T>]) -> bool {
    let is_right = |kind| (0..start.len()).any(|n| start[n].kind == kind && agrees_with_another(start, n));
    start.iter().all(|message| is_right(message.kind))
}

/// Whether the step from or to another message of its track is one that nobody doubts.
fn agrees_with_another<T>(start: &[ClockMessage<T>], n: usize) -> bool {
    let agree = |a: &ClockMessage<T>, b: &ClockMessage<T>| {
        (-USUAL..=USUAL.max(b.at - a.at + SLACK)).contains(&(b.time - a.time))
    };
    let of_track = |message: &&ClockMessage<T>| message.kind == start[n].kind;
    start[..n].iter().filter(of_track).any(|before| agree(before, &start[n]))
        || start[n + 1..].iter().filter(of_track).any(|after| agree(&start[n], after))
}

#[cfg(test)]
mod tests;
