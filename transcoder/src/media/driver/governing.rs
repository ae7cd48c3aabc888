//! Watches how the run keeps up with the source, and tells the next segment how much work to do.

use std::time::Duration;

use super::Driver;
use crate::media::plan::governor::{Governor, Observation, Pace};
use crate::media::source::Unit;

/// Media between two looks.
const EVERY_MILLIS: i64 = 2_000;

/// The governor and what it is told.
pub(super) struct Governing {
    governor: Governor,
    pace: Option<Box<dyn Pace>>,
    /// At the last look: source time, clock, time spent waiting for the source.
    last: Option<(i64, Duration, Duration)>,
    idle: Duration,
    waiting_since: Option<Duration>,
}

impl Governing {
    pub(super) fn new(pace: Option<Box<dyn Pace>>) -> Self {
        Self { governor: Governor::new(), pace, last: None, idle: Duration::ZERO, waiting_since: None }
    }

    /// So many renditions are encoded.
    pub(super) fn encoded(&mut self, renditions: usize) {
        self.governor.encoded(renditions);
    }

    /// The source is asked for more.
    pub(super) fn waits(&mut self) {
        self.waiting_since = self.pace.as_ref().map(|pace| pace.now());
    }

    /// The source has answered.
    pub(super) fn goes_on(&mut self) {
        if let (Some(since), Some(pace)) = (self.waiting_since.take(), &self.pace) {
            self.idle += pace.now().saturating_sub(since);
        }
    }
}

impl Driver<'_, '_> {
    pub(super) fn govern(&mut self, unit: &Unit) {
        let Some(pace) = &self.governing.pace else { return };
        let (millis, now, idle) = (unit.dts_millis, pace.now(), self.governing.idle);
        let Some((last, then, idle_then)) = self.governing.last else {
            self.governing.last = Some((millis, now, idle));
            return;
        };
        let Ok(media) = u64::try_from(millis - last) else { return };
        if millis - last < EVERY_MILLIS {
            return;
        }
        let seen = Observation {
            late: pace.late(millis),
            media: Duration::from_millis(media),
            wall: now.saturating_sub(then),
            idle: idle.saturating_sub(idle_then),
        };
        self.governing.last = Some((millis, now, idle));
        let before = self.frames.effort;
        self.frames.effort = self.governing.governor.observe(seen);
        if self.frames.effort != before {
            tracing::warn!(late_ms = seen.late.as_millis(), effort = ?self.frames.effort, "the engine adapted its effort to the machine's speed");
        }
    }
}
