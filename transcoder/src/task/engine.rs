//! The engine's settings and clock, from the stream's settings and the run's head.

use std::time::{Duration, Instant};

use headwater_domain::stream::{Latency, Rung as StreamRung, TranscodeSettings};
use headwater_domain::{ClockReader, Timestamp};
use headwater_task::source::RunHead;

use crate::media::{EngineSettings, MediaTime, Pace, Passthrough, Problems, Rung};

/// Length of a part in low latency.
const PART: MediaTime = MediaTime::from_millis(500);

/// What the engine is to make of a source; `copy`: its own packets may be a rendition.
pub(super) fn settings(
    settings: &TranscodeSettings,
    copy: Passthrough,
    names: Vec<String>,
    problems: Problems,
) -> EngineSettings {
    let rung = |rung: &StreamRung| Rung::new(&format!("{}p", rung.height), rung.height, rung.kbps * 1_000);
    EngineSettings {
        ladder: settings.ladder.as_ref().map(|rungs| rungs.iter().map(rung).collect()),
        passthrough: copy,
        segment_duration: MediaTime::from_secs(settings.segment_seconds.into()),
        part_duration: (settings.latency == Latency::Low).then_some(PART),
        audio_bitrate: settings.audio_kbps * 1_000,
        names,
        problems,
        ..EngineSettings::default()
    }
}

/// How late a run is, by the wall clock that the gateway gave its beginning.
pub(super) struct WallPace {
    since: Instant,
    started: Timestamp,
    clock: ClockReader,
}

impl WallPace {
    pub(super) fn new(head: RunHead, clock: ClockReader) -> Self {
        Self { since: Instant::now(), started: Timestamp(head.started_ms), clock }
    }
}

impl Pace for WallPace {
    fn now(&self) -> Duration {
        self.since.elapsed()
    }

    fn late(&self, source_millis: i64) -> Duration {
        (self.clock)().since(Timestamp(self.started.0.saturating_add_signed(source_millis)))
    }
}
