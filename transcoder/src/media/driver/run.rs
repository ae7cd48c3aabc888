//! What both tracks of a run go by: where it stands on the broadcast's time, which tracks it has, what was read.

use super::clock::SourceClock;
use super::noting::Noted;
use crate::media::error::MediaError;
use crate::media::segmenter::ledger::Ledger;
use crate::media::settings::EngineSettings;
use crate::media::source::Source;
use crate::media::stats::Counters;
use crate::media::{MediaTime, StartPoint};

/// Media time one track may be ahead of the other before the other is taken as absent or gone.
pub(super) const MAX_SKEW: MediaTime = MediaTime::from_secs(3);
/// Media time for which sound may go on while packets of pictures come and none is shown; bounds the encoded sound that
/// waits. Above the skew and any reorder delay (16 pictures).
pub(super) const MAX_BLIND: MediaTime = MediaTime::from_secs(6);

/// Which tracks a run has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tracks {
    Undecided,
    Both,
    VideoOnly,
    AudioOnly,
}

/// One run.
pub(super) struct Run<'env> {
    pub(super) settings: &'env EngineSettings,
    pub(super) counters: &'env Counters,
    pub(super) source: Source,
    pub(super) start: StartPoint,
    /// T of FLV time 0, once the run is placed.
    pub(super) offset: Option<MediaTime>,
    pub(super) tracks: Tracks,
    pub(super) clock: SourceClock,
    pub(super) noted: Noted,
    pub(super) ledger: Ledger,
    /// Where to go on if that is not where the last segment ended: behind what was consumed, or at a jump.
    pub(super) go_on_at: Option<u64>,
}

impl Run<'_> {
    /// FLV milliseconds to T, once the run is placed.
    pub(super) fn place(&self, millis: i64) -> MediaTime {
        MediaTime::from_millis(millis).plus(self.offset.unwrap_or_default())
    }

    /// Whether packets of pictures come beside those of sound; `None` unless both have come.
    pub(super) fn pictures_come(&self) -> Option<bool> {
        self.clock.sound_ahead().map(|ahead| MediaTime::from_millis(ahead) <= MAX_SKEW)
    }

    /// Whether anything could be decoded of what came. Sound that `waits` for pictures may still be decodable.
    pub(super) fn check_decodable(&self, waits: bool) -> Result<(), MediaError> {
        let stats = self.counters.snapshot();
        if stats.decoded > 0 || stats.audio_frames > 0 {
            return Ok(());
        }
        if stats.video_packets + stats.audio_packets == 0 {
            return Err(MediaError::NoMedia);
        }
        let errors = stats.video_errors + stats.audio_errors;
        if waits { Ok(()) } else { Err(MediaError::Undecodable { errors }) }
    }
}
