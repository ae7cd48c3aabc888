//! Steps the work down when it falls behind real time, and up again when there is room. Pure: observations in, effort out.

use std::time::Duration;

use crate::media::Effort;

/// So late a run may be before something is done about it: three segments. A cold start is later, but catches up.
const MAX_LATE: Duration = Duration::from_secs(6);
/// A late run that gains this much on real time is left to it.
const CATCHING_UP: f64 = 1.15;
/// Share of the time spent waiting for the source from which it is not the machine that is slow.
const STARVED: f64 = 0.15;
/// Slow segments in a row before a step down: one may be a hiccup of the machine.
const SLOW_SEGMENTS: u32 = 2;
/// Share of the time spent waiting for the source that shows room for more work.
const ROOMY: f64 = 0.35;
/// Segments with room in a row before a step up; doubles when a step up had to be taken back.
const ROOMY_SEGMENTS: u32 = 5;
/// It does not double beyond this: ten minutes of two-second segments.
const MAX_ROOMY_SEGMENTS: u32 = 300;

/// What the clock says about a run. Handed in, so that a test can make any machine slow.
pub trait Pace: Send {
    /// Time since some moment; never goes back.
    fn now(&self) -> Duration;
    /// How long ago the source's instant (FLV milliseconds) was live.
    fn late(&self, source_millis: i64) -> Duration;
}

/// One segment of work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observation {
    pub(crate) late: Duration,
    /// Media read.
    pub(crate) media: Duration,
    /// Time it took.
    pub(crate) wall: Duration,
    /// How much of it was spent waiting for the source.
    pub(crate) idle: Duration,
}

/// Remembers how it went.
#[derive(Debug)]
pub(crate) struct Governor {
    effort: Effort,
    /// Encoded renditions that may be left out.
    droppable: u8,
    slow: u32,
    roomy: u32,
    patience: u32,
    /// Segments since the last step up.
    since_up: Option<u32>,
}

impl Governor {
    pub(crate) fn new() -> Self {
        Self {
            effort: Effort::default(),
            droppable: 0,
            slow: 0,
            roomy: 0,
            patience: ROOMY_SEGMENTS,
            since_up: None,
        }
    }

    /// One encoded rendition always stays.
    pub(crate) fn encoded(&mut self, renditions: usize) {
        self.droppable = u8::try_from(renditions.saturating_sub(1)).unwrap_or(u8::MAX);
    }

    #[cfg(test)]
    fn effort(&self) -> Effort {
        self.effort
    }

    /// Learns from a segment; answers the effort for the next.
    pub(crate) fn observe(&mut self, seen: Observation) -> Effort {
        let wall = seen.wall.as_secs_f64().max(1e-6);
        let idle = seen.idle.as_secs_f64() / wall;
        let slow = seen.late > MAX_LATE && idle < STARVED && seen.media.as_secs_f64() / wall < CATCHING_UP;
        // Who waits for the source is at its end, however late its clock makes it look.
        let roomy = idle > ROOMY;
        self.slow = if slow { self.slow + 1 } else { 0 };
        self.roomy = if roomy { self.roomy + 1 } else { 0 };
        self.since_up = self.since_up.map(|segments| segments.saturating_add(1));
        if self.slow >= SLOW_SEGMENTS {
            self.down();
        } else if self.roomy >= self.patience {
            self.up();
        }
        self.effort
    }

    fn down(&mut self) {
        self.slow = 0;
        // The step up before was one too many.
        if self.since_up.take().is_some_and(|segments| segments < self.patience * 2) {
            self.patience = (self.patience * 2).min(MAX_ROOMY_SEGMENTS);
        }
        if !self.effort.fast {
            self.effort.fast = true;
        } else if self.effort.dropped < self.droppable {
            self.effort.dropped += 1;
        }
    }

    fn up(&mut self) {
        self.roomy = 0;
        if self.effort.dropped > 0 {
            self.effort.dropped -= 1;
        } else if self.effort.fast {
            self.effort.fast = false;
        } else {
            return;
        }
        self.since_up = Some(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// A machine that takes `cost` seconds for each second at full effort, less when reduced.
    fn drive(governor: &mut Governor, late: &mut f64, cost: f64, segments: usize) -> Vec<Effort> {
        (0..segments)
            .map(|_| {
                let effort = governor.effort();
                let work = 2.0
                    * cost
                    * if effort.fast { 0.8 } else { 1.0 }
                    * (1.0 - 0.4 * f64::from(effort.dropped));
                let idle = (2.0 - work - *late).max(0.0);
                let wall = work + idle;
                *late = (*late + work - 2.0).max(0.0);
                governor.observe(Observation {
                    late: seconds(*late),
                    media: seconds(2.0),
                    wall: seconds(wall),
                    idle: seconds(idle),
                })
            })
            .collect()
    }

    fn governor() -> Governor {
        let mut governor = Governor::new();
        governor.encoded(3);
        governor
    }

    #[test]
    fn a_machine_that_is_fast_enough_is_left_alone() {
        let (mut governor, mut late) = (governor(), 0.0);
        assert!(drive(&mut governor, &mut late, 0.9, 500).iter().all(|e| *e == Effort::default()));
    }

    #[test]
    fn a_cold_start_that_catches_up_is_left_alone() {
        let (mut governor, mut late) = (governor(), 60.0);
        assert!(drive(&mut governor, &mut late, 0.5, 200).iter().all(|e| *e == Effort::default()));
    }

    #[test]
    fn lateness_stays_bounded_however_slow_the_machine() {
        for cost in [1.1, 1.3, 1.6, 2.0, 3.0] {
            let (mut governor, mut late) = (governor(), 0.0);
            let mut most: f64 = 0.0;
            for _ in 0..600 {
                drive(&mut governor, &mut late, cost, 1);
                most = most.max(late);
            }
            assert!(most < 40.0, "{cost}: {most} s late");
            assert!(governor.effort().fast);
        }
    }

    #[test]
    fn what_was_dropped_comes_back_when_there_is_room() {
        let (mut governor, mut late) = (governor(), 0.0);
        drive(&mut governor, &mut late, 2.0, 100);
        assert!(governor.effort().dropped > 0);
        drive(&mut governor, &mut late, 0.3, 200);
        assert_eq!(governor.effort(), Effort::default());
    }

    #[test]
    fn a_source_whose_clock_is_slow_holds_nothing_back() {
        let (mut governor, mut late) = (governor(), 0.0);
        drive(&mut governor, &mut late, 2.0, 100);
        for _ in 0..200 {
            let (media, wall, idle) = (seconds(2.0), seconds(2.0), seconds(1.2));
            governor.observe(Observation { late: seconds(10.0), media, wall, idle });
        }
        assert_eq!(governor.effort(), Effort::default());
    }

    #[test]
    fn a_step_up_that_fails_is_tried_again_ever_later() {
        let (mut governor, mut late) = (governor(), 0.0);
        // Dropping one leaves 0.6 * 0.8 * 1.3 = 0.62: there seems to be room, and there is not.
        let efforts = drive(&mut governor, &mut late, 1.3, 2_000);
        let ups =
            efforts.windows(2).filter(|w| w[1].dropped < w[0].dropped || (w[0].fast && !w[1].fast)).count();
        assert!(ups < 30, "{ups} steps up in 2000 segments");
    }

    #[test]
    fn one_rendition_always_stays() {
        let (mut governor, mut late) = (governor(), 0.0);
        drive(&mut governor, &mut late, 50.0, 100);
        assert_eq!(governor.effort(), Effort { fast: true, dropped: 2 });
    }
}
