//! Watches how the run keeps up with the source, and tells the next segment how much work to do.

use std::time::Duration;

use crate::media::Effort;
use crate::media::plan::governor::{Governor, Observation, Pace};

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
    effort: Effort,
}

impl Governing {
    pub(super) fn new(pace: Option<Box<dyn Pace>>) -> Self {
        Self {
            governor: Governor::new(),
            pace,
            last: None,
            idle: Duration::ZERO,
            waiting_since: None,
            effort: Effort::default(),
        }
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

    /// A packet has come: how much work the next segment is to get, if that was looked at.
    pub(super) fn observe(&mut self, dts_millis: i64) -> Option<Effort> {
        let pace = self.pace.as_ref()?;
        let (now, idle) = (pace.now(), self.idle);
        let Some((last, then, idle_then)) = self.last else {
            self.last = Some((dts_millis, now, idle));
            return None;
        };
        let media = u64::try_from(dts_millis - last).ok()?;
        if dts_millis - last < EVERY_MILLIS {
            return None;
        }
        let seen = Observation {
            late: pace.late(dts_millis),
            media: Duration::from_millis(media),
            wall: now.saturating_sub(then),
            idle: idle.saturating_sub(idle_then),
        };
        self.last = Some((dts_millis, now, idle));
        let effort = self.governor.observe(seen);
        if std::mem::replace(&mut self.effort, effort) != effort {
            tracing::warn!(
                late_ms = seen.late.as_millis(),
                ?effort,
                "the engine adapted its effort to the machine's speed"
            );
        }
        Some(effort)
    }
}
