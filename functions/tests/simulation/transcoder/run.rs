//! One run under way: the engine makes segments of a session in real time or faster.

use std::rc::Rc;

use headwater_domain::SessionId;
use headwater_domain::stream::Latency;
use headwater_task::engine::{Ending, RunEnded};
use headwater_task::{Feed, Input, Run};

use super::Task;
use super::engine::{Engine, SEGMENT};
use crate::executor;
use crate::{gateway, rng};

/// How the engine was asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cancel {
    No,
    EndSegment,
    Finish,
    Abort,
}

/// A part or segment that is being made.
struct Making {
    until: u64,
    is_part: bool,
    /// When it is.
    done_at: u64,
}

pub(super) struct RunUnderWay {
    task: Rc<Task>,
    id: SessionId,
    /// Whether it writes: a rehearsal is read beside the one that does.
    writes: bool,
    /// The session as it was read before, if its gateway is gone.
    replayed: Option<gateway::Session>,
    low: bool,
    engine: Engine,
    making: Option<Making>,
    cancel: Cancel,
    has_starved: bool,
    /// It has ended behind a segment, as it was asked to.
    is_cut: bool,
    has_ended: bool,
    /// The last that was seen of the session.
    seen: Option<gateway::Session>,
}

impl RunUnderWay {
    pub(super) fn start(task: Rc<Task>, run: &Run, replayed: Option<gateway::Session>) -> Self {
        Self {
            id: run.source.session.clone(),
            writes: run.feed != Feed::Rehearsal,
            replayed,
            low: run.settings.latency == Latency::Low,
            engine: Engine::begin(&run.start, run.head.first_cursor),
            making: None,
            cancel: Cancel::No,
            has_starved: false,
            is_cut: false,
            has_ended: false,
            seen: None,
            task,
        }
    }

    pub(super) fn end_segment(&mut self) {
        self.cancel = self.cancel.max(Cancel::EndSegment);
    }

    pub(super) fn finish(&mut self) {
        self.cancel = self.cancel.max(Cancel::Finish);
    }

    pub(super) fn abort(&mut self) {
        self.cancel = Cancel::Abort;
    }

    /// What was read and is not written: the cursor of its beginning, and the session as it was read.
    pub(super) fn unwritten(&self) -> Option<(u64, gateway::Session)> {
        let seen = self.seen.as_ref().filter(|seen| seen.available() > self.engine.at())?;
        Some((self.engine.at(), seen.clone()))
    }

    /// What has happened, if anything has. Without room nothing that is made is handed out.
    pub(super) fn happened(&mut self, has_room: bool) -> Option<Input> {
        if self.has_ended {
            return None;
        }
        if self.cancel == Cancel::Abort || self.is_cut {
            return Some(self.ended(Ending::Cancelled));
        }
        match &self.making {
            Some(making) if making.done_at > executor::now() || !has_room => None,
            Some(Making { until, is_part, .. }) => {
                let is_part = *is_part;
                let made = if is_part { self.engine.part(*until) } else { self.engine.segment(*until) };
                self.making = None;
                self.is_cut = !is_part && self.cancel == Cancel::EndSegment;
                Some(Input::Made(made))
            }
            None => self.read_on(),
        }
    }

    fn read_on(&mut self) -> Option<Input> {
        let replayed = self.replayed.clone();
        let Some(session) = replayed.or_else(|| gateway::session(self.task.side, &self.id)) else {
            return Some(self.ended(Ending::BrokeOff));
        };
        if self.writes
            && self.replayed.is_none()
            && !gateway::takes(self.task.side, &self.id, &self.task.lease)
        {
            // The gateway has heard of a higher lease.
            return Some(self.ended(Ending::BrokeOff));
        }
        let is_whole = session.ended;
        let available = session.available();
        let mut seen = session.clone();
        (seen.ended, seen.media_until) = (true, Some(session.started + available));
        self.seen = Some(seen);
        let goal = self.engine.goal(self.low);
        let finishes = self.cancel == Cancel::Finish;
        if !finishes && available >= goal {
            let is_part = self.engine.is_part(self.low, goal);
            let takes = match is_part {
                true if self.engine.is_known() => 0,
                true => rng::between(10, 60),
                false if available > goal + SEGMENT => rng::between(50, 250),
                false => rng::between(40, 300),
            };
            self.making = Some(Making { until: goal, is_part, done_at: executor::now() + takes });
            return self.starves(false);
        }
        if finishes || is_whole {
            let until = available.min(goal).max(self.engine.made());
            if until > self.engine.at() {
                self.making = Some(Making { until, is_part: false, done_at: executor::now() });
                return None;
            }
            return Some(self.ended(if finishes { Ending::Cancelled } else { Ending::Whole }));
        }
        // What comes in real time is no silence.
        self.starves(session.media_until.is_some())
    }

    fn starves(&mut self, starves: bool) -> Option<Input> {
        let is_news = std::mem::replace(&mut self.has_starved, starves) != starves;
        is_news.then_some(if starves { Input::Starved } else { Input::Fed })
    }

    fn ended(&mut self, ending: Ending) -> Input {
        self.has_ended = true;
        let (cursor, offset) = (self.engine.at(), Some(self.engine.offset()));
        Input::Ended(Ok(RunEnded { cursor, offset, ending, decode_errors: 0 }))
    }
}
