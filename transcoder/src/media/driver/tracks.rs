//! Which tracks a run has: decided by what arrives within 3 s of media of the other track.

use super::audio_track::Sound;
use super::run::{MAX_BLIND, MAX_SKEW, Run, Tracks};
use crate::media::MediaTime;
use crate::media::segmenter::frames::Frames;

/// Audio packets held until the video's first picture places them: ten times what 3 s hold.
const MAX_HELD: usize = 1_500;

/// Decides if it can be.
pub(super) fn decide<'env>(run: &mut Run<'env>, frames: &Frames<'_>, sound: &mut Sound<'env>) {
    if run.tracks != Tracks::Undecided {
        return;
    }
    let heard = sound.first_millis;
    if let Some(first) = frames.first() {
        let lead = frames.newest().unwrap_or(first).minus(first);
        if heard.is_some() {
            run.tracks = Tracks::Both;
        } else if lead > MAX_SKEW {
            run.tracks = Tracks::VideoOnly;
        }
    } else if let (Some(first), Some(newest)) = (heard, run.clock.audio) {
        let first = match run.offset {
            None => MediaTime::from_millis(first),
            Some(offset) => MediaTime::from_millis(first).max(sound.cut.time().minus(offset)),
        };
        let lead = MediaTime::from_millis(newest).minus(first);
        // Of few pictures a second a decoder may hold several seconds before it shows the first.
        let is_coming = run.pictures_come().unwrap_or(false);
        let patience = if is_coming { MAX_BLIND } else { MAX_SKEW };
        if lead > patience || sound.held() >= MAX_HELD {
            sound.goes_alone(run);
        }
    }
}

/// Decides by what there is: nothing more comes.
pub(super) fn decide_at_the_end<'env>(run: &mut Run<'env>, frames: &Frames<'_>, sound: &mut Sound<'env>) {
    if run.tracks != Tracks::Undecided {
        return;
    }
    match (frames.first(), sound.first_millis) {
        (Some(_), Some(_)) => run.tracks = Tracks::Both,
        (Some(_), None) => run.tracks = Tracks::VideoOnly,
        (None, Some(_)) => sound.goes_alone(run),
        (None, None) => {}
    }
}
