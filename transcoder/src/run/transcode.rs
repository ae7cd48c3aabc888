//! One run: the engine works on it, the committer stores what it makes, and orders are watched meanwhile.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Duration;

use headwater_domain::beat::GivenUp;
use headwater_domain::hooks::{Source, TranscoderOrder};
use headwater_domain::objects::RENEW_EVERY;
use headwater_domain::ports::{Hooks, PutMedia, WriteTimeline};
use headwater_domain::stream::{Passthrough, TranscodeSettings};
use headwater_domain::{SessionId, Timestamp};
use headwater_task::source::RunHead;
use headwater_task::timeline::Written;
use hyper::body::Incoming;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::commit::{Committer, MAX_PENDING, Stopped};
use super::engine;
use super::kept::Kept;
use super::notes::About;
use super::source::{Hunger, reader};
use super::task::{DRAIN, Exit, LAST_WORDS, TaskError, Worked, Worker, reached};
use super::vitals::wall_clock;
use crate::media::{self, Cancel, EndReason, ErrorKind, Made, MediaError, RunEnd, RunInput};

/// Runs in a row that failed, or ended where they began, before the source counts as unusable.
const MAX_FAILURES: u32 = 5;

/// How often it is looked whether a source that another one has replaced has anything to say.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// When another source took the place of the one that is read.
#[derive(Debug, Clone, Copy)]
struct Replaced {
    at: Instant,
    wall: Timestamp,
}

impl Replaced {
    fn now() -> Self {
        Self { at: Instant::now(), wall: wall_clock() }
    }
}

/// A run that broke off, and what was read of it.
pub(super) struct BrokenRun {
    pub(super) source: Source,
    settings: TranscodeSettings,
    head: RunHead,
    kept: Kept,
}

/// Why nothing came of the runs of a session, in case nothing comes of the others either.
#[derive(Debug, Default)]
pub(super) struct Barren {
    why: Option<(SessionId, GivenUp)>,
    /// The last session of which something was made.
    fruitful: Option<SessionId>,
}

impl Barren {
    fn note(&mut self, session: &SessionId, error: &MediaError) {
        self.why = Some((session.clone(), given_up(error)));
    }

    fn bore(&mut self, session: &SessionId) {
        self.fruitful = Some(session.clone());
    }

    /// Why nothing was made of a session that is over, if a run of it was barren and none was not.
    pub(super) fn take(&mut self, session: &SessionId) -> Option<GivenUp> {
        let (of, why) = self.why.take()?;
        (of == *session && self.fruitful.as_ref() != Some(session)).then_some(why)
    }
}

/// What is told of a source of which nothing can be made.
fn given_up(error: &MediaError) -> GivenUp {
    let retry = !error.is_lasting();
    let advice = if retry { "connect again" } else { "change the encoder's settings" };
    GivenUp { reason: format!("{error}; {advice}"), retry }
}

impl<H, T, M> Worker<H, T, M>
where
    H: Hooks + 'static,
    T: WriteTimeline + 'static,
    M: PutMedia + 'static,
{
    /// Reads one run, as the gateway sends it.
    pub(super) async fn read_run(
        &mut self,
        source: &Source,
        settings: &TranscodeSettings,
        head: RunHead,
        body: Incoming,
    ) -> Result<Worked, TaskError> {
        let before = self.writer.after(&source.session);
        let (kept, hunger) = (Kept::new(head.first_cursor, before), Hunger::default());
        let input = RunInput {
            reader: Box::new(reader(body, kept.clone(), hunger.clone(), self.vitals.clone())),
            first_cursor: head.first_cursor,
            pace: Some(Box::new(engine::WallPace::new(head))),
        };
        Ok(match self.transcode(source, settings, head, input, &kept, Some(hunger)).await? {
            ControlFlow::Break(exit) => Worked::Exit(exit),
            ControlFlow::Continue(ended) => {
                if matches!(ended, Ok(RunEnd { reason: EndReason::Abrupt(_), .. })) {
                    self.broken =
                        Some(BrokenRun { source: source.clone(), settings: settings.clone(), head, kept });
                }
                self.after_run(&source.session, head, before, ended)
            }
        })
    }

    /// The gateway that has the rest of a run is gone: the end is what was read of it.
    pub(super) async fn finish(&mut self, run: BrokenRun) -> Result<Worked, TaskError> {
        let BrokenRun { source, settings, head, kept } = run;
        let Some((first_cursor, rest)) = kept.rest() else { return Ok(Worked::Again) };
        tracing::info!(session = %source.session, "its gateway is gone; what was read of it is finished");
        let head = RunHead { first_cursor, lost: 0, ..head };
        let input = RunInput { reader: Box::new(rest), first_cursor, pace: None };
        let mut transcoded = self.transcode(&source, &settings, head, input, &kept, None).await?;
        if let ControlFlow::Continue(Ok(RunEnd { reason: EndReason::NotCopyable { why }, .. })) = &transcoded
            && let Some((first_cursor, rest)) = kept.rest()
        {
            tracing::info!(why, "it is encoded anew");
            self.writer.do_not_copy(&source.session, head.run);
            let head = RunHead { first_cursor, ..head };
            let input = RunInput { reader: Box::new(rest), first_cursor, pace: None };
            transcoded = self.transcode(&source, &settings, head, input, &kept, None).await?;
        }
        // If the gateway turns up again, its media does not continue what ends anywhere in a GOP.
        self.writer.do_not_copy(&source.session, head.run);
        self.writer.break_here(true);
        Ok(match transcoded {
            ControlFlow::Break(exit) => Worked::Exit(exit),
            ControlFlow::Continue(Ok(end)) => {
                tracing::info!(reason = ?end.reason, stats = ?end.stats, "it is finished");
                Worked::Again
            }
            ControlFlow::Continue(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "it cannot be finished");
                Worked::Again
            }
        })
    }

    /// Has the engine work on one run, commits what it makes; breaks if the task is to leave. Without `hunger` the run is
    /// in memory: nobody else has it, so it is finished whatever is ordered.
    async fn transcode(
        &mut self,
        source: &Source,
        settings: &TranscodeSettings,
        head: RunHead,
        input: RunInput,
        kept: &Kept,
        hunger: Option<Hunger>,
    ) -> Result<ControlFlow<Exit, Result<RunEnd, MediaError>>, TaskError> {
        let (queue, pending) = mpsc::channel::<Written>(MAX_PENDING);
        let abort = CancellationToken::new();
        let (access, newest) = watch::channel(source.clone());
        let committer = Committer {
            timeline: self.task.ports.timeline.clone(),
            uploader: self.uploader.mirroring(settings.mirror),
            vitals: self.vitals.clone(),
            lost_parts: BTreeSet::new(),
            hunger: hunger.clone(),
            source: newest,
        };
        let mut committing = tokio::spawn(committer.run(pending, abort.clone()));
        let cancel = Cancel::new();
        let mut engine = {
            let (session, cancel) = (source.session.clone(), cancel.clone());
            self.hear_resume_after();
            let copy = match settings.passthrough {
                Passthrough::Auto => self.writer.may_copy(&session, head),
                Passthrough::AlwaysEncode => media::Passthrough::NONE,
            };
            self.writer.keep(settings.retention);
            let start = self.writer.start(&session, head);
            let engine_settings =
                engine::settings(settings, copy, self.writer.names().to_vec(), self.vitals.problems());
            let (mut writer, mut told) = (self.writer.clone(), self.resume_after.subscribe());
            let (kept, since) = (kept.clone(), self.since);
            tokio::task::spawn_blocking(move || {
                let sink = |made| {
                    if since.elapsed() >= RENEW_EVERY {
                        writer.own_inits();
                    }
                    if let Some(behind) = *told.borrow_and_update() {
                        writer.resume_after(behind);
                    }
                    let Some(written) = writer.write(&made, &session, head) else {
                        return ControlFlow::Continue(());
                    };
                    if let Made::Segment(segment) = &made {
                        kept.written(segment.cursor);
                    }
                    match queue.blocking_send(written) {
                        Ok(()) => ControlFlow::Continue(()),
                        Err(_) => ControlFlow::Break(()),
                    }
                };
                let ended = media::run(input, &engine_settings, start, sink, &cancel);
                (ended, writer)
            })
        };
        let mut exit = None;
        let (mut finished, mut stopped) = (None, None);
        let mut replaced = self.reading.is_replaced().then(Replaced::now);
        let mut left_behind = false;
        // Both, for what the engine has made may still be on its way when the fence comes.
        let (ended, writer, stopped) = loop {
            (finished, stopped) = match (finished, stopped) {
                (Some((ended, writer)), Some(stopped)) => break (ended, writer, stopped),
                unfinished => unfinished,
            };
            let look_again = hunger.as_ref().and_then(|_| self.look_again(replaced));
            tokio::select! {
                made = &mut engine, if finished.is_none() => finished = Some(made?),
                outcome = &mut committing, if stopped.is_none() => {
                    stopped = Some(outcome?);
                    cancel.abort();
                }
                () = self.task.leave.cancelled(), if exit.is_none() && hunger.is_some() => {
                    exit = Some(Exit::Left);
                    cancel.finish();
                }
                changed = self.orders.changed(), if exit != Some(Exit::Fenced) => match self.newest_order() {
                    Some(TranscoderOrder::Transcode { .. }) if changed.is_ok() => {
                        if let Some(renewed) = self.reading.next().filter(|next| next.session == source.session) {
                            access.send_replace(renewed.clone());
                        }
                        // Orders come with every heartbeat: the time runs from the first that says so.
                        replaced = self.reading.is_replaced().then(|| replaced.unwrap_or_else(Replaced::now));
                    }
                    // The gateway closes the session: what it has of it is read to its end, within limits.
                    Some(TranscoderOrder::Stop { .. } | TranscoderOrder::Wait) if changed.is_ok() => {}
                    // Or nobody is there any more who could say so.
                    _ => {
                        exit = Some(Exit::Fenced);
                        abort.cancel();
                        cancel.abort();
                    }
                },
                () = reached(look_again), if finished.is_none() && exit.is_none() && !left_behind => {
                    left_behind = hunger.as_ref().is_some_and(|hunger| self.is_overdue(replaced, hunger));
                    if left_behind {
                        cancel.finish();
                    }
                }
            }
        };
        let made_media = writer.position() != self.writer.position();
        self.writer = writer;
        match stopped {
            Stopped::Failed => return Err(TaskError::Timeline),
            Stopped::Fenced => return Ok(ControlFlow::Break(Exit::Fenced)),
            Stopped::Drained => {}
        }
        if let Some(exit) = exit {
            return Ok(ControlFlow::Break(exit));
        }
        if made_media {
            self.failures = 0;
            self.barren.bore(&source.session);
        }
        if left_behind && self.reading.is_replaced() {
            self.give_up(&source.session);
        }
        Ok(ControlFlow::Continue(ended))
    }

    /// What the newest order has said that the next segment must come behind.
    fn hear_resume_after(&mut self) {
        if let Some(behind) = *self.resume_after.borrow() {
            self.writer.resume_after(behind);
        }
    }

    /// When it is to be seen whether a source that does not end [`is_overdue`](Self::is_overdue).
    fn look_again(&self, replaced: Option<Replaced>) -> Option<Instant> {
        let soon = replaced.map(|_| Instant::now() + LOOK_EVERY);
        self.drain_until.into_iter().chain(soon).min()
    }

    /// Whether a source that does not end is not to be read on: the task has had its time to stop, or another source waits
    /// and this one is silent, or endless. Media of before, however long it takes to read, is what is there to be read.
    fn is_overdue(&self, replaced: Option<Replaced>, hunger: &Hunger) -> bool {
        let now = Instant::now();
        let drained = self.drain_until.is_some_and(|until| until <= now);
        drained
            || replaced.is_some_and(|replaced| {
                let silent = hunger.since().map(|since| since.max(replaced.at) + LAST_WORDS);
                let endless = self.vitals.read().media_until.map(|until| until > replaced.wall + DRAIN);
                silent.is_some_and(|until| until <= now) || endless == Some(true)
            })
    }

    /// What follows from how a run has ended; before it, the session had been read up to `before`.
    fn after_run(
        &mut self,
        session: &SessionId,
        head: RunHead,
        before: u64,
        ended: Result<RunEnd, MediaError>,
    ) -> Worked {
        let end = match ended {
            Ok(end) => end,
            Err(error) => return self.failed(session, &error),
        };
        let errors = end.stats.video_errors + end.stats.audio_errors;
        self.vitals.update(|health| health.decode_errors += errors);
        tracing::info!(reason = ?end.reason, stats = ?end.stats, "a run has ended");
        let mut over = end.position.cursor != head.first_cursor;
        let mut problem = None;
        match end.reason {
            EndReason::Abrupt(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the source broke off");
                if self.writer.after(session) > before {
                    self.misses = 0;
                }
                return Worked::Later;
            }
            EndReason::Finished | EndReason::Aborted => return Worked::Again,
            EndReason::NotCopyable { why } => {
                tracing::info!(why, "the source is encoded anew");
                self.writer.do_not_copy(session, head.run);
                return Worked::Again;
            }
            EndReason::TracksChanged | EndReason::ParametersChanged => {
                self.writer.break_here(true);
                self.writer.goes_on_by(end.position.offset);
            }
            EndReason::TimestampJump => self.writer.break_here(false),
            EndReason::Ended => over = true,
            EndReason::Barren(error) => {
                self.vitals.note(About::Failure, Some(error.to_string()));
                self.barren.note(session, &error);
                (over, problem) = (true, Some(error));
            }
        }
        if over {
            self.writer.ran_out(session, end.position.cursor);
        }
        if self.writer.after(session) > before {
            return Worked::Again;
        }
        // The same would be asked for, and come, again.
        self.failed(session, &problem.unwrap_or(MediaError::NoMedia))
    }

    fn failed(&mut self, session: &SessionId, error: &MediaError) -> Worked {
        tracing::error!(error = error as &dyn std::error::Error, "the source cannot be transcoded");
        self.vitals.note(About::Failure, Some(error.to_string()));
        self.failures += 1;
        if error.kind() == ErrorKind::Source || self.failures >= MAX_FAILURES {
            // Asking for the same bytes again would bring the same; a new session may be better.
            self.reading.finish(session);
            self.vitals.give_up(session, given_up(error));
            return Worked::Done;
        }
        Worked::Later
    }
}
