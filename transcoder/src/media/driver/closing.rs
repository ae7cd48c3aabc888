//! The end of a run: what becomes of the open segment, by why the run ends.

use super::audio_track::Sound;
use super::run::{MAX_SKEW, Run, Tracks};
use super::stop::{Closing, Flow, Stop};
use super::video_track::Pictures;
use crate::media::audio::AudioTrack;
use crate::media::segmenter::frames::Outcome;
use crate::media::video::copy::Unfit;

/// Closes the open segment, unless that turns out not to be fit.
pub(super) fn close<'env>(
    run: &Run<'env>,
    pictures: &mut Pictures<'_, 'env>,
    sound: &mut Sound<'env>,
    closing: &Closing,
) -> Flow {
    if run.tracks == Tracks::AudioOnly {
        return sound.close_alone(closing, &mut pictures.frames.closed);
    }
    let natural = pictures.frames.natural_end();
    let track = sound.track.as_ref();
    let wanted = match closing {
        Closing::Never => None,
        Closing::Exact => {
            let made = track.map(AudioTrack::next);
            pictures.frames.exact_end(|at| made.is_none_or(|made| at.frame() <= made))
        }
        Closing::At(at) => Some(*at),
        Closing::Natural { tail } => {
            let tail = track.filter(|_| *tail).map(|track| track.sounds_until().time());
            natural.map(|end| tail.map_or(end, |tail| end.max(tail.min(end.plus(MAX_SKEW)))))
        }
    };
    let Some(wanted) = wanted else { return Ok(None) };
    let end = match (closing, pictures.frames.reach(wanted)) {
        (_, Ok(end)) => end,
        (Closing::Natural { .. }, Err(Outcome::Unfit)) => {
            return Ok(Some(Stop::unfit(Unfit("its sound goes on without pictures"))));
        }
        // What follows is another source's: the hole before it is no part of this one.
        (_, Err(_)) => natural.map_or(wanted, |natural| natural.min(wanted)),
    };
    pictures.frames.close(end);
    if !matches!(closing, Closing::Exact)
        && let (Some(track), Tracks::Both) = (&mut sound.track, run.tracks)
    {
        track.finish(end.frame().max(sound.cut.next()))?;
    }
    Ok(None)
}
