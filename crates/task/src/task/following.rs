//! What follows from how a run has ended: the next run of its session, another source, giving it up.

use headwater_domain::SessionId;
use headwater_domain::heartbeat::GivenUp;

use super::barren::given_up;
use super::broken::{Broken, Origin, Recalling, Then};
use super::io::{Exit, Output, Report, TimelineLost};
use super::running::{Running, Stopped};
use super::{MAX_FAILURES, MAX_MISSES, MAX_MISSES_REPLACED, Phase, RETRY, Task, Worked};
use crate::engine::{Ending, RunEnded, RunFailed};
use crate::health::About;
use crate::time::Now;

impl Task {
    pub(super) fn run_ended(&mut self, now: Now, ended: Result<RunEnded, RunFailed>) {
        let Phase::Running(running) = &mut self.phase else { return self.rehearsal_ended(now, ended) };
        running.ended.get_or_insert(ended);
        self.conclude(now);
    }

    /// Goes on behind the run when the engine has ended and all that was written is committed, and confirmed.
    pub(super) fn conclude(&mut self, now: Now) {
        let Phase::Running(running) = &mut self.phase else { return };
        let is_done = running.commits.is_done() && running.confirm.is_done();
        if !is_done && running.stopped.is_none() {
            return;
        }
        let Some(ended) = running.ended.take() else { return };
        let Phase::Running(running) = std::mem::replace(&mut self.phase, Phase::Idle) else { return };
        let Running { of, origin, after, position, exit, left_behind, stopped, .. } = *running;
        match stopped {
            Some(Stopped::Failed) => return self.over(Err(TimelineLost)),
            Some(Stopped::Fenced) => return self.exit(Exit::Fenced),
            None => {}
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
        self.health.decode_errors(end.decode_errors);
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
                self.health.note(now, About::Failure, Some(failed.reason.clone()));
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
        self.health.note(now, About::Failure, Some(failed.reason.clone()));
        self.failures += 1;
        if failed.is_source || self.failures >= MAX_FAILURES {
            // Asking for the same bytes again would bring the same; a new session may be better.
            self.reading.finish(session);
            self.cannot_use(now, session.clone(), given_up(&failed));
            return self.worked(now, Worked::Done);
        }
        self.worked(now, Worked::Later);
    }

    /// Nothing comes of the session's source.
    pub(super) fn cannot_use(&mut self, now: Now, session: SessionId, why: GivenUp) {
        self.health.give_up(now, &session, &why);
        self.report(Report::GaveUp { session, why });
    }

    /// What follows from how work on a source ended.
    pub(super) fn worked(&mut self, now: Now, worked: Worked) {
        self.misses = if worked == Worked::Later { self.misses + 1 } else { 0 };
        match worked {
            Worked::Again => self.decide(now),
            Worked::Done if self.reading.next().is_some() => self.decide(now),
            // Nothing more to wait for.
            Worked::Done if self.drain_until.is_some() => self.exit(Exit::Over),
            Worked::Later if self.reading.is_replaced() && self.misses >= MAX_MISSES_REPLACED => {
                if let Some(session) = self.reading.next().map(|next| next.session.clone()) {
                    self.give_up(&session);
                }
                self.decide(now);
            }
            Worked::Later if self.drain_until.is_some() && self.misses >= MAX_MISSES => self.exit(Exit::Over),
            // It was asked for in the meantime; and who has nothing to read has nothing to stay for.
            Worked::Done | Worked::Later if self.leaves => self.exit(Exit::Left),
            Worked::Done if self.leaves_at.is_some() => self.exit(Exit::Left),
            Worked::Done => self.phase = Phase::Idle,
            Worked::Later => self.phase = Phase::Pausing(now.monotonic + RETRY),
        }
    }

    /// `session` is left behind: another one waits.
    pub(super) fn give_up(&mut self, session: &SessionId) {
        self.report(Report::LeftBehind { session: session.clone() });
        self.reading.leave(session);
        self.misses = 0;
    }
}
