//! Decoded pictures in presentation order: the ones before the start are discarded, gaps are bridged, boundaries found,
//! and each is sent down the chain of renditions with its time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use ff::{frame, picture};
use ffmpeg_next as ff;

use super::cut::{Cutter, Place};
use super::error::MediaError;
use super::ladder::Picture;
use super::rungs::Rungs;
use super::stats::{Counters, add};
use super::time::{MediaTime, VideoSpan};
use super::video::{Colour, Job};

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
    /// The renditions are gone.
    Gone,
}

/// A segment whose video is complete.
pub(super) struct Closed {
    pub(super) number: u64,
    pub(super) span: VideoSpan,
    pub(super) frames: u32,
    pub(super) repeated: u32,
}

struct Open {
    number: u64,
    times: Vec<MediaTime>,
    repeated: u32,
}

/// The video side of one run, behind the decoder.
pub(super) struct Pictures<'a> {
    from: MediaTime,
    cutter: Cutter,
    next_number: u64,
    step: MediaTime,
    shape: Option<(ff::format::Pixel, u32, u32)>,
    chain: Option<SyncSender<Job>>,
    open: Option<Open>,
    last: Option<(MediaTime, Arc<frame::Video>)>,
    before: Option<frame::Video>,
    unusable: u32,
    counters: &'a Counters,
    pub(super) closed: VecDeque<Closed>,
}

impl<'a> Pictures<'a> {
    pub(super) fn new(from: MediaTime, duration: MediaTime, number: u64, counters: &'a Counters) -> Self {
        Self {
            from,
            cutter: Cutter::new(duration),
            next_number: number,
            step: MediaTime::from_millis(33),
            shape: None,
            chain: None,
            open: None,
            last: None,
            before: None,
            unusable: 0,
            counters,
            closed: VecDeque::new(),
        }
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

    /// Starts the renditions for the source's first picture, wanted or not.
    pub(super) fn prepare(
        &mut self,
        picture: &frame::Video,
        frame_rate: f64,
        rungs: &mut Rungs<'_, 'a>,
    ) -> Result<(), MediaError> {
        if self.shape.is_some() {
            return Ok(());
        }
        let aspect = picture.aspect_ratio();
        let aspect = if aspect.denominator() == 0 { 1.0 } else { f64::from(aspect) };
        let colour = Colour {
            space: picture.color_space(),
            primaries: picture.color_primaries(),
            transfer: picture.color_transfer_characteristic(),
        };
        let source = Picture { width: picture.width(), height: picture.height(), aspect };
        self.chain = Some(rungs.start(source, frame_rate, colour)?);
        self.shape = Some(shape(picture));
        self.step = MediaTime::from_ticks((90_000.0 / frame_rate).round() as i64);
        Ok(())
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
            && at.minus(self.from) > self.cutter.overrun()
            && at.minus(self.from) <= MAX_STEP
            && !self.repeat(before, self.from)
        {
            return Outcome::Gone;
        }
        while let (Some(instant), Some((_, last))) = (self.cutter.fill(at), &self.last) {
            let copy = frame::Video::clone(last);
            if !self.repeat(copy, instant) {
                return Outcome::Gone;
            }
        }
        if self.send(picture, at) { Outcome::Fine } else { Outcome::Gone }
    }

    /// The end of the last picture if nothing follows it.
    pub(super) fn natural_end(&self) -> Option<MediaTime> {
        self.newest().map(|newest| newest.plus(self.step))
    }

    /// The latest instant at which a successor can continue exactly, if it can at all within the open segment: a
    /// picture's own time, so that this picture and all after it are the successor's.
    pub(super) fn exact_end(&self, allowed: impl Fn(MediaTime) -> bool) -> Option<MediaTime> {
        let open = self.open.as_ref()?;
        open.times.iter().skip(1).rev().copied().find(|&at| allowed(at))
    }

    /// Ends the open segment; pictures at or after `end` are not part of it.
    pub(super) fn close(&mut self, end: MediaTime) -> bool {
        let Some(open) = self.open.take() else { return true };
        let frames = open.times.iter().filter(|&&at| at < end).count();
        let Some(&start) = open.times.first().filter(|_| frames > 0) else { return true };
        let span = VideoSpan { start, end };
        self.closed.push_back(Closed {
            number: open.number,
            span,
            frames: frames as u32,
            repeated: open.repeated,
        });
        self.tell(Job::Cut { number: open.number, end })
    }

    /// Lets the renditions flush what was closed; without it they drop everything.
    pub(super) fn end(&mut self) {
        self.tell(Job::End);
        self.chain = None;
    }

    fn repeat(&mut self, picture: frame::Video, at: MediaTime) -> bool {
        add(&self.counters.repeated, 1);
        let sent = self.send(picture, at);
        if let Some(open) = &mut self.open {
            open.repeated += 1;
        }
        sent
    }

    fn send(&mut self, mut picture: frame::Video, at: MediaTime) -> bool {
        let place = self.cutter.place(at);
        if place == Place::Cuts && !self.close(at) {
            return false;
        }
        let key = place != Place::Within;
        if key {
            self.open = Some(Open { number: self.next_number, times: Vec::new(), repeated: 0 });
            self.next_number += 1;
        }
        if let Some(open) = &mut self.open {
            open.times.push(at);
        }
        picture.set_pts(Some(at.ticks()));
        // The decoder's own picture type would make x264 repeat the source's.
        picture.set_kind(if key { picture::Type::I } else { picture::Type::None });
        let frame = Arc::new(picture);
        self.last = Some((at, Arc::clone(&frame)));
        self.tell(Job::Frame { frame, at, key })
    }

    fn tell(&self, job: Job) -> bool {
        self.chain.as_ref().is_some_and(|chain| chain.send(job).is_ok())
    }
}

fn shape(picture: &frame::Video) -> (ff::format::Pixel, u32, u32) {
    (picture.format(), picture.width(), picture.height())
}
