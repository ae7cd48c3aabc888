//! The video side: packets are copied and decoded, pictures placed and sent down the chain of renditions.

use ff::{codec, frame};
use ffmpeg_next as ff;

use super::super::copy::{CopiedVideo, Unfit};
use super::super::decode::VideoDecoder;
use super::super::error::MediaError;
use super::super::ladder::{self, Picture, Plan};
use super::super::pictures::Outcome;
use super::super::segment::EndReason;
use super::super::settings::Placement;
use super::super::source::{Track, Unit};
use super::super::stats::add;
use super::super::time::{FRAME_SAMPLES, MediaTime};
use super::super::x264::Colour;
use super::closing::Closing;
use super::tracks::Tracks;
use super::{Drain, Driver, Flow, MAX_SKEW, Stop};

impl Driver<'_, '_> {
    pub(super) fn take_video(&mut self, unit: &Unit) -> Flow {
        add(&self.counters.video_packets, 1);
        if self.tracks == Tracks::AudioOnly {
            let usable = unit.packet.is_key() && self.place(unit.pts_millis) >= self.audio_cut.time();
            return Ok(usable.then_some(Stop(EndReason::TracksChanged, Closing::Exact, Drain::No)));
        }
        if self.decoder.is_none() {
            let Some(parameters) = self.source.parameters(Track::Video) else { return Ok(None) };
            if self.settings.passthrough.video && parameters.id() == codec::Id::H264 {
                self.copy = Some(CopiedVideo::new(self.settings.segment_duration, &self.start));
                self.pictures.follow_source();
            }
            self.decoder = Some(VideoDecoder::open(parameters, self.settings.decode_threads)?);
        }
        // Before it is decoded: its picture must find the boundary.
        let offset = self.offset.unwrap_or_else(|| self.aligned(unit.pts_millis));
        if let Some(copy) = &mut self.copy {
            self.offset = Some(offset);
            let place = |millis| MediaTime::from_millis(millis).plus(offset);
            match copy.push(&unit.packet, place(unit.pts_millis), place(unit.dts_millis)) {
                Ok(true) => self.pictures.given(place(unit.pts_millis)),
                Ok(false) => {}
                Err(unfit) => return Ok(Some(Self::unfit(unfit))),
            }
        }
        self.decode_video(Some(unit))
    }

    pub(super) fn decode_video(&mut self, unit: Option<&Unit>) -> Flow {
        let Some(decoder) = &mut self.decoder else { return Ok(None) };
        let mut frames = Vec::new();
        let errors = self.decoding.measure(|| decoder.decode(unit.map(|u| &u.packet), &mut frames));
        add(&self.counters.video_errors, errors);
        if errors > 0 && self.copy.is_some() && self.pictures.newest().is_some() {
            return Ok(Some(Self::unfit(Unfit("its packets are damaged"))));
        }
        for frame in frames {
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
        let Some(millis) = frame.pts().or(frame.timestamp()) else { return Ok(None) };
        if self.offset.is_none() {
            self.offset = Some(match self.start.placement {
                Placement::AlignFirst => self.aligned(millis),
                Placement::Offset(offset) => offset,
            });
        }
        self.prepare(&frame)?;
        let at = self.place(millis);
        let first = self.pictures.newest().is_none();
        let stop = match self.pictures.push(frame, at) {
            Outcome::Fine => None,
            Outcome::Jumped => {
                Some(Stop(EndReason::TimestampJump, Closing::Natural { tail: false }, Drain::No))
            }
            Outcome::Unfit => Some(Self::unfit(Unfit("its pictures are not those of its packets"))),
            Outcome::Gone => Some(Stop(EndReason::Aborted, Closing::Never, Drain::No)),
            Outcome::Changed => {
                // Not from the sound before it: that would bring the old pictures, and this end, again.
                self.go_on_at = self.ledger.pictures_from(at, self.offset.unwrap_or_default());
                // Its time may be nonsense.
                let latest = self.pictures.natural_end().map_or(at, |end| end.plus(MAX_SKEW));
                Some(Stop(EndReason::ParametersChanged, Closing::At(at.min(latest)), Drain::No))
            }
        };
        // Media before this picture is missing for so long that the timeline rather starts late than with silence.
        if let Some(shown) = self.pictures.first().filter(|_| first)
            && shown.minus(self.start.video_from) > MAX_SKEW
        {
            self.audio_cut = self.audio_cut.max(shown.frame());
        }
        Ok(stop)
    }

    /// Starts the renditions, now that a picture shows what the source is.
    fn prepare(&mut self, frame: &frame::Video) -> Result<(), MediaError> {
        if self.pictures.is_prepared() {
            return Ok(());
        }
        let claimed = [self.decoder.as_ref().map_or(0.0, VideoDecoder::frame_rate), self.source.frame_rate()];
        let frame_rate = ladder::frame_rate(claimed);
        let aspect = frame.aspect_ratio();
        let bitrate = self.source.parameters(Track::Video).map_or(0, |parameters| parameters.bit_rate());
        let picture = Picture {
            width: frame.width(),
            height: frame.height(),
            aspect: if aspect.denominator() == 0 { 1.0 } else { f64::from(aspect) },
            frame_rate,
            bitrate: u32::try_from(bitrate).ok().filter(|rate| *rate > 0),
        };
        let Plan { mut encoded, copy } = ladder::plan(picture, self.settings.ladder.as_deref())?;
        let plain = frame.format() == ff::format::Pixel::YUV420P && !frame.is_interlaced();
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
                self.pictures.follow_grid(self.settings);
            }
        }
        let colour = Colour::of(frame);
        self.governing.encoded(encoded.len());
        let chain = self.rungs.start(encoded, first, (frame.width(), frame.height()), frame_rate, colour)?;
        self.pictures.prepare(frame, frame_rate, chain);
        Ok(())
    }
}
