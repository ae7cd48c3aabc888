//! What the engine makes of a run becomes entries: they are stored, committed, and the gateway is told.

use headwater_domain::objects::RENEW_EVERY;
use headwater_domain::ports::{Commit, FaultKind};
use headwater_domain::timeline::Entry;

use super::io::Output;
use super::running::Stopped;
use super::{Phase, Task};
use crate::commits::{Act, Outcome, UploadId};
use crate::engine::{Effort, Made};
use crate::health::About;
use crate::time::Now;

impl Task {
    pub(super) fn made(&mut self, now: Now, made: &Made) {
        let Phase::Running(running) = &mut self.phase else { return self.made_rehearsal(now, made) };
        if running.stopped.is_some() {
            return;
        }
        if self.began + RENEW_EVERY <= now.monotonic {
            self.writer.own_inits();
        }
        let written = self.writer.write(made, &running.of.source.session, running.of.head);
        if let Some(written) = written {
            running.made_until = Some(written.entry.until());
            if !written.entry.open {
                self.outputs.push_back(Output::Written(written.entry.source.cursor));
            }
            running.commits.push(written);
        }
        self.commit_on(now);
        self.leave_overdue(now);
    }

    /// Stores and commits whatever can be by now, and goes on behind the run if that was all.
    pub(super) fn commit_on(&mut self, now: Now) {
        let Phase::Running(running) = &mut self.phase else { return };
        while let Some(act) = running.commits.next(now) {
            self.outputs.push_back(match act {
                Act::Upload(upload) => Output::Upload(upload),
                Act::Commit(entry) => Output::Commit(entry),
            });
        }
        if running.stopped.is_none()
            && let Some(cursor) = running.confirm.next()
        {
            self.outputs.push_back(Output::Confirm { source: running.access.clone(), cursor });
        }
        self.conclude(now);
    }

    pub(super) fn stored(&mut self, now: Now, upload: UploadId, is_lost: bool) {
        let Phase::Running(running) = &mut self.phase else { return };
        running.commits.stored(upload, is_lost);
        self.commit_on(now);
    }

    pub(super) fn committed(&mut self, now: Now, answer: Result<Commit, FaultKind>) {
        let Phase::Running(running) = &mut self.phase else { return };
        match running.commits.committed(now, answer) {
            None | Some(Outcome::Again) => {}
            Some(Outcome::Fenced) => self.stop(now, Stopped::Fenced),
            Some(Outcome::Failed) => self.stop(now, Stopped::Failed),
            Some(Outcome::Committed(entry, effort)) => {
                self.is_in_the_timeline(&entry, effort);
                self.commit_on(now);
            }
        }
    }

    fn is_in_the_timeline(&mut self, entry: &Entry, effort: Effort) {
        let Phase::Running(running) = &mut self.phase else { return };
        self.health.committed(entry, effort, running.was_at_the_end());
        if !entry.open {
            running.confirm.is_safe(entry.source.cursor);
        }
    }

    /// The gateway has answered what it was told, with what of the session cannot be used, or it has not.
    pub(super) fn confirmed(&mut self, now: Now, answer: Option<Option<String>>) {
        let Phase::Running(running) = &mut self.phase else { return };
        running.confirm.told();
        if let Some(problem) = answer {
            self.health.note(now, About::Tracks, problem);
        }
        self.commit_on(now);
    }
}
