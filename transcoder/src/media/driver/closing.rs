//! The end of a run: what becomes of the open segment, by why the run ends.

use super::super::audio::AudioTrack;
use super::super::error::MediaError;
use super::super::time::MediaTime;
use super::tracks::Tracks;
use super::{Driver, Flow, MAX_SKEW};

/// How the open segment is closed.
pub(super) enum Closing {
    /// After the last picture; sound that goes on is kept if `tail`.
    Natural { tail: bool },
    /// At this instant, the first picture of what follows.
    At(MediaTime),
    /// Where a successor continues without losing or repeating anything.
    Exact,
    /// Not at all.
    Never,
}

impl Driver<'_, '_> {
    /// Closes the open segment and hands out what is whole, unless that turns out not to be fit.
    pub(super) fn wind_up(&mut self, closing: &Closing, drain: bool) -> Flow {
        // Pictures that a run of sound has left out are not for its end either.
        if drain && self.tracks != Tracks::AudioOnly {
            // What it leads to no longer matters: the run ends.
            self.decode_video(None)?;
        }
        if self.tracks == Tracks::Undecided {
            match (self.pictures.first(), self.first_audio_millis) {
                (Some(_), Some(_)) => self.tracks = Tracks::Both,
                (Some(_), None) => self.tracks = Tracks::VideoOnly,
                (None, Some(_)) => self.audio_alone(),
                (None, None) => {}
            }
        }
        self.hear()?;
        if drain && let (Some(sound), Some(offset)) = (&mut self.sound, self.offset) {
            sound.push(None, |millis| MediaTime::from_millis(millis).plus(offset))?;
        }
        if self.tracks == Tracks::AudioOnly {
            self.close_sound_only(closing)?;
        } else {
            self.close_pictures(closing)?;
        }
        self.pictures.end();
        self.hand_out(false)
    }

    pub(super) fn close_pictures(&mut self, closing: &Closing) -> Result<(), MediaError> {
        let natural = self.pictures.natural_end();
        let sound = self.sound.as_ref();
        let end = match closing {
            Closing::Never => None,
            Closing::Exact => {
                let encoded = sound.map(AudioTrack::next);
                self.pictures.exact_end(|at| encoded.is_none_or(|encoded| at.frame() <= encoded))
            }
            Closing::At(at) => Some(*at),
            Closing::Natural { tail } => {
                let tail = sound.filter(|_| *tail).map(|s| s.sounds_until().time());
                natural.map(|end| tail.map_or(end, |t| end.max(t.min(end.plus(MAX_SKEW)))))
            }
        };
        let Some(end) = end else { return Ok(()) };
        self.pictures.close(end);
        if !matches!(closing, Closing::Exact)
            && let (Some(sound), Tracks::Both) = (&mut self.sound, self.tracks)
        {
            sound.finish(end.frame().max(self.audio_cut.next()))?;
        }
        Ok(())
    }

    pub(super) fn close_sound_only(&mut self, closing: &Closing) -> Result<(), MediaError> {
        if let (Closing::Natural { .. } | Closing::At(_), Some(sound)) = (closing, &mut self.sound)
            && sound.heard()
        {
            let to = sound.sounds_until();
            sound.finish(to)?;
        }
        self.cut_audio();
        if !matches!(closing, Closing::Never) {
            let next = self.sound.as_ref().map_or(self.audio_cut, AudioTrack::next);
            self.close_audio(next);
        }
        Ok(())
    }
}
