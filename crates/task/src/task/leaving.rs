//! The way out: what is stored twice is, then the task says goodbye, so that the next lease need not wait for its silence.

use std::time::Duration;

use super::broken::Then;
use super::io::{Exit, Output, Report, TimelineLost};
use super::orders::Ordered;
use super::{Phase, Task};
use crate::time::Now;

/// A task that leaves waits so long for an answer: to the heartbeat under way, and to its goodbye.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// A task that is asked to leave (SIGTERM) while it reads a source goes on, so that another one can be started and take over
/// from it, until so long before its process is killed: the end of a segment, its commit and copies, and a goodbye fit.
const LEAVES_BEFORE: Duration = Duration::from_secs(20);
/// What it tells is the end of its process is so long before that.
const TOLD_BEFORE: Duration = Duration::from_secs(10);

/// A task that leaves.
#[derive(Debug, Clone)]
pub(super) struct Leaving {
    exit: Exit,
    step: Step,
}

/// What it waits for.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Mirror copies.
    Drain,
    /// The answer to the heartbeat under way: else that could be taken for the newer one.
    Answer(Duration),
    /// The answer to its goodbye, which changes nothing.
    Goodbye(Duration),
}

impl Leaving {
    pub(super) fn deadline(&self) -> Option<Duration> {
        match self.step {
            Step::Drain => None,
            Step::Answer(until) | Step::Goodbye(until) => Some(until),
        }
    }

    /// Whether the task gives signs of life still.
    pub(super) fn is_draining(&self) -> bool {
        matches!(self.step, Step::Drain)
    }
}

impl Task {
    /// The task leaves; before that, what was read of a run whose gateway is gone is finished: nobody else has it.
    pub(super) fn exit(&mut self, exit: Exit) {
        match exit {
            Exit::Over | Exit::Left if self.broken.is_some() => self.recall(Then::Exit(exit)),
            Exit::Over | Exit::Left => self.drain(exit),
            Exit::Fenced => {
                self.report(Report::Fenced);
                self.over(Ok(exit));
            }
        }
    }

    pub(super) fn over(&mut self, exit: Result<Exit, TimelineLost>) {
        self.leaves_at = None;
        self.phase = Phase::Over;
        self.outputs.push_back(Output::Exit(exit));
    }

    /// The process is asked to leave, and is killed after so long.
    pub(super) fn asked_to_leave(&mut self, now: Now, within: Duration) {
        if matches!(self.phase, Phase::Leaving(_) | Phase::Over) {
            return;
        }
        if self.standby.is_some() {
            return self.leave_standby(now, Exit::Left);
        }
        let reads = matches!(self.ordered, Some(Ordered::Read(_))) && self.reading.next().is_some();
        let Some(stays) = within.checked_sub(LEAVES_BEFORE).filter(|_| reads) else {
            self.leaves = true;
            return self.leave(now);
        };
        self.leaves_at = Some(now.monotonic + stays);
        self.health.leaves_by(now.wall + (within - TOLD_BEFORE));
    }

    /// Leaves as soon as what is under way is in order.
    pub(super) fn leave(&mut self, now: Now) {
        match &mut self.phase {
            Phase::Idle | Phase::Pausing(_) => self.decide(now),
            Phase::Asking(_) => {
                self.outputs.push_back(Output::Close);
                self.exit(Exit::Left);
            }
            Phase::Running(running) => self.outputs.extend(running.leave()),
            Phase::Quiesced => self.drain(Exit::Left),
            Phase::Recalling(_) | Phase::Rehearsing(_) | Phase::Leaving(_) | Phase::Over => {}
        }
    }

    /// Nothing more is written.
    pub(super) fn drain(&mut self, exit: Exit) {
        self.leaves_at = None;
        self.phase = Phase::Leaving(Leaving { exit, step: Step::Drain });
        self.outputs.push_back(Output::Drain);
    }

    pub(super) fn drained(&mut self, now: Now) {
        let Phase::Leaving(leaving) = &mut self.phase else { return };
        if !leaving.is_draining() {
            return;
        }
        self.health.leaves();
        leaving.step = Step::Answer(now.monotonic + ANSWER_WITHIN);
        if !self.heartbeats.is_under_way() {
            self.say_goodbye(now);
        }
    }

    /// The heartbeat under way is over.
    pub(super) fn answered_leaving(&mut self, now: Now) {
        let Phase::Leaving(leaving) = &self.phase else { return };
        match leaving.step {
            // Whatever it orders, the task leaves.
            Step::Drain => {}
            Step::Answer(_) => self.say_goodbye(now),
            Step::Goodbye(_) => self.over(Ok(leaving.exit)),
        }
    }

    /// The answer is not waited for any longer.
    pub(super) fn waited_to_leave(&mut self, now: Now) {
        self.answered_leaving(now);
    }

    fn say_goodbye(&mut self, now: Now) {
        let Phase::Leaving(leaving) = &mut self.phase else { return };
        leaving.step = Step::Goodbye(now.monotonic + ANSWER_WITHIN);
        self.send_heartbeat(now);
    }
}
