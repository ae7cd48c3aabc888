//! What a spool knows of its media without reading it: runs, and the points at which reading may begin.
//!
//! Pure. Media is one sequence of bytes (FLV tags), addressed by offset; every message has a cursor. Both only grow.

mod starts;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use headwater_rtmp::MediaKind;
use headwater_rtmp::codec::RandomAccess;

use super::runs::RunStart;

/// Most points kept of a session (40 bytes each: 160 KiB). Beyond it they are noted half as often, which costs a reader
/// some media it must decode and drop, never correctness.
const MAX_POINTS: usize = 4_096;
/// Without a random access picture so often a place is noted all the same: audio-only sessions, and encoders with intra refresh.
const SOFT_POINT_EVERY: Duration = Duration::from_secs(1);

/// A place between two messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Cursor of the message that begins here.
    pub cursor: u64,
    /// Its place in the sequence of bytes.
    pub offset: u64,
}

/// A message at which reading may begin.
#[derive(Debug, Clone, Copy)]
struct Point {
    mark: Mark,
    /// When it came, since the session's start.
    at: Duration,
    /// How a decoder can start with it.
    random_access: Option<RandomAccess>,
}

/// One run as kept.
#[derive(Debug, Clone)]
pub struct Run {
    /// Counts from 1.
    pub number: u32,
    /// Epoch and headers.
    pub start: RunStart,
    /// Body of the last onMetaData message.
    pub metadata: Option<Bytes>,
    /// First message.
    pub first: Mark,
    /// Whether pictures came in it.
    pub has_video: bool,
}

/// Where a reader begins.
#[derive(Debug, Clone)]
pub struct Start {
    /// The run it will read.
    pub run: Run,
    /// A message at or before the first it gets.
    pub mark: Mark,
    /// First message it gets: later than `mark` in runs of audio only, where each message can be a start.
    pub cursor: u64,
    /// Messages it wanted that are no longer kept.
    pub lost: u64,
    /// Whether there is a place at which decoding can begin. Its GOP may have begun so long ago that the beginning is gone.
    pub decodable: bool,
}

/// The runs of one spool, and where reading may begin in them.
#[derive(Debug)]
pub struct Index {
    runs: VecDeque<Run>,
    points: VecDeque<Point>,
    /// Messages between two points, at least.
    spacing: u64,
    first: Mark,
    next: Mark,
    committed: u64,
    lost: u64,
    /// The newest place at which decoding can begin: an entry, a run's first message, anything in sound alone.
    newest_start: Option<(Mark, Duration)>,
}

impl Default for Index {
    /// An empty one. Cursors begin at 1: cursor 0 is that of sequence headers.
    fn default() -> Self {
        let origin = Mark { cursor: 1, offset: 0 };
        Self {
            runs: VecDeque::new(),
            points: VecDeque::new(),
            spacing: 1,
            first: origin,
            next: origin,
            committed: 0,
            lost: 0,
            newest_start: None,
        }
    }
}

impl Index {
    /// Oldest message kept.
    pub fn first(&self) -> Mark {
        self.first
    }

    /// The message to come.
    pub fn next(&self) -> Mark {
        self.next
    }

    /// Messages dropped before they were committed.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// The open run.
    pub fn open_run(&self) -> Option<&Run> {
        self.runs.back()
    }

    /// Replaces the open run's metadata.
    pub fn set_metadata(&mut self, metadata: &Bytes) {
        if let Some(run) = self.runs.back_mut() {
            run.metadata = Some(metadata.clone());
        }
    }

    /// The next message begins a run.
    pub fn open(&mut self, start: RunStart, metadata: Option<Bytes>) {
        let number = self.runs.back().map_or(1, |run| run.number + 1);
        self.runs.push_back(Run { number, start, metadata, first: self.next, has_video: false });
    }

    /// Takes note of a message of `bytes`, tag and all; answers its cursor.
    pub fn push(
        &mut self,
        kind: MediaKind,
        random_access: Option<RandomAccess>,
        bytes: usize,
        at: Duration,
    ) -> u64 {
        let mark = self.next;
        if let Some(run) = self.runs.back_mut() {
            run.has_video |= kind == MediaKind::Video;
            let opens = run.first == mark;
            if opens || random_access.is_some() || !run.has_video {
                self.newest_start = Some((mark, at));
            }
            let due = self.points.back().is_none_or(|last| at.saturating_sub(last.at) >= SOFT_POINT_EVERY);
            let apart = self.points.back().is_none_or(|last| mark.cursor - last.mark.cursor >= self.spacing);
            if opens || (apart && (random_access.is_some() || due)) {
                self.points.push_back(Point { mark, at, random_access });
            }
        }
        if self.points.len() > MAX_POINTS {
            self.thin_out();
        }
        self.next = Mark { cursor: mark.cursor + 1, offset: mark.offset + bytes as u64 };
        mark.cursor
    }

    /// Doubles the spacing. Points at which runs begin may go too: a run's start is known without them.
    fn thin_out(&mut self) {
        self.spacing *= 2;
        let mut last = None;
        self.points.retain(|point| {
            let keep = last.is_none_or(|last| point.mark.cursor - last >= self.spacing);
            if keep {
                last = Some(point.mark.cursor);
            }
            keep
        });
    }

    /// End of run `number`, if another one has begun.
    pub fn end_of_run(&self, number: u32) -> Option<Mark> {
        self.runs.iter().find(|run| run.number > number).map(|run| run.first)
    }

    /// Media up to `cursor` is safe elsewhere: forget what is before the point a reader after it would begin at.
    pub fn commit(&mut self, cursor: u64, ended: bool) {
        self.committed = self.committed.max(cursor.min(self.next.cursor - 1));
        if ended && self.committed + 1 == self.next.cursor {
            return self.forget_before(self.next);
        }
        let Some(run) = self.runs.iter().rev().find(|run| run.first.cursor <= self.committed) else { return };
        if let Some(mark) = self.point_before(run, self.committed) {
            self.forget_before(mark);
        }
    }

    /// Drops the oldest media: up to the next entry, or if there is none, to the next place noted. False if that would
    /// be all there is.
    pub fn drop_oldest(&mut self) -> bool {
        let later = self.points.partition_point(|point| point.mark.offset <= self.first.offset);
        let next_entry = self.points.range(later..).find(|point| point.random_access.is_some());
        let Some(mark) = next_entry.or_else(|| self.points.get(later)).map(|point| point.mark) else {
            return false;
        };
        self.drop_before(mark);
        true
    }

    /// Drops the oldest media up to the next place at which decoding can begin; false if there is none, so that what is
    /// kept would be of no use without it.
    pub fn drop_to_next_start(&mut self) -> bool {
        let sound_alone = self.runs.front().is_some_and(|run| !run.has_video);
        if sound_alone {
            return self.drop_oldest();
        }
        let Some((_, mark)) = self.start_after(self.first) else { return false };
        self.drop_before(mark);
        true
    }

    fn drop_before(&mut self, mark: Mark) {
        let uncommitted_from = self.first.cursor.max(self.committed + 1);
        self.lost += mark.cursor.saturating_sub(uncommitted_from);
        self.forget_before(mark);
    }

    /// Drops all there is. What comes next is at best read from its next entry on.
    pub fn drop_all(&mut self) {
        self.drop_before(self.next);
    }

    /// How long ago the oldest media came.
    pub fn age(&self, now: Duration) -> Duration {
        self.points.front().map_or(Duration::ZERO, |point| now.saturating_sub(point.at))
    }

    fn forget_before(&mut self, mark: Mark) {
        if mark.offset <= self.first.offset {
            return;
        }
        self.first = mark;
        while self.points.front().is_some_and(|point| point.mark.offset < mark.offset) {
            self.points.pop_front();
        }
        if self.points.len() < MAX_POINTS / 4 {
            self.spacing = (self.spacing / 2).max(1);
        }
        while self.runs.get(1).is_some_and(|run| run.first.offset <= mark.offset) {
            self.runs.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
