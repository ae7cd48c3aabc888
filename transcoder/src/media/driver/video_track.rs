//! The video side: packets are copied and decoded, pictures placed and sent down the chain of renditions.

use ff::{codec, frame};
use ffmpeg_next as ff;

use super::closing::Closing;
use super::tracks::Tracks;
use super::{Drain, Driver, Flow, MAX_SKEW, Stop};
use crate::media::decode::VideoDecoder;
use crate::media::error::MediaError;
use crate::media::plan::ladder::{self, Picture, Plan};
use crate::media::plan::names;
use crate::media::segment::EndReason;
use crate::media::segmenter::frames::{Outcome, Showing};
use crate::media::source::{Track, Unit};
use crate::media::stats::add;
use crate::media::video::copy::{CopiedVideo, Taken, Unfit};
use crate::media::video::x264::Colour;
use crate::media::{FRAME_SAMPLES, MediaTime, Placement};

/// Ticks of T in FLV's unit of time.
const TICKS_PER_MILLI: i64 = MediaTime::from_millis(1).ticks();

/// Milliseconds of sound without a packet of pictures after which the decoder hands out what it holds.
const MAX_OWED_MILLIS: i64 = 1_000;

impl Driver<'_, '_> {
    /// Takes a packet of pictures, to be judged with those around it.
    pub(super) fn take_video(&mut self, unit: Unit) -> Flow {
        add(&self.counters.video_packets, 1);
        self.composition.note(unit.pts_millis, unit.dts_millis);
        if self.tracks == Tracks::AudioOnly {
            let pts_millis = self.composition.mend(unit.pts_millis, unit.dts_millis);
            self.ledger.saw(Track::Video, unit.cursor, pts_millis);
            if !unit.packet.is_key() {
                return Ok(None);
            }
            let at = self.place(pts_millis);
            self.pictures_from = Some(at);
            return Ok(Some(Stop(EndReason::TracksChanged, Closing::At(at), Drain::No)));
        }
        self.unjudged.push_back(unit);
        self.judge(false)
    }

    /// Passes on the packets that are judged; `all`: those that a run begins with, too.
    pub(super) fn judge(&mut self, all: bool) -> Flow {
        while let Some(first) = self.unjudged.front() {
            let newest = self.video_millis.max(self.audio_millis).unwrap_or(0);
            if !all && !self.composition.is_settled(first.dts_millis, newest) {
                break;
            }
            let Some(mut unit) = self.unjudged.pop_front() else { break };
            let claimed = unit.pts_millis;
            unit.pts_millis = self.composition.mend(claimed, unit.dts_millis);
            if unit.pts_millis != claimed {
                add(&self.counters.retimed, 1);
                self.noted.times_damaged(unit.dts_millis);
            }
            self.ledger.saw(Track::Video, unit.cursor, unit.pts_millis);
            let stop = self.pass_on(unit)?;
            if stop.is_some() {
                return Ok(stop);
            }
        }
        Ok(None)
    }

    fn pass_on(&mut self, mut unit: Unit) -> Flow {
        if self.decoder.is_none() {
            let Some(parameters) = self.source.parameters(Track::Video) else { return Ok(None) };
            if self.settings.passthrough.video && parameters.id() == codec::Id::H264 {
                self.copy = Some(CopiedVideo::new(self.settings.segment_duration, &self.start));
                self.frames.follow_source();
            }
            self.decoder = Some(VideoDecoder::open(parameters, self.settings.decode_threads)?);
        }
        // Before it is decoded: its picture must find the boundary.
        let offset = self.offset.unwrap_or_else(|| self.aligned(unit.pts_millis));
        let serial = self.composition.next_serial();
        let mut taken = Taken::default();
        if let Some(copy) = &mut self.copy {
            self.offset = Some(offset);
            if self.composition.is_negative() {
                return Ok(Some(Self::unfit(Unfit("it shows pictures before they are decoded"))));
            }
            let place = |millis| MediaTime::from_millis(millis).plus(offset);
            match copy.push(&unit.packet, serial, place(unit.pts_millis), place(unit.dts_millis)) {
                Ok(copied) => taken = copied,
                Err(unfit) => return Ok(Some(Self::unfit(unfit))),
            }
        }
        self.composition.sent(unit.pts_millis, taken);
        unit.packet.set_pts(Some(serial));
        self.decode_video(Some(&unit))
    }

    /// Has the decoder, and the deinterlacer behind it, hand out what they hold, once sound has gone on for a while without
    /// another packet of pictures.
    pub(super) fn release(&mut self) -> Flow {
        let (Some(video), Some(audio)) = (self.video_millis, self.audio_millis) else { return Ok(None) };
        if audio - video <= MAX_OWED_MILLIS || !self.composition.is_owed() {
            return Ok(None);
        }
        let Some(decoder) = &mut self.decoder else { return Ok(None) };
        let mut frames = Vec::new();
        let released = self.decoding.measure(|| decoder.release(audio, &mut frames));
        let stop = self.take_frames(frames, released.unwrap_or(0), true)?;
        // Else they come with the packets that follow, and are shown then.
        if released.is_some() {
            self.composition.forget();
        }
        Ok(stop)
    }

    pub(super) fn decode_video(&mut self, unit: Option<&Unit>) -> Flow {
        let Some(decoder) = &mut self.decoder else { return Ok(None) };
        let mut frames = Vec::new();
        let errors = self.decoding.measure(|| decoder.decode(unit.map(|u| &u.packet), &mut frames));
        self.take_frames(frames, errors, unit.is_none())
    }

    fn take_frames(&mut self, frames: Vec<frame::Video>, errors: u64, is_last: bool) -> Flow {
        add(&self.counters.video_errors, errors);
        if errors > 0 {
            self.noted.damaged(self.video_millis.unwrap_or(0));
            if self.copy.is_some() && self.frames.newest().is_some() {
                return Ok(Some(Self::unfit(Unfit("its packets are damaged"))));
            }
        }
        let mut whole = Vec::with_capacity(frames.len());
        for frame in frames {
            if frame.is_interlaced() {
                add(&self.counters.deinterlaced, 1);
                self.noted.interlaced(self.video_millis.unwrap_or(0));
                if self.copied_track.is_some() {
                    return Ok(Some(Self::unfit(Unfit("its pictures are interlaced"))));
                }
            }
            self.decoding.measure(|| self.deinterlacer.push(Some(frame), &mut whole))?;
        }
        if is_last {
            self.deinterlacer.push(None, &mut whole)?;
        }
        for frame in whole {
            let stop = self.picture(frame)?;
            if stop.is_some() {
                return Ok(stop);
            }
        }
        Ok(None)
    }

    /// The offset that puts FLV time `millis` at the start; a little later if that lays the sound on the grid, so that
    /// it need not be shifted.
    fn aligned(&self, millis: i64) -> MediaTime {
        let offset = self.start.video_from.minus(MediaTime::from_millis(millis));
        let Some(sound) = self.held.front().filter(|_| self.settings.passthrough.audio) else {
            return offset;
        };
        let frame = MediaTime::from_ticks(FRAME_SAMPLES as i64 * 15 / 8);
        let beside = MediaTime::from_millis(sound.pts_millis).plus(offset).ticks().rem_euclid(frame.ticks());
        if beside == 0 { offset } else { offset.plus(frame.minus(MediaTime::from_ticks(beside))) }
    }

    fn picture(&mut self, frame: frame::Video) -> Flow {
        let Some(serial) = frame.pts().or(frame.timestamp()) else { return Ok(None) };
        let last = self.frames.newest().zip(self.offset);
        let last = last.map(|(newest, offset)| newest.minus(offset).ticks().div_euclid(TICKS_PER_MILLI));
        let Some((millis, taken)) = self.composition.shown(serial, last) else { return Ok(None) };
        if self.offset.is_none() {
            self.offset = Some(match self.start.placement {
                Placement::AlignFirst => self.aligned(millis),
                Placement::Offset(offset) => offset,
            });
        }
        self.prepare(&frame)?;
        let at = self.place(millis);
        let first = self.frames.newest().is_none();
        let showing = Showing { at, not_before: taken.not_before, opens: taken.opens };
        let stop = match self.frames.push(frame, showing) {
            Outcome::Shown(at) => {
                if let Some(copy) = &mut self.copy {
                    copy.shown(serial, at);
                }
                self.noted.shown();
                None
            }
            Outcome::Passed => None,
            Outcome::Jumped => {
                Some(Stop(EndReason::TimestampJump, Closing::Natural { tail: false }, Drain::No))
            }
            Outcome::Unfit => Some(Self::unfit(Unfit("its pictures are not those of its packets"))),
            Outcome::Gone => Some(Stop(EndReason::Aborted, Closing::Never, Drain::No)),
            Outcome::Changed => {
                // Not from the sound before it: that would bring the old pictures, and this end, again.
                self.go_on_at = self.ledger.pictures_from(at, self.offset.unwrap_or_default());
                // Its time may be nonsense.
                let latest = self.frames.natural_end().map_or(at, |end| end.plus(MAX_SKEW));
                Some(Stop(EndReason::ParametersChanged, Closing::At(at.min(latest)), Drain::No))
            }
        };
        // Media before this picture is missing for so long that the timeline rather starts late than with silence.
        if let Some(shown) = self.frames.first().filter(|_| first)
            && shown.minus(self.start.video_from) > MAX_SKEW
        {
            self.audio_cut = self.audio_cut.max(shown.frame());
        }
        Ok(stop)
    }

    /// Starts the renditions, now that a picture shows what the source is.
    fn prepare(&mut self, frame: &frame::Video) -> Result<(), MediaError> {
        if self.frames.is_prepared() {
            return Ok(());
        }
        let claimed = [self.decoder.as_ref().map_or(0.0, VideoDecoder::frame_rate), self.source.frame_rate()];
        let frame_rate = ladder::frame_rate(claimed);
        let aspect = frame.aspect_ratio();
        let picture = Picture {
            width: frame.width(),
            height: frame.height(),
            aspect: if aspect.denominator() == 0 { 1.0 } else { f64::from(aspect) },
            frame_rate,
        };
        let Plan { mut encoded, copy } = ladder::plan(picture, self.settings.ladder.as_deref())?;
        // An interlaced one is not flagged so any more.
        let plain = frame.format() == ff::format::Pixel::YUV420P && !self.deinterlacer.is_needed();
        let mut first = 0;
        match (&mut self.copy, copy.filter(|_| plain), &self.decoder) {
            (Some(copied), Some(plan), Some(decoder)) => {
                encoded.drain(..plan.replaces.min(encoded.len()));
                first = 1;
                copied.admit(plan, frame_rate);
                self.copied_track = Some(decoder.track()?);
            }
            _ => {
                self.copy = None;
                self.frames.follow_grid(self.settings);
            }
        }
        let colour = Colour::of(frame);
        let copied = self.copy.as_ref().and_then(CopiedVideo::sized);
        let made: Vec<_> =
            copied.into_iter().chain(&encoded).map(|one| (one.rung.name.clone(), one.rung.height)).collect();
        self.names = names::assign(&made, &self.settings.names).into();
        self.governing.encoded(encoded.len());
        let chain = self.rungs.start(encoded, first, (frame.width(), frame.height()), frame_rate, colour)?;
        self.frames.prepare(frame, frame_rate, chain);
        Ok(())
    }
}
