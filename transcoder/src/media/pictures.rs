//! Decoded pictures in presentation order: the ones before the start are discarded, gaps are bridged, boundaries found,
//! and each is sent down the chain of renditions with its time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use ff::{frame, picture};
use ffmpeg_next as ff;

use super::assemble;
use super::cut::{Boundaries, Cutter, PartCutter, Place};
use super::governor::Effort;
use super::rungs::Chain;
use super::settings::{EngineSettings, StartPoint};
use super::stats::{Counters, add};
use super::time::{MediaTime, VideoSpan};
use super::video::{Cut, Job, Shown};

/// A picture shown this much after its predecessor has a damaged composition time: the source's own clock (DTS) is
/// held to the same bound, so an honest picture cannot.
const MAX_STEP: MediaTime = MediaTime::from_secs(10);
/// Pictures in a row whose time is unusable: then it is the timeline that jumped (10 s at 30 a second).
const MAX_UNUSABLE: u32 = 300;

/// What a picture led to.
pub(super) enum Outcome {
    Fine,
    /// It has another size or format than those before; nothing was done with it.
    Changed,
    /// Picture after picture does not fit behind the ones shown.
    Jumped,
    /// Boundaries were given, and this picture shows that they cannot be kept.
    Unfit,
    /// The renditions are gone.
    Gone,
}

/// A part whose video is complete.
pub(super) struct Closed {
    pub(super) place: assemble::Place,
    /// Whether it ends its segment.
    pub(super) last: bool,
    pub(super) independent: bool,
    pub(super) span: VideoSpan,
    pub(super) frames: u32,
    pub(super) repeated: u32,
    pub(super) effort: Effort,
}

struct Open {
    place: assemble::Place,
    independent: bool,
    /// Of the pictures of the part.
    times: Vec<MediaTime>,
    repeated: u32,
    effort: Effort,
    /// Pictures in the parts of the segment before.
    before: u64,
}

/// The video side of one run, behind the decoder.
pub(super) struct Pictures<'a> {
    from: MediaTime,
    boundaries: Boundaries,
    parts: Option<PartCutter>,
    /// How far past a boundary a picture may lie.
    overrun: MediaTime,
    next_number: u64,
    step: MediaTime,
    halves: bool,
    reorders: bool,
    shape: Option<(ff::format::Pixel, u32, u32)>,
    /// Where pictures go, if any rendition is encoded.
    chain: Option<SyncSender<Job>>,
    open: Option<Open>,
    last: Option<(MediaTime, Arc<frame::Video>)>,
    before: Option<frame::Video>,
    unusable: u32,
    counters: &'a Counters,
    /// For the next segment.
    pub(super) effort: Effort,
    pub(super) closed: VecDeque<Closed>,
}

impl<'a> Pictures<'a> {
    pub(super) fn new(settings: &EngineSettings, start: &StartPoint, counters: &'a Counters) -> Self {
        let cutter = Cutter::new(settings.segment_duration);
        Self {
            from: start.video_from,
            overrun: cutter.overrun(),
            boundaries: Boundaries::Grid(cutter),
            parts: settings.part_duration.map(|duration| PartCutter::new(duration, start.parts.clone())),
            next_number: start.next_segment,
            step: MediaTime::from_millis(33),
            halves: false,
            reorders: false,
            shape: None,
            chain: None,
            open: None,
            last: None,
            before: None,
            unusable: 0,
            counters,
            effort: Effort::default(),
            closed: VecDeque::new(),
        }
    }

    /// From now on segments begin where `given` says, instead of at multiples of their duration.
    pub(super) fn follow_source(&mut self) {
        self.boundaries = Boundaries::Given { at: VecDeque::new(), opened: false };
    }

    /// A segment begins with the picture shown at `at`.
    pub(super) fn given(&mut self, boundary: MediaTime) {
        if let Boundaries::Given { at, .. } = &mut self.boundaries {
            at.push_back(boundary);
        }
    }

    /// Whether segments begin where the source's IDRs are.
    pub(super) fn follows_source(&self) -> bool {
        matches!(self.boundaries, Boundaries::Given { .. })
    }

    /// Back to multiples of the duration, before any picture was sent.
    pub(super) fn follow_grid(&mut self, settings: &EngineSettings) {
        self.boundaries = Boundaries::Grid(Cutter::new(settings.segment_duration));
    }

    /// Whether the renditions were started.
    pub(super) fn is_prepared(&self) -> bool {
        self.shape.is_some()
    }

    /// The renditions were started for the source's first picture, wanted or not.
    pub(super) fn prepare(&mut self, picture: &frame::Video, frame_rate: f64, chain: Chain) {
        self.halves = chain.halves;
        self.reorders = chain.reorders;
        self.chain = chain.first;
        self.shape = Some(shape(picture));
        self.step = MediaTime::from_ticks((90_000.0 / frame_rate).round() as i64);
    }

    /// When the first picture that is part of the timeline is shown.
    pub(super) fn first(&self) -> Option<MediaTime> {
        let open = self.open.as_ref().and_then(|o| o.times.first().copied());
        self.closed.front().map(|c| c.span.start).or(open)
    }

    /// When the newest picture is shown.
    pub(super) fn newest(&self) -> Option<MediaTime> {
        self.last.as_ref().map(|(at, _)| *at)
    }

    /// Takes the next picture, shown at `at`.
    pub(super) fn push(&mut self, picture: frame::Video, at: MediaTime) -> Outcome {
        add(&self.counters.decoded, 1);
        if self.shape.is_some_and(|s| s != shape(&picture)) {
            return Outcome::Changed;
        }
        if at < self.from {
            add(&self.counters.discarded, 1);
            self.before = Some(picture);
            return Outcome::Fine;
        }
        if self.newest().is_some_and(|newest| at <= newest || at.minus(newest) > MAX_STEP) {
            add(&self.counters.dropped, 1);
            self.unusable += 1;
            return if self.unusable > MAX_UNUSABLE { Outcome::Jumped } else { Outcome::Fine };
        }
        self.unusable = 0;
        // The picture that was shown when the timeline resumes, if its successor comes late.
        if let Some(before) = self.before.take()
            && at.minus(self.from) > self.overrun
            && at.minus(self.from) <= MAX_STEP
            && !self.follows_source()
        {
            match self.repeat(before, self.from) {
                Outcome::Fine => {}
                failed => return failed,
            }
        }
        while let (Some(instant), Some((_, last))) = (self.fill(at), &self.last) {
            if self.follows_source() {
                return Outcome::Unfit;
            }
            let copy = frame::Video::clone(last);
            match self.repeat(copy, instant) {
                Outcome::Fine => {}
                failed => return failed,
            }
        }
        self.send(picture, at)
    }

    /// Where the picture before `next` must be shown again, so that neither segment nor part gets too long.
    fn fill(&self, next: MediaTime) -> Option<MediaTime> {
        let of_part = self.parts.as_ref().filter(|_| self.open.is_some()).and_then(|parts| parts.fill(next));
        self.boundaries.fill(next).into_iter().chain(of_part).min()
    }

    /// The end of the last picture if nothing follows it.
    pub(super) fn natural_end(&self) -> Option<MediaTime> {
        self.newest().map(|newest| newest.plus(self.step))
    }

    /// The latest instant at which a successor can continue exactly, if it can at all within the open segment: a
    /// picture's own time, so that this picture and all after it are the successor's. It cannot within a GOP that is
    /// copied or has B-frames, nor once parts of the segment are out.
    pub(super) fn exact_end(&self, allowed: impl Fn(MediaTime) -> bool) -> Option<MediaTime> {
        let open = self
            .open
            .as_ref()
            .filter(|_| !self.follows_source() && !self.reorders && self.parts.is_none())?;
        open.times.iter().skip(1).rev().copied().find(|&at| allowed(at))
    }

    /// Ends the open segment; pictures at or after `end` are not part of it.
    pub(super) fn close(&mut self, end: MediaTime) -> bool {
        self.open.take().is_none_or(|open| self.close_part(&open, end, true))
    }

    fn close_part(&mut self, open: &Open, end: MediaTime, last: bool) -> bool {
        let frames = open.times.iter().filter(|&&at| at < end).count();
        let Some(&start) = open.times.first().filter(|_| frames > 0) else { return true };
        self.closed.push_back(Closed {
            place: open.place,
            last,
            independent: open.independent,
            span: VideoSpan { start, end },
            frames: frames as u32,
            repeated: open.repeated,
            effort: open.effort,
        });
        self.tell(Job::Cut(Cut { place: open.place, end }))
    }

    /// Lets the renditions flush what was closed; without it they drop everything.
    pub(super) fn end(&mut self) {
        self.tell(Job::End);
        self.chain = None;
    }

    fn repeat(&mut self, picture: frame::Video, at: MediaTime) -> Outcome {
        add(&self.counters.repeated, 1);
        let sent = self.send(picture, at);
        if let Some(open) = &mut self.open {
            open.repeated += 1;
        }
        sent
    }

    fn send(&mut self, mut picture: frame::Video, at: MediaTime) -> Outcome {
        let Some(place) = self.boundaries.place(at) else { return Outcome::Unfit };
        if place == Place::Cuts && !self.close(at) {
            return Outcome::Gone;
        }
        let opens = (place != Place::Within).then_some(self.effort);
        let mut key = opens.is_some();
        if let Some(effort) = opens {
            let place = (self.next_number, 0);
            self.next_number += 1;
            self.open =
                Some(Open { place, independent: true, times: Vec::new(), repeated: 0, effort, before: 0 });
            if let Some(parts) = &mut self.parts {
                parts.open(at);
            }
        } else if let Some(resumed) = self.ends_part(at) {
            let Some(open) = self.open.take() else { return Outcome::Gone };
            if !self.close_part(&open, at, false) {
                return Outcome::Gone;
            }
            // What is out already comes from another encoder.
            key = resumed;
            self.open = Some(Open {
                place: (open.place.0, open.place.1 + 1),
                independent: key && !self.follows_source(),
                before: open.before + open.times.len() as u64,
                times: Vec::new(),
                repeated: 0,
                ..open
            });
        }
        let odd = self.open.as_ref().is_some_and(Open::is_odd);
        if let Some(open) = &mut self.open {
            open.times.push(at);
        }
        picture.set_pts(Some(at.ticks()));
        // The decoder's own picture type would make x264 repeat the source's.
        picture.set_kind(if key { picture::Type::I } else { picture::Type::None });
        let frame = Arc::new(picture);
        self.last = Some((at, Arc::clone(&frame)));
        let shown = Shown { frame, at, key, opens, odd };
        if self.tell(Job::Frame(shown)) { Outcome::Fine } else { Outcome::Gone }
    }

    /// Whether the part ends before the picture at `at`; `Some(true)`: it is the last of those that are out already.
    fn ends_part(&mut self, at: MediaTime) -> Option<bool> {
        // A part begins with a picture that all renditions have.
        let (parts, _) =
            (self.parts.as_mut()?, self.open.as_ref().filter(|open| !(self.halves && open.is_odd()))?);
        let step = if self.halves { self.step.plus(self.step) } else { self.step };
        parts.cuts(at, step)
    }

    fn tell(&self, job: Job) -> bool {
        self.chain.as_ref().is_none_or(|chain| chain.send(job).is_ok())
    }
}

impl Open {
    /// Whether the next picture is one that renditions at half the frame rate leave out.
    fn is_odd(&self) -> bool {
        (self.before + self.times.len() as u64) % 2 == 1
    }
}

fn shape(picture: &frame::Video) -> (ff::format::Pixel, u32, u32) {
    (picture.format(), picture.width(), picture.height())
}
