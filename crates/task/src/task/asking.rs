//! Asking the gateway for media, and what is done when there is none: wait, take another source, finish what was read.

use std::time::Duration;

use headwater_domain::SessionId;
use headwater_domain::hooks::Source;
use headwater_domain::stream::TranscodeSettings;

use super::broken::{Broken, Origin, Recalling, Then};
use super::io::{Exit, Output, Report};
use super::orders::{Terms, Wanted};
use super::{Phase, Task, Worked};
use crate::source::{Opened, RunHead, Unreadable};
use crate::time::Now;

/// A source that was replaced by another is left behind when it does not answer at once.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// A request for media.
#[derive(Debug, Clone)]
pub(super) struct Asking {
    source: Source,
    settings: TranscodeSettings,
    /// Another source waits: until then.
    waits_until: Option<Duration>,
}

impl Asking {
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.waits_until
    }
}

impl Task {
    /// Asks for the media behind what was read of `source`.
    pub(super) fn ask(&mut self, now: Now, source: Source, terms: Terms) {
        if self.reading.begin(&source.session) {
            (self.failures, self.misses) = (0, 0);
        }
        self.writer.begin(terms.resume);
        let live = terms.settings.from_live_edge && self.writer.is_fresh();
        let after = self.writer.after(&source.session);
        self.outputs.push_back(Output::Open { source: source.clone(), after, live });
        let waits_until = self.reading.is_replaced().then(|| now.monotonic + ANSWERS_WITHIN);
        self.phase = Phase::Asking(Asking { source, settings: terms.settings, waits_until });
    }

    /// Most orders only renew the token: no reason to ask again.
    pub(super) fn obey_asking(&mut self, now: Now) {
        let Phase::Asking(asking) = &mut self.phase else { return };
        let is_replaced = self.reading.is_replaced();
        asking.waits_until =
            is_replaced.then(|| asking.waits_until.unwrap_or(now.monotonic + ANSWERS_WITHIN));
        let session = asking.source.session.clone();
        if !self.goes_on(&session) {
            self.outputs.push_back(Output::Close);
            self.worked(now, Worked::Again);
        }
    }

    /// The gateway was waited for as long as it may be.
    pub(super) fn waited_in_vain(&mut self, now: Now) {
        let Phase::Asking(asking) = &self.phase else { return };
        let session = asking.source.session.clone();
        self.outputs.push_back(Output::Close);
        if self.drain_until.is_some_and(|until| until <= now.monotonic) {
            return self.exit(Exit::Over);
        }
        self.give_up(&session);
        self.worked(now, Worked::Again);
    }

    /// The gateway has answered, or it is known that it does not.
    pub(super) fn opened(&mut self, now: Now, opened: Result<Opened, Unreadable>) {
        let Phase::Asking(Asking { source, settings, .. }) = &self.phase else {
            return self.opened_rehearsal(now, opened);
        };
        let (source, settings) = (source.clone(), settings.clone());
        let session = source.session.clone();
        match opened {
            Ok(Opened::Run { head, problem }) => {
                self.health.source_found(now, &session, problem, head.lost);
                self.report(Report::SourceFound { session, lost: head.lost });
                self.broken = None;
                self.run(now, Broken { source, settings, head }, Origin::Link);
            }
            Ok(Opened::Gone) => {
                if self.broken.take().is_some() {
                    self.outputs.push_back(Output::Forget);
                }
                self.reading.finish(&session);
                match self.barren.take(&session) {
                    Some(why) => self.cannot_use(now, session, why),
                    None => {
                        self.health.source_lost(now, &session, None);
                        self.report(Report::SourceEnded { session });
                    }
                }
                self.worked(now, Worked::Done);
            }
            Err(Unreadable { why, is_final }) => {
                self.health.source_lost(now, &session, Some(why));
                self.report(Report::SourceLost { session: session.clone() });
                // While it is ordered its gateway may only be out of reach.
                if is_final || !self.is_ordered(&session) {
                    self.finish_broken(now, Then::Unreadable(session, is_final));
                } else {
                    self.unreadable(now, &session, is_final);
                }
            }
        }
    }

    fn unreadable(&mut self, now: Now, session: &SessionId, is_final: bool) {
        if is_final && self.reading.is_replaced() {
            self.give_up(session);
            return self.worked(now, Worked::Again);
        }
        self.worked(now, Worked::Later);
    }

    /// Whether the run that broke off will not be taken up again.
    pub(super) fn turns_away(&self, wanted: &Wanted) -> bool {
        self.broken.as_ref().is_some_and(|broken| match wanted {
            Wanted::Read(rest) => rest.0.session != broken.source.session,
            Wanted::Exit(exit) => *exit == Exit::Over,
            Wanted::Nothing => true,
        })
    }

    /// The gateway that has the rest of a run is gone: the end is what was read of it.
    pub(super) fn finish_broken(&mut self, now: Now, then: Then) {
        if self.broken.is_some() {
            self.recall(then);
        } else {
            self.then(now, then);
        }
    }

    pub(super) fn recall(&mut self, then: Then) {
        let Some(broken) = self.broken.take() else { return };
        self.outputs.push_back(Output::Recall);
        self.phase = Phase::Recalling(Recalling { broken, then, anew: false });
    }

    /// What was read of the run that broke off begins at the cursor `first`, if there is anything.
    pub(super) fn recalled(&mut self, now: Now, first: Option<u64>) {
        let Phase::Recalling(Recalling { broken, then, anew }) = &self.phase else { return };
        let (broken, then, anew) = (broken.clone(), then.clone(), *anew);
        match first {
            Some(first_cursor) => {
                if !anew {
                    self.report(Report::Finishing { session: broken.source.session.clone() });
                }
                // What the gateway no longer had, the writer knows since the run began.
                let head = RunHead { first_cursor, lost: 0, ..broken.head };
                self.run(now, Broken { head, ..broken }, Origin::Replay { anew, then });
            }
            None if anew => self.finished(now, &broken, then),
            None => {
                self.outputs.push_back(Output::Forget);
                self.then(now, then);
            }
        }
    }

    /// What was read of a run whose gateway is gone is in the timeline.
    pub(super) fn finished(&mut self, now: Now, broken: &Broken, then: Then) {
        // If the gateway turns up again, its media does not continue what ends anywhere in a GOP.
        self.writer.do_not_copy(&broken.source.session, broken.head.run);
        self.writer.break_here(true);
        self.outputs.push_back(Output::Forget);
        self.then(now, then);
    }

    fn then(&mut self, now: Now, then: Then) {
        match then {
            Then::Again => self.worked(now, Worked::Again),
            Then::Unreadable(session, is_final) => self.unreadable(now, &session, is_final),
            Then::Exit(exit) => self.drain(exit),
        }
    }
}
