//! The pictures' side: packets are copied and decoded, pictures placed and sent down the chain of renditions.

use std::collections::VecDeque;

use ff::{codec, frame};
use ffmpeg_next as ff;

use super::audio_track::Sound;
use super::run::{MAX_SKEW, Run, Tracks};
use super::stop::{Closing, Drain, Flow, Stop};
use crate::media::decode::VideoDecoder;
use crate::media::decode::deinterlace::Deinterlacer;
use crate::media::error::MediaError;
use crate::media::package::assemble::Names;
use crate::media::plan::ladder::{self, Picture, Plan};
use crate::media::plan::names;
use crate::media::segment::EndReason;
use crate::media::segmenter::frames::{Frames, Outcome, Showing};
use crate::media::source::composition::Composition;
use crate::media::source::{Track, Unit};
use crate::media::stages::Meter;
use crate::media::stats::add;
use crate::media::video::copy::{CopiedVideo, Taken, Unfit};
use crate::media::video::rungs::Rungs;
use crate::media::video::x264::Colour;
use crate::media::{MediaTime, Placement};

/// Ticks of T in FLV's unit of time.
const TICKS_PER_MILLI: i64 = MediaTime::from_millis(1).ticks();
/// Milliseconds of sound without a packet of pictures after which the decoder hands out what it holds.
const MAX_OWED_MILLIS: i64 = 1_000;

/// The pictures of a run.
pub(super) struct Pictures<'scope, 'env> {
    composition: Composition<Taken>,
    /// Packets that the run begins with, until they can be judged.
    unjudged: VecDeque<Unit>,
    decoder: Option<VideoDecoder>,
    deinterlacer: Deinterlacer,
    pub(super) frames: Frames<'env>,
    pub(super) copy: Option<CopiedVideo>,
    /// The copied track, as muxers want it.
    pub(super) copied_track: Option<codec::Context>,
    pub(super) names: Names,
    pub(super) rungs: Rungs<'scope, 'env>,
    pub(super) decoding: Meter,
    /// When the picture is shown that ended a run of sound.
    pub(super) appear_at: Option<MediaTime>,
}

impl<'scope, 'env> Pictures<'scope, 'env> {
    pub(super) fn new(frames: Frames<'env>, rungs: Rungs<'scope, 'env>) -> Self {
        Self {
            composition: Composition::default(),
            unjudged: VecDeque::new(),
            decoder: None,
            deinterlacer: Deinterlacer::default(),
            frames,
            copy: None,
            copied_track: None,
            names: Names::default(),
            rungs,
            decoding: Meter::default(),
            appear_at: None,
        }
    }

    /// Waits for the renditions; the first failure of any.
    pub(super) fn join(self) -> Result<(), MediaError> {
        let Self { frames, rungs, .. } = self;
        // The chain's sender goes first: without it a rung that waits for pictures would never end.
        drop(frames);
        rungs.join()
    }

    /// The cursor of the newest packet that is still to be judged.
    pub(super) fn last_unjudged(&self) -> u64 {
        self.unjudged.back().map_or(0, |unit| unit.cursor)
    }

    /// Takes a packet of pictures, to be judged with those around it.
    pub(super) fn take(&mut self, run: &mut Run<'env>, sound: &mut Sound<'env>, unit: Unit) -> Flow {
        add(&run.counters.video_packets, 1);
        self.composition.note(unit.pts_millis, unit.dts_millis);
        if run.tracks == Tracks::AudioOnly {
            let pts_millis = self.composition.mend(unit.pts_millis, unit.dts_millis);
            run.ledger.saw(Track::Video, unit.cursor, pts_millis);
            if !unit.packet.is_key() {
                return Ok(None);
            }
            let at = run.place(pts_millis);
            self.appear_at = Some(at);
            return Ok(Some(Stop(EndReason::TracksChanged, Closing::At(at), Drain::No)));
        }
        self.unjudged.push_back(unit);
        self.judge(run, sound, false)
    }

    /// Passes on the packets that are judged; `all`: those that a run begins with, too.
    pub(super) fn judge(&mut self, run: &mut Run<'env>, sound: &mut Sound<'env>, all: bool) -> Flow {
        while let Some(first) = self.unjudged.front() {
            let newest = run.clock.newest();
            if !all && !self.composition.is_settled(first.dts_millis, newest) {
                break;
            }
            let Some(mut unit) = self.unjudged.pop_front() else { break };
            let claimed = unit.pts_millis;
            unit.pts_millis = self.composition.mend(claimed, unit.dts_millis);
            if unit.pts_millis != claimed {
                add(&run.counters.retimed, 1);
                run.noted.times_damaged(unit.dts_millis);
            }
            run.ledger.saw(Track::Video, unit.cursor, unit.pts_millis);
            if let stop @ Some(_) = self.pass_on(run, sound, unit)? {
                return Ok(stop);
            }
        }
        Ok(None)
    }

    fn pass_on(&mut self, run: &mut Run<'env>, sound: &mut Sound<'env>, mut unit: Unit) -> Flow {
        if self.decoder.is_none() {
            let Some(parameters) = run.source.parameters(Track::Video) else { return Ok(None) };
            if run.settings.passthrough.video && parameters.id() == codec::Id::H264 {
                self.copy = Some(CopiedVideo::new(run.settings.segment_duration, &run.start));
                self.frames.follow_source();
            }
            self.decoder = Some(VideoDecoder::open(parameters, run.settings.decode_threads)?);
        }
        // Before it is decoded: its picture must find the boundary.
        let offset = run.offset.unwrap_or_else(|| sound.aligned(run, unit.pts_millis));
        let serial = self.composition.next_serial();
        let mut taken = Taken::default();
        if let Some(copy) = &mut self.copy {
            run.offset = Some(offset);
            if self.composition.is_negative() {
                return Ok(Some(Stop::unfit(Unfit("it shows pictures before they are decoded"))));
            }
            let place = |millis| MediaTime::from_millis(millis).plus(offset);
            match copy.push(&unit.packet, serial, place(unit.pts_millis), place(unit.dts_millis)) {
                Ok(copied) => taken = copied,
                Err(unfit) => return Ok(Some(Stop::unfit(unfit))),
            }
        }
        self.composition.sent(unit.pts_millis, taken);
        unit.packet.set_pts(Some(serial));
        self.decode(run, sound, Some(&unit))
    }

    /// Has the decoder, and the deinterlacer behind it, hand out what they hold, once sound has gone on for a while without
    /// another packet of pictures.
    pub(super) fn release(&mut self, run: &mut Run<'env>, sound: &mut Sound<'env>) -> Flow {
        let (Some(video), Some(audio)) = (run.clock.video, run.clock.audio) else { return Ok(None) };
        if audio - video <= MAX_OWED_MILLIS || !self.composition.is_owed() {
            return Ok(None);
        }
        let Some(decoder) = &mut self.decoder else { return Ok(None) };
        let mut frames = Vec::new();
        let released = self.decoding.measure(|| decoder.release(audio, &mut frames));
        let stop = self.take_frames(run, sound, frames, released.unwrap_or(0), true)?;
        // Else they come with the packets that follow, and are shown then.
        if released.is_some() {
            self.composition.forget();
        }
        Ok(stop)
    }

    pub(super) fn decode(
        &mut self,
        run: &mut Run<'env>,
        sound: &mut Sound<'env>,
        unit: Option<&Unit>,
    ) -> Flow {
        let Some(decoder) = &mut self.decoder else { return Ok(None) };
        let mut frames = Vec::new();
        let errors = self.decoding.measure(|| decoder.decode(unit.map(|u| &u.packet), &mut frames));
        self.take_frames(run, sound, frames, errors, unit.is_none())
    }

    fn take_frames(
        &mut self,
        run: &mut Run<'env>,
        sound: &mut Sound<'env>,
        frames: Vec<frame::Video>,
        errors: u64,
        is_last: bool,
    ) -> Flow {
        add(&run.counters.video_errors, errors);
        if errors > 0 {
            run.noted.damaged(run.clock.video.unwrap_or(0));
            if self.copy.is_some() && self.frames.newest().is_some() {
                return Ok(Some(Stop::unfit(Unfit("its packets are damaged"))));
            }
        }
        let mut whole = Vec::with_capacity(frames.len());
        for frame in frames {
            if frame.is_interlaced() {
                add(&run.counters.deinterlaced, 1);
                run.noted.interlaced(run.clock.video.unwrap_or(0));
                if self.copied_track.is_some() {
                    return Ok(Some(Stop::unfit(Unfit("its pictures are interlaced"))));
                }
            }
            self.decoding.measure(|| self.deinterlacer.push(Some(frame), &mut whole))?;
        }
        if is_last {
            self.deinterlacer.push(None, &mut whole)?;
        }
        for frame in whole {
            if let stop @ Some(_) = self.picture(run, sound, frame)? {
                return Ok(stop);
            }
        }
        Ok(None)
    }

    fn picture(&mut self, run: &mut Run<'env>, sound: &mut Sound<'env>, frame: frame::Video) -> Flow {
        let Some(serial) = frame.pts().or(frame.timestamp()) else { return Ok(None) };
        let last = self.frames.newest().zip(run.offset);
        let last = last.map(|(newest, offset)| newest.minus(offset).ticks().div_euclid(TICKS_PER_MILLI));
        let Some((millis, taken)) = self.composition.shown(serial, last) else { return Ok(None) };
        if run.offset.is_none() {
            run.offset = Some(match run.start.placement {
                Placement::AlignFirst => sound.aligned(run, millis),
                Placement::Offset(offset) => offset,
            });
        }
        self.prepare(run, &frame)?;
        let at = run.place(millis);
        let first = self.frames.newest().is_none();
        let showing = Showing { at, not_before: taken.not_before, opens: taken.opens };
        let stop = match self.frames.push(frame, showing) {
            Outcome::Shown(at) => {
                if let Some(copy) = &mut self.copy {
                    copy.shown(serial, at);
                }
                run.noted.shown();
                None
            }
            Outcome::Passed => None,
            Outcome::Jumped => {
                Some(Stop(EndReason::TimestampJump, Closing::Natural { tail: false }, Drain::No))
            }
            Outcome::Unfit => Some(Stop::unfit(Unfit("its pictures are not those of its packets"))),
            Outcome::Gone => Some(Stop::gone()),
            Outcome::Changed => {
                // Not from the sound before it: that would bring the old pictures, and this end, again.
                run.go_on_at = run.ledger.pictures_from(at, run.offset.unwrap_or_default());
                // Its time may be nonsense.
                let latest = self.frames.natural_end().map_or(at, |end| end.plus(MAX_SKEW));
                Some(Stop(EndReason::ParametersChanged, Closing::At(at.min(latest)), Drain::No))
            }
        };
        // Media before this picture is missing for so long that the timeline rather starts late than with silence.
        if let Some(shown) = self.frames.first().filter(|_| first)
            && shown.minus(run.start.video_from) > MAX_SKEW
        {
            sound.cut = sound.cut.max(shown.frame());
        }
        Ok(stop)
    }

    /// Starts the renditions, now that a picture shows what the source is.
    fn prepare(&mut self, run: &Run<'env>, frame: &frame::Video) -> Result<(), MediaError> {
        if self.frames.is_prepared() {
            return Ok(());
        }
        let claimed = [self.decoder.as_ref().map_or(0.0, VideoDecoder::frame_rate), run.source.frame_rate()];
        let frame_rate = ladder::frame_rate(claimed);
        let aspect = frame.aspect_ratio();
        let picture = Picture {
            width: frame.width(),
            height: frame.height(),
            aspect: if aspect.denominator() == 0 { 1.0 } else { f64::from(aspect) },
            frame_rate,
        };
        let Plan { mut encoded, copy } = ladder::plan(picture, run.settings.ladder.as_deref())?;
        // An interlaced one is not flagged so any more.
        let plain = frame.format() == ff::format::Pixel::YUV420P && !self.deinterlacer.is_needed();
        let first = match (&mut self.copy, copy.filter(|_| plain), &self.decoder) {
            (Some(copied), Some(plan), Some(decoder)) => {
                encoded.drain(..plan.replaces.min(encoded.len()));
                copied.admit(plan, frame_rate);
                self.copied_track = Some(decoder.track()?);
                1
            }
            _ => {
                self.copy = None;
                self.frames.follow_grid(run.settings);
                0
            }
        };
        let colour = Colour::of(frame);
        let copied = self.copy.as_ref().and_then(CopiedVideo::sized);
        let made: Vec<_> =
            copied.into_iter().chain(&encoded).map(|one| (one.rung.name.clone(), one.rung.height)).collect();
        self.names = names::assign(&made, &run.settings.names).into();
        let chain = self.rungs.start(encoded, first, (frame.width(), frame.height()), frame_rate, colour)?;
        self.frames.prepare(frame, frame_rate, chain);
        Ok(())
    }
}
