//! A run under way: what the engine makes is written, and it is watched how long that may go on.

use std::time::Duration;

use headwater_domain::objects::RENEW_EVERY;
use headwater_domain::stream::Passthrough as Copies;
use headwater_domain::{SessionId, Timestamp};

use super::barren::given_up;
use super::broken::{Broken, Origin, Recalling, Then};
use super::io::{Exit, Feed, Output, Report, Run, Stopped, TimelineLost};
use super::orders::Ordered;
use super::{DRAIN, Phase, Task, Worked};
use crate::engine::{Ending, Made, Passthrough, RunEnded, RunFailed};
use crate::time::Now;

/// A source that was replaced by another is left behind when it has been silent for so long.
const REPLACED_SILENCE: Duration = Duration::from_secs(5);
/// Runs in a row that failed, or ended where they began, before the source counts as unusable.
const MAX_FAILURES: u32 = 5;

/// A run that the engine works on.
#[derive(Debug)]
pub(super) struct Running {
    of: Broken,
    origin: Origin,
    /// Before it, the session had been read up to here,
    after: u64,
    /// and the next segment was this one.
    position: u64,
    /// Since when another source waits for the end of this one.
    replaced: Option<Now>,
    /// Since when the engine has had nothing to read. What has not been read yet is no silence of the gateway.
    starved: Option<Duration>,
    /// Up to where media was made, by the wall clock.
    made_until: Option<Timestamp>,
    left_behind: bool,
    exit: Option<Exit>,
    ended: Option<Result<RunEnded, RunFailed>>,
    stopped: Option<Stopped>,
}

impl Running {
    /// When it is to be seen whether the run [is overdue](Self::is_overdue).
    pub(super) fn deadline(&self, drain_until: Option<Duration>) -> Option<Duration> {
        self.may_be_left().then(|| drain_until.into_iter().chain(self.silent_until()).min()).flatten()
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
        let run = Run { source, settings, head, feed, after, start, copy, names };
        self.outputs.push_back(Output::Start(Box::new(run)));
        self.phase = Phase::Running(Box::new(Running {
            of,
            origin,
            after,
            position,
            replaced: self.reading.is_replaced().then_some(now),
            starved: None,
            made_until: None,
            left_behind: false,
            exit: None,
            ended: None,
            stopped: None,
        }));
    }

    pub(super) fn obey_running(&mut self, now: Now) {
        let Phase::Running(running) = &mut self.phase else { return };
        match self.ordered {
            Some(Ordered::Read(_)) => {
                // Orders come with every heartbeat: the time runs from the first that says so.
                running.replaced = self.reading.is_replaced().then(|| running.replaced.unwrap_or(now));
                let renewed = self.reading.next().filter(|next| next.session == running.of.source.session);
                self.outputs.extend(renewed.cloned().map(Output::Renew));
            }
            // The gateway closes the session: what it has of it is read to its end, within limits.
            Some(Ordered::Stop | Ordered::Wait) | None => {}
            Some(Ordered::Fenced) if running.exit == Some(Exit::Fenced) => {}
            Some(Ordered::Fenced) => {
                running.exit = Some(Exit::Fenced);
                self.outputs.push_back(Output::Abort);
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
        running.starved = is_starved.then(|| running.starved.unwrap_or(now.monotonic));
    }

    pub(super) fn made(&mut self, now: Now, made: &Made) {
        let Phase::Running(running) = &mut self.phase else { return };
        if running.exit == Some(Exit::Fenced) || running.stopped.is_some() {
            return;
        }
        if self.began.is_some_and(|began| began + RENEW_EVERY <= now.monotonic) {
            self.writer.own_inits();
        }
        let written = self.writer.write(made, &running.of.source.session, running.of.head);
        if let Some(written) = written {
            running.made_until = Some(written.entry.until());
            self.outputs.push_back(Output::Write(written));
        }
        self.leave_overdue(now);
    }

    pub(super) fn run_ended(&mut self, now: Now, ended: Result<RunEnded, RunFailed>) {
        let Phase::Running(running) = &mut self.phase else { return };
        running.ended.get_or_insert(ended);
        self.conclude(now);
    }

    pub(super) fn commits_stopped(&mut self, now: Now, stopped: Stopped) {
        let Phase::Running(running) = &mut self.phase else { return };
        running.stopped.get_or_insert(stopped);
        if running.ended.is_none() {
            self.outputs.push_back(Output::Abort);
        }
        self.conclude(now);
    }

    /// Both are waited for: what the engine has made may still be on its way when the fence comes.
    fn conclude(&mut self, now: Now) {
        let Phase::Running(running) = &mut self.phase else { return };
        let Some(stopped) = running.stopped else { return };
        let Some(ended) = running.ended.take() else { return };
        let Phase::Running(running) = std::mem::replace(&mut self.phase, Phase::Idle) else { return };
        let Running { of, origin, after, position, exit, left_behind, .. } = *running;
        match stopped {
            Stopped::Failed => return self.over(Err(TimelineLost)),
            Stopped::Fenced => return self.exit(Exit::Fenced),
            Stopped::Drained => {}
        }
        if let Some(exit) = exit {
            return self.exit(exit);
        }
        if self.writer.position() != position {
            self.failures = 0;
            self.barren.bore(&of.source.session);
        }
        if left_behind && self.reading.is_replaced() {
            self.give_up(&of.source.session);
        }
        match origin {
            Origin::Link => self.after_run(now, of, after, ended),
            Origin::Replay { anew, then } => self.after_replay(now, of, anew, then, ended),
        }
    }

    fn after_replay(
        &mut self,
        now: Now,
        of: Broken,
        anew: bool,
        then: Then,
        ended: Result<RunEnded, RunFailed>,
    ) {
        match ended {
            Ok(RunEnded { ending: Ending::NotCopyable { why }, .. }) if !anew => {
                self.report(Report::NotCopied { why });
                self.writer.do_not_copy(&of.source.session, of.head.run);
                self.outputs.push_back(Output::Recall);
                self.phase = Phase::Recalling(Recalling { broken: of, then, anew: true });
            }
            Ok(_) => self.finished(now, &of, then),
            Err(failed) => {
                self.report(Report::NotFinished { why: failed.reason });
                self.finished(now, &of, then);
            }
        }
    }

    /// What follows from how a run has ended.
    fn after_run(&mut self, now: Now, of: Broken, after: u64, ended: Result<RunEnded, RunFailed>) {
        let session = of.source.session.clone();
        if !matches!(ended, Ok(RunEnded { ending: Ending::BrokeOff, .. })) {
            self.outputs.push_back(Output::Forget);
        }
        let end = match ended {
            Ok(end) => end,
            Err(failed) => return self.failed(now, &session, failed),
        };
        self.report(Report::DecodeErrors(end.decode_errors));
        let mut over = end.cursor != of.head.first_cursor;
        let mut problem = None;
        match end.ending {
            Ending::BrokeOff => {
                self.broken = Some(of);
                if self.writer.after(&session) > after {
                    self.misses = 0;
                }
                return self.worked(now, Worked::Later);
            }
            Ending::Cancelled => return self.worked(now, Worked::Again),
            Ending::NotCopyable { why } => {
                self.report(Report::NotCopied { why });
                self.writer.do_not_copy(&session, of.head.run);
                return self.worked(now, Worked::Again);
            }
            Ending::Changed => {
                self.writer.break_here(true);
                self.writer.goes_on_by(end.offset);
            }
            Ending::TimestampJump => self.writer.break_here(false),
            Ending::Whole => over = true,
            Ending::Barren(failed) => {
                self.report(Report::RunFailed { why: failed.reason.clone() });
                self.barren.note(&session, &failed);
                (over, problem) = (true, Some(failed));
            }
        }
        if over {
            self.writer.ran_out(&session, end.cursor);
        }
        if self.writer.after(&session) > after {
            return self.worked(now, Worked::Again);
        }
        // The same would be asked for, and come, again.
        self.failed(now, &session, problem.unwrap_or_else(RunFailed::no_media));
    }

    fn failed(&mut self, now: Now, session: &SessionId, failed: RunFailed) {
        self.report(Report::RunFailed { why: failed.reason.clone() });
        self.failures += 1;
        if failed.is_source || self.failures >= MAX_FAILURES {
            // Asking for the same bytes again would bring the same; a new session may be better.
            self.reading.finish(session);
            self.report(Report::GaveUp { session: session.clone(), why: given_up(&failed) });
            return self.worked(now, Worked::Done);
        }
        self.worked(now, Worked::Later);
    }
}
