//! The sound's side: packets wait until it is known where they belong, and are decoded or copied onto the grid then.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use super::run::{MAX_SKEW, Run, Tracks};
use super::sound_only::SoundOnly;
use super::stop::{Closing, Drain, Flow, Stop};
use crate::media::audio::AudioTrack;
use crate::media::error::MediaError;
use crate::media::segment::EndReason;
use crate::media::segmenter::frames::Closed;
use crate::media::settings::EngineSettings;
use crate::media::source::{Track, Unit};
use crate::media::stages::Meter;
use crate::media::{FRAME_SAMPLES, GridFrame, MediaTime, StartPoint};

/// The sound of a run.
pub(super) struct Sound<'env> {
    pub(super) track: Option<AudioTrack<'env>>,
    /// Packets that wait.
    held: VecDeque<Unit>,
    /// Up to where it was handed out.
    pub(super) cut: GridFrame,
    only: SoundOnly,
    pub(super) first_millis: Option<i64>,
    /// Pictures have waited for it in vain.
    pub(super) silent: bool,
    /// There is no decoder for it.
    deaf: bool,
    pub(super) decoding: Meter,
}

impl<'env> Sound<'env> {
    pub(super) fn new(settings: &EngineSettings, start: &StartPoint) -> Self {
        Self {
            track: None,
            held: VecDeque::new(),
            cut: start.audio_from,
            only: SoundOnly::new(settings, start),
            first_millis: None,
            silent: false,
            deaf: false,
            decoding: Meter::default(),
        }
    }

    /// Whether packets of it are of no use.
    pub(super) fn is_deaf(&self) -> bool {
        self.deaf
    }

    /// How many packets wait.
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// The offset that puts FLV time `millis` at the start; a little later if that lays the sound on the grid, so that
    /// it need not be shifted.
    pub(super) fn aligned(&self, run: &Run<'_>, millis: i64) -> MediaTime {
        let offset = run.start.video_from.minus(MediaTime::from_millis(millis));
        let Some(heard) = self.held.front().filter(|_| run.settings.passthrough.audio) else {
            return offset;
        };
        let frame = MediaTime::from_ticks(FRAME_SAMPLES as i64 * 15 / 8);
        let beside = MediaTime::from_millis(heard.pts_millis).plus(offset).ticks().rem_euclid(frame.ticks());
        if beside == 0 { offset } else { offset.plus(frame.minus(MediaTime::from_ticks(beside))) }
    }

    /// Takes a packet.
    pub(super) fn take(&mut self, run: &Run<'env>, unit: Unit) -> Option<Stop> {
        if run.offset.is_some() && run.place(unit.pts_millis) < AudioTrack::useful_from(self.cut) {
            return None;
        }
        if run.tracks == Tracks::VideoOnly {
            return Some(Stop(EndReason::TracksChanged, Closing::Exact, Drain::No));
        }
        self.first_millis.get_or_insert(unit.pts_millis);
        self.silent = false;
        self.held.push_back(unit);
        None
    }

    /// The run has no pictures.
    pub(super) fn goes_alone(&mut self, run: &mut Run<'env>) {
        run.tracks = Tracks::AudioOnly;
        let first = self.first_millis.unwrap_or(0);
        run.offset.get_or_insert(run.start.video_from.minus(MediaTime::from_millis(first)));
        let begins = run.place(first);
        if begins.minus(self.cut.time()) > MAX_SKEW {
            // As with pictures: what is missing for long is no silence, the timeline starts late.
            self.cut = begins.frame();
        }
        self.only.begin(self.cut);
    }

    /// Decodes the sound that waits, once it is known where it belongs.
    pub(super) fn hear(&mut self, run: &mut Run<'env>) -> Result<(), MediaError> {
        let Some(offset) = run.offset else { return Ok(()) };
        if run.tracks == Tracks::Undecided {
            return Ok(());
        }
        while let Some(unit) = self.held.pop_front() {
            if self.track.is_none()
                && let Err(error) = self.open(run, &unit)
            {
                if run.tracks == Tracks::AudioOnly {
                    return Err(error);
                }
                // Pictures without sound are better than nothing.
                tracing::warn!(error = &error as &dyn std::error::Error, "the sound cannot be used");
                run.noted.cannot_hear();
                (self.deaf, run.tracks) = (true, Tracks::VideoOnly);
                self.held.clear();
                return Ok(());
            }
            if let Some(track) = &mut self.track {
                let place = |millis| MediaTime::from_millis(millis).plus(offset);
                let errors = || run.counters.audio_errors.load(Ordering::Relaxed);
                let before = errors();
                self.decoding.measure(|| track.push(Some(&unit.packet), place))?;
                run.noted.heard(errors() > before, unit.dts_millis);
            }
        }
        Ok(())
    }

    fn open(&mut self, run: &Run<'env>, first: &Unit) -> Result<(), MediaError> {
        if let Some(parameters) = run.source.parameters(Track::Audio) {
            let (from, settings) = (self.cut, run.settings);
            self.track = Some(AudioTrack::open(parameters, &first.packet, from, settings, run.counters)?);
        }
        Ok(())
    }

    /// Has the decoder hand out what it holds.
    pub(super) fn drain(&mut self, run: &Run<'env>) -> Result<(), MediaError> {
        if let (Some(track), Some(offset)) = (&mut self.track, run.offset) {
            track.push(None, |millis| MediaTime::from_millis(millis).plus(offset))?;
        }
        Ok(())
    }

    /// Finds the boundaries in sound without pictures, as far as it is made.
    pub(super) fn cut_alone(&mut self, closed: &mut VecDeque<Closed>) {
        let made = self.track.as_ref().map_or(self.only.scanned(), AudioTrack::next);
        self.only.cut(made, closed);
    }

    /// The end of sound without pictures.
    pub(super) fn close_alone(&mut self, closing: &Closing, closed: &mut VecDeque<Closed>) -> Flow {
        let mut until = GridFrame::new(u64::MAX);
        if let (Closing::Natural { .. } | Closing::At(_), Some(track)) = (closing, &mut self.track)
            && track.heard()
        {
            if let Closing::At(at) = closing {
                until = at.frame();
            }
            until = until.min(track.sounds_until()).max(self.cut);
            track.finish(until)?;
        }
        let made = self.track.as_ref().map_or(self.cut, AudioTrack::next);
        let end = made.min(until);
        self.only.cut(end, closed);
        if !matches!(closing, Closing::Never) {
            closed.extend(self.only.close(end, true));
        }
        Ok(None)
    }
}
