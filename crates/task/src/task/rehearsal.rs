//! A standby: it reads its holder's source from the live edge, has the engine work on it, and throws away what is made.
//! Whoever cannot do that in real time does not take over.

use std::time::Duration;

use headwater_domain::SessionId;
use headwater_domain::heartbeat::StandbyHealth;
use headwater_domain::hooks::{Source, TranscoderOrder};
use headwater_domain::stream::{Passthrough as Copies, TranscodeSettings};
use headwater_domain::timeline::EPOCH;

use super::io::{Exit, Feed, Output, Report, Run};
use super::{MAX_FAILURES, Phase, RETRY, Task};
use crate::engine::{Ending, Made, MediaTime, Passthrough, RunEnded, RunFailed, Segment, StartPoint};
use crate::health::About;
use crate::source::{Opened, RunHead, Unreadable};
use crate::time::Now;

/// A segment is made in real time if it took no longer than so many times its length: the source brings the last of it
/// when it has lasted, and decoders and encoders hold back some more.
const IN_REAL_TIME: u32 = 2;

/// What a task is until it is promoted.
#[derive(Debug, Clone, Default)]
pub(super) struct Standby {
    /// It has made a good segment in real time.
    is_ready: bool,
    /// What it is to rehearse.
    wanted: Option<(Source, TranscodeSettings)>,
    /// The session whose packets are not fit to be copied.
    unfit: Option<SessionId>,
    /// Runs in a row that came to nothing.
    failures: u32,
}

/// A rehearsal under way.
#[derive(Debug, Clone)]
pub(super) struct Rehearsal {
    source: Source,
    settings: TranscodeSettings,
    step: Step,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The gateway was asked for media.
    Asks,
    /// The engine works; it has handed out the last segment, or begun, then.
    Works { since: Duration },
    /// It was told to drop everything. Then the task leaves, or does what it is told.
    Drops { exit: Option<Exit> },
}

impl Standby {
    pub(super) fn health(&self) -> StandbyHealth {
        StandbyHealth { ready: self.is_ready }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.is_ready
    }
}

impl Task {
    /// Takes an order as long as the task is a standby; gives it back if that promotes it.
    pub(super) fn hear_standby(&mut self, now: Now, order: TranscoderOrder) -> Option<TranscoderOrder> {
        let Some(standby) = &mut self.standby else { return Some(order) };
        match order {
            TranscoderOrder::Rehearse { source, settings, .. } => {
                standby.wanted = Some((source, *settings));
                match &self.phase {
                    Phase::Rehearsing(rehearsal) if self.rehearses(&rehearsal.source) => {}
                    Phase::Rehearsing(_) => self.stop_rehearsal(now, None),
                    Phase::Idle => self.decide(now),
                    _ => {}
                }
            }
            TranscoderOrder::Transcode { .. } => {
                self.promote(now);
                return Some(order);
            }
            // There is nothing that it would have to finish.
            TranscoderOrder::Stop { reason } => {
                self.report(Report::ToldToStop { reason });
                self.leave_standby(now, Exit::Over);
            }
            TranscoderOrder::Fenced => self.leave_standby(now, Exit::Fenced),
            TranscoderOrder::Wait | TranscoderOrder::Hold | TranscoderOrder::HandedOver => {
                standby.wanted = None;
                self.stop_rehearsal(now, None);
            }
        }
        None
    }

    /// From now on it is a holder like any other, which has not read or written anything yet.
    fn promote(&mut self, now: Now) {
        self.standby = None;
        self.began = now.monotonic;
        self.health.promoted();
        self.report(Report::Promoted);
        self.stop_rehearsal(now, None);
    }

    pub(super) fn leave_standby(&mut self, now: Now, exit: Exit) {
        if let Some(standby) = &mut self.standby {
            (standby.is_ready, standby.wanted) = (false, None);
        }
        if matches!(self.phase, Phase::Rehearsing(_)) {
            self.stop_rehearsal(now, Some(exit));
        } else {
            self.exit(exit);
        }
    }

    /// Whether the source is the one that is to be rehearsed.
    fn rehearses(&self, source: &Source) -> bool {
        let wanted = self.standby.as_ref().and_then(|standby| standby.wanted.as_ref());
        wanted.is_some_and(|(wanted, _)| wanted.session == source.session)
    }

    /// Stops what is under way; what is then depends on the newest order, unless the task leaves.
    fn stop_rehearsal(&mut self, now: Now, exit: Option<Exit>) {
        let Phase::Rehearsing(rehearsal) = &mut self.phase else {
            if matches!(self.phase, Phase::Pausing(_)) {
                self.phase = Phase::Idle;
            }
            return;
        };
        match &mut rehearsal.step {
            Step::Asks => {
                self.outputs.push_back(Output::Close);
                self.over_with_rehearsal(now, exit);
            }
            step @ Step::Works { .. } => {
                *step = Step::Drops { exit };
                self.outputs.push_back(Output::Abort);
            }
            Step::Drops { exit: then } => *then = then.or(exit),
        }
    }

    /// The engine has ended.
    fn over_with_rehearsal(&mut self, now: Now, exit: Option<Exit>) {
        self.phase = Phase::Idle;
        match exit {
            Some(exit) => self.exit(exit),
            None if self.standby.is_some() => self.decide(now),
            // The order that has promoted it is obeyed at once.
            None if self.ordered.is_none() => {}
            None => self.decide(now),
        }
    }

    /// Reads what is to be rehearsed, if anything is.
    pub(super) fn rehearse(&mut self) {
        let wanted = self.standby.as_ref().and_then(|standby| standby.wanted.clone());
        let Some((source, settings)) = wanted else { return self.health.waits() };
        self.outputs.push_back(Output::Open { source: source.clone(), after: 0, live: true });
        self.phase = Phase::Rehearsing(Box::new(Rehearsal { source, settings, step: Step::Asks }));
    }

    /// The gateway has answered a standby.
    pub(super) fn opened_rehearsal(&mut self, now: Now, opened: Result<Opened, Unreadable>) {
        let Phase::Rehearsing(rehearsal) = &mut self.phase else { return };
        if rehearsal.step != Step::Asks {
            return;
        }
        match opened {
            Ok(Opened::Run { head, .. }) => {
                rehearsal.step = Step::Works { since: now.monotonic };
                let (source, settings) = (rehearsal.source.clone(), rehearsal.settings.clone());
                self.health.rehearses(now, &source.session);
                self.run_rehearsal(source, settings, head);
            }
            Ok(Opened::Gone) => self.rehearse_later(now, None),
            Err(Unreadable { why, .. }) => self.rehearse_later(now, Some(why)),
        }
    }

    fn run_rehearsal(&mut self, source: Source, settings: TranscodeSettings, head: RunHead) {
        let unfit = self.standby.as_ref().and_then(|standby| standby.unfit.as_ref());
        let copy = match settings.passthrough {
            Copies::Auto => Passthrough { video: unfit != Some(&source.session), audio: true },
            Copies::AlwaysEncode => Passthrough::NONE,
        };
        let epoch = MediaTime::from_ticks(i64::try_from(EPOCH.ticks).unwrap_or(0));
        let start = StartPoint::aligned(epoch, 0);
        let (feed, names) = (Feed::Rehearsal, Vec::new());
        let run = Run { source, settings, head, feed, after: 0, start, copy, names };
        self.outputs.push_back(Output::Start(Box::new(run)));
    }

    /// Asks again in a moment.
    fn rehearse_later(&mut self, now: Now, problem: Option<String>) {
        if problem.is_some() {
            self.health.note(now, About::Source, problem);
        }
        self.health.waits();
        self.phase = Phase::Pausing(now.monotonic + RETRY);
    }

    /// What is made is thrown away, and says that it can be made.
    pub(super) fn made_rehearsal(&mut self, now: Now, made: &Made) {
        let Phase::Rehearsing(rehearsal) = &mut self.phase else { return };
        let Step::Works { since } = &mut rehearsal.step else { return };
        let (Made::Segment(segment), Some(standby)) = (made, &mut self.standby) else { return };
        let took = now.monotonic.saturating_sub(std::mem::replace(since, now.monotonic));
        standby.failures = 0;
        if !standby.is_ready && took <= length(segment) * IN_REAL_TIME {
            standby.is_ready = true;
            self.health.is_ready();
            self.report(Report::Ready);
        }
    }

    /// The engine has ended in a rehearsal: usually the source has.
    pub(super) fn rehearsal_ended(&mut self, now: Now, ended: Result<RunEnded, RunFailed>) {
        let Phase::Rehearsing(rehearsal) = &self.phase else { return };
        let session = rehearsal.source.session.clone();
        if let Step::Drops { exit } = rehearsal.step {
            return self.over_with_rehearsal(now, exit);
        }
        let Some(standby) = &mut self.standby else { return };
        let failed = match ended {
            Ok(RunEnded { ending: Ending::Barren(failed), .. }) => Some((failed, false)),
            Ok(RunEnded { ending: Ending::NotCopyable { .. }, .. }) => {
                standby.unfit = Some(session);
                None
            }
            Ok(_) => None,
            Err(failed) => {
                let is_source = failed.is_source;
                Some((failed, is_source))
            }
        };
        let Some((failed, is_source)) = failed else { return self.rehearse_later(now, None) };
        standby.failures += 1;
        if is_source || standby.failures >= MAX_FAILURES {
            let why = failed.reason;
            self.health.note(now, About::Failure, Some(why.clone()));
            self.report(Report::CannotRehearse { why });
            self.phase = Phase::Idle;
            return self.leave_standby(now, Exit::Over);
        }
        self.rehearse_later(now, Some(failed.reason));
    }
}

/// How long a segment lasts.
fn length(segment: &Segment) -> Duration {
    let pictures = segment.video.map(|span| span.end.minus(span.start));
    let sound = segment.audio.map(|span| span.to.time().minus(span.from.time()));
    let ticks = pictures.or(sound).map_or(0, MediaTime::ticks);
    Duration::from_millis(u64::try_from(ticks / 90).unwrap_or(0))
}
