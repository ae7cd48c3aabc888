//! When pictures are shown: each behind its predecessor, and the newest one again where no other comes in time.

use ff::frame;
use ffmpeg_next as ff;

use super::open::shape;
use super::{Frames, Outcome};
use crate::media::MediaTime;
use crate::media::segmenter::cut::PartCutter;
use crate::media::stats::add;

/// A picture that is late by at most this is shown right behind its predecessor.
const MAX_LATE: MediaTime = MediaTime::from_secs(1);
/// Right behind: the least step of FLV.
const LEAST_STEP: MediaTime = MediaTime::from_millis(1);
/// A picture shown this much after its predecessor has a damaged composition time: the source's own clock (DTS) is
/// held to the same bound, so an honest picture cannot.
const MAX_STEP: MediaTime = MediaTime::from_secs(10);
/// Pictures in a row that have no time of their own, because they are late: then it is the timeline that jumped (10 s at
/// 30 a second). Those whose time cannot be used at all count so many times.
const MAX_LATE_PICTURES: u32 = 300;
const UNUSABLE: u32 = 10;
/// Of sound that outlasts copied pictures so little may be cut off: for more they are encoded, and the last is shown on.
const MAX_TRIMMED: MediaTime = MediaTime::from_millis(250);

/// When a picture is to be shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Showing {
    pub(crate) at: MediaTime,
    /// Its packet is decoded then, and is shown as it is.
    pub(crate) not_before: Option<MediaTime>,
    /// It is one of the source's IDRs that begin segments.
    pub(crate) opens: bool,
}

impl Frames<'_> {
    /// Whether the newest picture is shown on.
    pub(crate) fn is_holding(&self) -> bool {
        self.holding
    }

    /// Takes the next picture.
    pub(crate) fn push(&mut self, picture: frame::Video, showing: Showing) -> Outcome {
        add(&self.counters.decoded, 1);
        if self.shape.is_some_and(|s| s != shape(&picture)) {
            return Outcome::Changed;
        }
        let newest = self.newest();
        if showing.at < self.from && !(self.is_new && newest.is_some()) {
            add(&self.counters.discarded, 1);
            self.before = Some(picture);
            return Outcome::Passed;
        }
        let Some(at) = self.in_order(showing) else {
            add(&self.counters.dropped, 1);
            self.late += UNUSABLE;
            return if self.late > MAX_LATE_PICTURES { Outcome::Jumped } else { Outcome::Passed };
        };
        if at == showing.at {
            self.late = 0;
            self.paused_at = None;
        } else {
            add(&self.counters.retimed, 1);
            self.late += 1;
            if self.late > MAX_LATE_PICTURES {
                return Outcome::Jumped;
            }
        }
        self.holding = false;
        // The picture that was shown when the timeline resumes, if its successor comes late.
        if let Some(before) = self.before.take()
            && at.minus(self.from) > self.overrun
            && at.minus(self.from) <= MAX_STEP
            && !self.follows_source()
            && let failed @ (Outcome::Gone | Outcome::Unfit) = self.repeat(before, self.from)
        {
            return failed;
        }
        if let Some(failed) = self.bridge(at) {
            return failed;
        }
        self.send(picture, at, showing.opens)
    }

    /// When a picture is shown that comes next: behind the newest one. `None` if its own time is too far from that.
    fn in_order(&self, Showing { at, not_before, .. }: Showing) -> Option<MediaTime> {
        let newest = self.newest();
        let earliest = newest.map(|newest| newest.plus(LEAST_STEP)).max(not_before);
        let Some(earliest) = earliest.filter(|earliest| at < *earliest) else {
            return newest.is_none_or(|newest| at.minus(newest) <= MAX_STEP).then_some(at);
        };
        let is_owed = self.paused_at.is_some_and(|paused| at > paused);
        (is_owed || earliest.minus(at) <= MAX_LATE).then_some(earliest)
    }

    /// Shows the newest picture on until `to`, for no other comes; says if that cannot be.
    pub(crate) fn hold(&mut self, to: MediaTime) -> Option<Outcome> {
        if self.follows_source() {
            return Some(Outcome::Unfit);
        }
        if !std::mem::replace(&mut self.holding, true) {
            self.paused_at = self.newest();
        }
        if self.newest().is_none()
            && let Some(before) = self.before.take()
            && let failed @ (Outcome::Gone | Outcome::Unfit) = self.repeat(before, self.from)
        {
            return Some(failed);
        }
        self.bridge(to)
    }

    /// Whether there is a picture that can be shown on, and since when it is shown.
    pub(crate) fn held_since(&self) -> Option<MediaTime> {
        self.newest().or_else(|| self.before.as_ref().map(|_| self.from))
    }

    /// Shows the newest picture again wherever the timeline needs one before `next`; says if that cannot be.
    fn bridge(&mut self, next: MediaTime) -> Option<Outcome> {
        while let (Some(instant), Some((_, last))) = (self.fill(next), &self.last) {
            if self.follows_source() {
                return Some(Outcome::Unfit);
            }
            let copy = frame::Video::clone(last);
            if let failed @ (Outcome::Gone | Outcome::Unfit) = self.repeat(copy, instant) {
                return Some(failed);
            }
        }
        None
    }

    /// Prepares the open segment to end at `end`, or as near to it as it can: neither segment nor part gets longer than
    /// it may.
    pub(crate) fn reach(&mut self, end: MediaTime) -> Result<MediaTime, Outcome> {
        if !self.follows_source() {
            return self.bridge(end).map_or(Ok(end), Err);
        }
        let segment = self.begun.map(|begun| begun.plus(self.longest));
        let part = self.parts.as_ref().map(PartCutter::latest);
        let latest =
            segment.into_iter().chain(part).min().unwrap_or(end).max(self.natural_end().unwrap_or(end));
        if end.minus(latest) > MAX_TRIMMED { Err(Outcome::Unfit) } else { Ok(end.min(latest)) }
    }
}
