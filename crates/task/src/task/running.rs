//! A run under way: how it begins and ends, and how long that may go on. What is made of it: [`writing`](super::writing).

use std::time::Duration;

use headwater_domain::Timestamp;
use headwater_domain::hooks::Source;
use headwater_domain::stream::Passthrough as Copies;

use super::broken::{Broken, Origin};
use super::io::{Exit, Feed, Output, Run};
use super::orders::Ordered;
use super::{DRAIN, Phase, Task};
use crate::commits::{Commits, Confirm};
use crate::engine::{Passthrough, RunEnded, RunFailed};
use crate::time::Now;

/// A source that was replaced by another is left behind when it has been silent for so long.
const REPLACED_SILENCE: Duration = Duration::from_secs(5);

/// A run that the engine works on.
#[derive(Debug, Clone)]
pub(super) struct Running {
    pub(super) of: Broken,
    /// Its source, with the newest token: a run may outlive many.
    pub(super) access: Source,
    pub(super) origin: Origin,
    /// Before it, the session had been read up to here,
    pub(super) after: u64,
    /// and the next segment was this one.
    pub(super) position: u64,
    /// Since when another source waits for the end of this one.
    replaced: Option<Now>,
    /// Since when the engine has had nothing to read. What has not been read yet is no silence of the gateway.
    starved: Option<Duration>,
    /// It has had nothing to read since something was committed last.
    was_at_the_end: bool,
    /// Up to where media was made, by the wall clock.
    pub(super) made_until: Option<Timestamp>,
    pub(super) left_behind: bool,
    /// It ends at the next boundary, for it is handed over.
    pub(super) ends_segment: bool,
    pub(super) exit: Option<Exit>,
    pub(super) ended: Option<Result<RunEnded, RunFailed>>,
    pub(super) commits: Commits,
    pub(super) confirm: Confirm,
    /// Why nothing more is written.
    pub(super) stopped: Option<Stopped>,
}

/// Why nothing more is written of a run that may still go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stopped {
    /// Another lease has taken over, or another process writes with this one.
    Fenced,
    /// The timeline cannot be written.
    Failed,
}

impl Running {
    /// When a commit is tried again, or it is to be seen whether the run [is overdue](Self::is_overdue).
    pub(super) fn deadline(&self, drain_until: Option<Duration>) -> Option<Duration> {
        let overdue =
            self.may_be_left().then(|| drain_until.into_iter().chain(self.silent_until()).min()).flatten();
        overdue.into_iter().chain(self.commits.deadline()).min()
    }

    /// Whether what is made is taken. Of a run that is stopped nothing is made any more.
    pub(super) fn has_room(&self) -> bool {
        self.stopped.is_some() || self.commits.has_room()
    }

    /// Whether all that its source has brought was read at some time since this was last asked.
    pub(super) fn was_at_the_end(&mut self) -> bool {
        std::mem::replace(&mut self.was_at_the_end, self.starved.is_some())
    }

    /// Nothing more is written.
    pub(super) fn stop(&mut self, stopped: Stopped) {
        self.stopped.get_or_insert(stopped);
        self.commits.abort();
    }

    /// Whether the engine works still.
    pub(super) fn works(&self) -> bool {
        self.ended.is_none()
    }

    /// Whether the source may be left before its end. What was read before is nowhere else.
    fn may_be_left(&self) -> bool {
        let is_link = matches!(self.origin, Origin::Link);
        is_link && self.ended.is_none() && self.exit.is_none() && !self.left_behind
    }

    /// When a source that another one waits for counts as silent.
    fn silent_until(&self) -> Option<Duration> {
        Some(self.starved?.max(self.replaced?.monotonic) + REPLACED_SILENCE)
    }

    /// Whether a source that does not end is not to be read on: the task has had its time to stop, or another source waits
    /// and this one is silent, or endless. Media of before, however long it takes to read, is what is there to be read.
    fn is_overdue(&self, now: Now, drain_until: Option<Duration>) -> bool {
        let reached = |until: Duration| until <= now.monotonic;
        let is_endless =
            self.replaced.zip(self.made_until).is_some_and(|(replaced, until)| until > replaced.wall + DRAIN);
        self.may_be_left()
            && (drain_until.is_some_and(reached) || self.silent_until().is_some_and(reached) || is_endless)
    }

    /// The task is asked to leave: the open segment is handed out short.
    pub(super) fn leave(&mut self) -> Option<Output> {
        let leaves = self.exit.is_none() && matches!(self.origin, Origin::Link);
        leaves.then(|| {
            self.exit = Some(Exit::Left);
            Output::Finish
        })
    }
}

impl Task {
    /// Has the engine work on a run.
    pub(super) fn run(&mut self, now: Now, of: Broken, origin: Origin) {
        let Broken { source, settings, head } = of.clone();
        let (after, position) = (self.writer.after(&source.session), self.writer.position());
        let copy = match settings.passthrough {
            Copies::Auto => self.writer.may_copy(&source.session, head),
            Copies::AlwaysEncode => Passthrough::NONE,
        };
        self.writer.keep(settings.retention);
        let start = self.writer.start(&source.session, head);
        let names = self.writer.names().to_vec();
        let feed = if matches!(origin, Origin::Link) { Feed::Link } else { Feed::Replay };
        let access = source.clone();
        let run = Run { source, settings, head, feed, after, start, copy, names };
        self.outputs.push_back(Output::Start(Box::new(run)));
        self.phase = Phase::Running(Box::new(Running {
            of,
            access,
            origin,
            after,
            position,
            replaced: self.reading.is_replaced().then_some(now),
            starved: None,
            was_at_the_end: false,
            made_until: None,
            left_behind: false,
            ends_segment: false,
            exit: None,
            ended: None,
            commits: Commits::default(),
            confirm: Confirm::default(),
            stopped: None,
        }));
        self.hand_over(now);
    }

    pub(super) fn obey_running(&mut self, now: Now) {
        let Phase::Running(running) = &mut self.phase else { return };
        match self.ordered {
            Some(Ordered::Read(_)) => {
                // Orders come with every heartbeat: the time runs from the first that says so.
                running.replaced = self.reading.is_replaced().then(|| running.replaced.unwrap_or(now));
                let renewed = self.reading.next().filter(|next| next.session == running.access.session);
                if let Some(renewed) = renewed {
                    running.access = renewed.clone();
                }
            }
            // The gateway closes the session: what it has of it is read to its end, within limits.
            Some(Ordered::Stop | Ordered::Wait) | None => {}
            Some(Ordered::Fenced) if running.exit == Some(Exit::Fenced) => {}
            Some(Ordered::Fenced) => {
                running.exit = Some(Exit::Fenced);
                self.stop(now, Stopped::Fenced);
            }
        }
        self.leave_overdue(now);
    }

    /// Leaves a source that is not to be read on.
    pub(super) fn leave_overdue(&mut self, now: Now) {
        let Phase::Running(running) = &mut self.phase else { return };
        if running.is_overdue(now, self.drain_until) {
            running.left_behind = true;
            self.outputs.push_back(Output::Finish);
        }
    }

    pub(super) fn starved(&mut self, now: Now, is_starved: bool) {
        let Phase::Running(running) = &mut self.phase else { return };
        running.was_at_the_end |= is_starved;
        running.starved = is_starved.then(|| running.starved.unwrap_or(now.monotonic));
    }

    /// Nothing more is written of the run, whatever else is made of it.
    pub(super) fn stop(&mut self, now: Now, stopped: Stopped) {
        let Phase::Running(running) = &mut self.phase else { return };
        if running.stopped.is_none() && running.works() {
            self.outputs.push_back(Output::Abort);
        }
        running.stop(stopped);
        self.conclude(now);
    }
}
