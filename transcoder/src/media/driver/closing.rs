//! The end of a run: what becomes of the open segment, by why the run ends.

use super::tracks::Tracks;
use super::{Driver, Flow, MAX_SKEW, Stop};
use crate::media::audio::AudioTrack;
use crate::media::error::MediaError;
use crate::media::segment::EndReason;
use crate::media::segmenter::frames::Outcome;
use crate::media::video::copy::Unfit;
use crate::media::{GridFrame, MediaTime};

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
            // What they lead to no longer matters, unless it is that they must be made anew: the run ends.
            if let Some(unfit @ Stop(EndReason::NotCopyable { .. }, ..)) = self.judge(true)? {
                return Ok(Some(unfit));
            }
            self.decode_video(None)?;
        }
        if self.tracks == Tracks::Undecided {
            match (self.frames.first(), self.first_audio_millis) {
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
        } else if let Some(stop) = self.close_pictures(closing)? {
            return Ok(Some(stop));
        }
        self.frames.end();
        self.hand_out(false)
    }

    fn close_pictures(&mut self, closing: &Closing) -> Flow {
        let natural = self.frames.natural_end();
        let sound = self.sound.as_ref();
        let wanted = match closing {
            Closing::Never => None,
            Closing::Exact => {
                let encoded = sound.map(AudioTrack::next);
                self.frames.exact_end(|at| encoded.is_none_or(|encoded| at.frame() <= encoded))
            }
            Closing::At(at) => Some(*at),
            Closing::Natural { tail } => {
                let tail = sound.filter(|_| *tail).map(|s| s.sounds_until().time());
                natural.map(|end| tail.map_or(end, |t| end.max(t.min(end.plus(MAX_SKEW)))))
            }
        };
        let Some(wanted) = wanted else { return Ok(None) };
        let end = match (closing, self.frames.reach(wanted)) {
            (_, Ok(end)) => end,
            (Closing::Natural { .. }, Err(Outcome::Unfit)) => {
                return Ok(Some(Self::unfit(Unfit("its sound goes on without pictures"))));
            }
            // What follows is another source's: the hole before it is no part of this one.
            (_, Err(_)) => natural.map_or(wanted, |natural| natural.min(wanted)),
        };
        self.frames.close(end);
        if !matches!(closing, Closing::Exact)
            && let (Some(sound), Tracks::Both) = (&mut self.sound, self.tracks)
        {
            sound.finish(end.frame().max(self.audio_cut.next()))?;
        }
        Ok(None)
    }

    fn close_sound_only(&mut self, closing: &Closing) -> Result<(), MediaError> {
        let mut until = GridFrame::new(u64::MAX);
        if let (Closing::Natural { .. } | Closing::At(_), Some(sound)) = (closing, &mut self.sound)
            && sound.heard()
        {
            if let Closing::At(at) = closing {
                until = at.frame();
            }
            until = until.min(sound.sounds_until()).max(self.audio_cut);
            sound.finish(until)?;
        }
        let made = self.sound.as_ref().map_or(self.audio_cut, AudioTrack::next);
        let end = made.min(until);
        self.cut_audio(end);
        if !matches!(closing, Closing::Never) {
            self.close_audio(end);
        }
        Ok(())
    }
}
