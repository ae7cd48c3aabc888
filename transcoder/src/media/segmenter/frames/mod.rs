//! Decoded pictures in presentation order: the ones before the start are discarded, gaps are bridged, boundaries found,
//! and each is sent down the chain of renditions with its time.

mod open;
mod showing;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use ff::{frame, picture};
use ffmpeg_next as ff;

pub(crate) use self::open::Closed;
use self::open::{Open, shape};
pub(crate) use self::showing::Showing;
use super::cut::{Boundaries, Boundary, Cutter, PartCutter};
use crate::media::settings::EngineSettings;
use crate::media::stats::{Counters, add};
use crate::media::video::encode::{Cut, Job, Shown};
use crate::media::video::rungs::Chain;
use crate::media::{Effort, MediaTime, Placement, StartPoint};

/// What a picture led to.
pub(crate) enum Outcome {
    /// It is shown then.
    Shown(MediaTime),
    /// It is not shown: it lies before the start, or its time cannot be used.
    Passed,
    /// It has another size or format than those before; nothing was done with it.
    Changed,
    /// Picture after picture does not fit behind the ones shown.
    Jumped,
    /// Boundaries were given, and this picture shows that they cannot be kept.
    Unfit,
    /// The renditions are gone.
    Gone,
}

/// The video side of one run, behind the decoder.
pub(crate) struct Frames<'a> {
    from: MediaTime,
    /// Nothing of the run was shown before: once it has begun nothing is left out.
    is_new: bool,
    /// The newest picture is shown on, because no other comes.
    holding: bool,
    /// The last picture before it was shown on: those that follow it come late, if a decoder has held them meanwhile.
    paused_at: Option<MediaTime>,
    /// No segment may be longer.
    longest: MediaTime,
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
    /// When the open segment began.
    begun: Option<MediaTime>,
    /// Pictures in a row that were late.
    late: u32,
    counters: &'a Counters,
    /// For the next segment.
    pub(crate) effort: Effort,
    pub(crate) closed: VecDeque<Closed>,
}

impl<'a> Frames<'a> {
    pub(crate) fn new(settings: &EngineSettings, start: &StartPoint, counters: &'a Counters) -> Self {
        let cutter = Cutter::new(settings.segment_duration);
        Self {
            from: start.video_from,
            is_new: start.placement == Placement::AlignFirst,
            holding: false,
            paused_at: None,
            longest: MediaTime::from_ticks(settings.segment_duration.ticks() * 49 / 40),
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
            begun: None,
            late: 0,
            counters,
            effort: Effort::default(),
            closed: VecDeque::new(),
        }
    }

    /// From now on segments begin where pictures say, instead of at multiples of their duration.
    pub(crate) fn follow_source(&mut self) {
        self.boundaries = Boundaries::Given { opened: false };
    }

    /// Whether segments begin where the source's IDRs are.
    pub(super) fn follows_source(&self) -> bool {
        matches!(self.boundaries, Boundaries::Given { .. })
    }

    /// Back to multiples of the duration, before any picture was sent.
    pub(crate) fn follow_grid(&mut self, settings: &EngineSettings) {
        self.boundaries = Boundaries::Grid(Cutter::new(settings.segment_duration));
    }

    /// Whether the renditions were started.
    pub(crate) fn is_prepared(&self) -> bool {
        self.shape.is_some()
    }

    /// The renditions were started for the source's first picture, wanted or not.
    pub(crate) fn prepare(&mut self, picture: &frame::Video, frame_rate: f64, chain: Chain) {
        self.halves = chain.halves;
        self.reorders = chain.reorders;
        self.chain = chain.first;
        self.shape = Some(shape(picture));
        self.step = MediaTime::from_ticks((90_000.0 / frame_rate).round() as i64);
    }

    /// When the first picture that is part of the timeline is shown.
    pub(crate) fn first(&self) -> Option<MediaTime> {
        let open = self.open.as_ref().and_then(|o| o.times.first().copied());
        self.closed.front().map(|c| c.span.start).or(open)
    }

    /// When the newest picture is shown.
    pub(crate) fn newest(&self) -> Option<MediaTime> {
        self.last.as_ref().map(|(at, _)| *at)
    }

    /// Where the picture before `next` must be shown again, so that neither segment nor part gets too long.
    fn fill(&self, next: MediaTime) -> Option<MediaTime> {
        let of_part = self.parts.as_ref().filter(|_| self.open.is_some()).and_then(|parts| parts.fill(next));
        self.boundaries.fill(next).into_iter().chain(of_part).min()
    }

    /// The end of the last picture if nothing follows it.
    pub(crate) fn natural_end(&self) -> Option<MediaTime> {
        self.newest().map(|newest| newest.plus(self.step))
    }

    /// The latest instant at which a successor can continue exactly, if it can at all within the open segment: a
    /// picture's own time, so that this picture and all after it are the successor's. It cannot within a GOP that is
    /// copied or has B-frames, nor once parts of the segment are out.
    pub(crate) fn exact_end(&self, allowed: impl Fn(MediaTime) -> bool) -> Option<MediaTime> {
        let open = self
            .open
            .as_ref()
            .filter(|_| !self.follows_source() && !self.reorders && self.parts.is_none())?;
        open.times.iter().skip(1).rev().copied().find(|&at| allowed(at))
    }

    /// Ends the open segment; pictures at or after `end` are not part of it.
    pub(crate) fn close(&mut self, end: MediaTime) -> bool {
        self.open.take().is_none_or(|open| self.close_part(&open, end, true))
    }

    fn close_part(&mut self, open: &Open, end: MediaTime, last: bool) -> bool {
        let Some(closed) = open.closed(end, last) else { return true };
        self.closed.push_back(closed);
        self.tell(Job::Cut(Cut { place: open.place, end }))
    }

    /// Lets the renditions flush what was closed; without it they drop everything.
    pub(crate) fn end(&mut self) {
        self.tell(Job::End);
        self.chain = None;
    }

    fn repeat(&mut self, picture: frame::Video, at: MediaTime) -> Outcome {
        add(&self.counters.repeated, 1);
        let sent = self.send(picture, at, false);
        if let Some(open) = &mut self.open {
            open.repeated += 1;
        }
        sent
    }

    fn send(&mut self, mut picture: frame::Video, at: MediaTime, given: bool) -> Outcome {
        let Some(place) = self.boundaries.place(at, given) else { return Outcome::Unfit };
        if place == Boundary::Cuts && !self.close(at) {
            return Outcome::Gone;
        }
        let opens = (place != Boundary::Within).then_some(self.effort);
        let mut key = opens.is_some();
        if let Some(effort) = opens {
            let place = (self.next_number, 0);
            self.next_number += 1;
            self.begun = Some(at);
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
        if self.tell(Job::Frame(shown)) { Outcome::Shown(at) } else { Outcome::Gone }
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
