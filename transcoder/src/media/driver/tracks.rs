//! Which tracks a run has: decided by what arrives within 3 s of media of the other track.

use std::sync::atomic::Ordering;

use super::{Driver, MAX_BLIND, MAX_SKEW};
use crate::media::MediaTime;
use crate::media::audio::AudioTrack;
use crate::media::error::MediaError;
use crate::media::source::{Track, Unit};

/// Audio packets held until the video's first picture places them: ten times what 3 s hold.
const MAX_HELD: usize = 1_500;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tracks {
    Undecided,
    Both,
    VideoOnly,
    AudioOnly,
}

impl Driver<'_, '_> {
    pub(super) fn decide(&mut self) {
        if self.tracks != Tracks::Undecided {
            return;
        }
        let heard = self.first_audio_millis;
        if let Some(first) = self.frames.first() {
            let lead = self.frames.newest().unwrap_or(first).minus(first);
            if heard.is_some() {
                self.tracks = Tracks::Both;
            } else if lead > MAX_SKEW {
                self.tracks = Tracks::VideoOnly;
            }
        } else if let (Some(first), Some(newest)) = (heard, self.audio_millis) {
            let first = match self.offset {
                None => MediaTime::from_millis(first),
                Some(offset) => MediaTime::from_millis(first).max(self.audio_cut.time().minus(offset)),
            };
            let lead = MediaTime::from_millis(newest).minus(first);
            // Of few pictures a second a decoder may hold several seconds before it shows the first.
            let is_coming = self.video_millis.is_some_and(|video| {
                MediaTime::from_millis(newest).minus(MediaTime::from_millis(video)) <= MAX_SKEW
            });
            let patience = if is_coming { MAX_BLIND } else { MAX_SKEW };
            if lead > patience || self.held.len() >= MAX_HELD {
                self.audio_alone();
            }
        }
    }

    pub(super) fn audio_alone(&mut self) {
        self.tracks = Tracks::AudioOnly;
        let first = MediaTime::from_millis(self.first_audio_millis.unwrap_or(0));
        self.offset.get_or_insert(self.start.video_from.minus(first));
        let begins = self.place(self.first_audio_millis.unwrap_or(0));
        if begins.minus(self.audio_cut.time()) > MAX_SKEW {
            // As with pictures: what is missing for long is no silence, the timeline starts late.
            self.audio_cut = begins.frame();
        }
        self.sound_only.begin(self.audio_cut);
    }

    /// Decodes the sound that waits, once it is known where it belongs.
    pub(super) fn hear(&mut self) -> Result<(), MediaError> {
        let Some(offset) = self.offset else { return Ok(()) };
        if self.tracks == Tracks::Undecided {
            return Ok(());
        }
        while let Some(unit) = self.held.pop_front() {
            if self.sound.is_none()
                && let Err(error) = self.open_sound(&unit)
            {
                if self.tracks == Tracks::AudioOnly {
                    return Err(error);
                }
                // Pictures without sound are better than nothing.
                tracing::warn!(error = &error as &dyn std::error::Error, "the sound cannot be used");
                self.noted.cannot_hear();
                (self.deaf, self.tracks) = (true, Tracks::VideoOnly);
                self.held.clear();
                return Ok(());
            }
            if let Some(sound) = &mut self.sound {
                let place = |millis| MediaTime::from_millis(millis).plus(offset);
                let errors = || self.counters.audio_errors.load(Ordering::Relaxed);
                let before = errors();
                self.audio_decoding.measure(|| sound.push(Some(&unit.packet), place))?;
                self.noted.heard(errors() > before, unit.dts_millis);
            }
        }
        Ok(())
    }

    fn open_sound(&mut self, first: &Unit) -> Result<(), MediaError> {
        if let Some(parameters) = self.source.parameters(Track::Audio) {
            let (from, settings) = (self.audio_cut, self.settings);
            self.sound = Some(AudioTrack::open(parameters, &first.packet, from, settings, self.counters)?);
        }
        Ok(())
    }
}
