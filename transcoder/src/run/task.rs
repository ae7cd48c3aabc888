//! The life of the task: wait for an order, read the source run by run, leave when told.

use std::ops::ControlFlow;
use std::time::Duration;

use headwater_domain::beat::Activity;
use headwater_domain::hooks::{Secret, Source, TranscoderOrder};
use headwater_domain::ports::{Hooks, PutMedia, WriteTimeline};
use headwater_domain::stream::TranscodeSettings;
use headwater_domain::time::Timestamp;
use headwater_domain::timeline::ResumePoint;
use headwater_domain::{BroadcastId, Lease, SessionId};
use hyper::body::Incoming;
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Ports;
use super::beats::Beats;
use super::commit::{Committer, MAX_PENDING, Pending, Stopped};
use super::entry::Author;
use super::source::{Opened, RunHead, SourceClient, reader};
use super::upload::Uploader;
use super::vitals::Vitals;
use crate::media::{self, Cancel, EndReason, ErrorKind, MediaError, RunEnd, RunInput};

/// A source that was replaced by another may say what it still has for so long.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// A task that is told to stop reads what the gateway still has, for so long: a cold start's backlog fits.
const DRAIN: Duration = Duration::from_secs(60);
/// Pause after the source could not be read.
const RETRY: Duration = Duration::from_millis(500);
/// Failures of the engine in a row, without a segment in between, before the source counts as unusable.
const MAX_ENGINE_FAILURES: u32 = 5;

/// How a task left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It was told that the broadcast is over.
    Over,
    /// It was asked to leave (SIGTERM) and has finished what it had.
    Left,
    /// Another lease has taken over.
    Fenced,
}

/// Why a task failed.
#[derive(Debug, Error)]
pub enum TaskError {
    /// The timeline cannot be written.
    #[error("the timeline cannot be written")]
    Timeline,
    /// A part of the task has died.
    #[error("a part of the task has died")]
    Died(#[from] tokio::task::JoinError),
}

/// One task: a lease and what it stands on.
#[derive(Debug)]
pub struct Task<H, T, M> {
    /// The broadcast it extends.
    pub broadcast: BroadcastId,
    /// The right by which it does.
    pub lease: Lease,
    /// This process's secret.
    pub boot: Secret,
    /// Hooks, timeline, buckets.
    pub ports: Ports<H, T, M>,
    /// Asked to leave (SIGTERM).
    pub leave: CancellationToken,
}

/// What the newest order wants.
enum Wanted {
    Read(Box<Work>),
    Nothing,
    Exit(Exit),
}

/// A source and how to transcode it.
#[derive(Debug, Clone)]
struct Work {
    source: Source,
    settings: TranscodeSettings,
    resume: Option<ResumePoint>,
}

/// How work on a source ended.
enum Worked {
    /// Ask again at once.
    Again,
    /// Wait for another order; this session has no more media.
    Done,
    /// The source could not be read; try again in a moment.
    Later,
    /// Leave.
    Exit(Exit),
}

impl<H, T, M> Task<H, T, M>
where
    H: Hooks + 'static,
    T: WriteTimeline + 'static,
    M: PutMedia + 'static,
{
    /// Works until told to stop.
    pub async fn run(self) -> Result<Exit, TaskError> {
        let vitals = Vitals::new();
        let done = CancellationToken::new();
        let (order_in, orders) = watch::channel(None);
        let beats = Beats {
            hooks: self.ports.hooks.clone(),
            broadcast: self.broadcast.clone(),
            lease: self.lease.clone(),
            boot: self.boot.clone(),
            vitals: vitals.clone(),
        };
        let beating = tokio::spawn(beats.run(order_in, done.clone()));
        let mut worker = Worker {
            orders,
            vitals,
            client: SourceClient::new(),
            author: Author::new(self.broadcast.clone(), self.lease.clone()),
            last: None,
            finished: None,
            drain_until: None,
            failures: 0,
            task: self,
        };
        let exit = worker.work().await;
        done.cancel();
        beating.await?;
        exit
    }
}

struct Worker<H, T, M> {
    task: Task<H, T, M>,
    orders: watch::Receiver<Option<TranscoderOrder>>,
    vitals: Vitals,
    client: SourceClient,
    author: Author,
    /// The source that was ordered last.
    last: Option<Work>,
    /// Told to stop: until then what the gateway still has is read.
    drain_until: Option<Instant>,
    /// The last session that was read to its end.
    finished: Option<SessionId>,
    failures: u32,
}

impl<H, T, M> Worker<H, T, M>
where
    H: Hooks + 'static,
    T: WriteTimeline + 'static,
    M: PutMedia + 'static,
{
    async fn work(&mut self) -> Result<Exit, TaskError> {
        loop {
            if self.task.leave.is_cancelled() {
                return Ok(self.leave(Exit::Left));
            }
            let worked = match self.wanted() {
                Wanted::Exit(exit) => Worked::Exit(exit),
                Wanted::Read(work) if !self.is_finished(&work.source) => {
                    self.author.begin(work.resume.clone());
                    self.read(&work.source, &work.settings).await?
                }
                Wanted::Read(_) | Wanted::Nothing => Worked::Done,
            };
            let pause = match worked {
                Worked::Exit(Exit::Fenced) => return Ok(Exit::Fenced),
                Worked::Exit(exit) => return Ok(self.leave(exit)),
                // Nothing more to wait for.
                Worked::Later | Worked::Done if self.drain_until.is_some() => {
                    return Ok(self.leave(Exit::Over));
                }
                Worked::Again => continue,
                Worked::Later => RETRY,
                Worked::Done => Duration::from_secs(3600),
            };
            tokio::select! {
                changed = self.orders.changed() => if changed.is_err() { return Ok(Exit::Fenced) },
                () = self.task.leave.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// The last heartbeat says goodbye.
    fn leave(&self, exit: Exit) -> Exit {
        self.vitals.update(|health| health.activity = Activity::Leaving);
        exit
    }

    fn newest_order(&mut self) -> Option<TranscoderOrder> {
        self.orders.borrow_and_update().clone()
    }

    fn is_finished(&self, source: &Source) -> bool {
        self.finished.as_ref() == Some(&source.session)
    }

    fn wanted(&mut self) -> Wanted {
        match self.newest_order() {
            None => Wanted::Nothing,
            Some(TranscoderOrder::Transcode { source, settings, resume, .. }) => {
                let work = Work { source, settings: *settings, resume: resume.map(|resume| *resume) };
                self.last = Some(work.clone());
                Wanted::Read(Box::new(work))
            }
            Some(TranscoderOrder::Wait) => {
                self.vitals.update(|health| health.activity = Activity::Waiting);
                // The publisher is gone; what it sent before may not all be read.
                self.rest().map_or(Wanted::Nothing, Wanted::Read)
            }
            Some(TranscoderOrder::Stop { reason }) => {
                self.stopping(&reason);
                let rest =
                    self.rest().filter(|_| self.drain_until.is_some_and(|until| Instant::now() < until));
                rest.map_or(Wanted::Exit(Exit::Over), Wanted::Read)
            }
            Some(TranscoderOrder::Fenced) => {
                tracing::warn!("fenced: another lease has taken over");
                Wanted::Exit(Exit::Fenced)
            }
        }
    }

    /// Told to stop, for the first time: from now on what is there is finished.
    fn stopping(&mut self, reason: &str) {
        if self.drain_until.is_none() {
            tracing::info!(reason, "told to stop");
            self.drain_until = Some(Instant::now() + DRAIN);
        }
    }

    /// The last source, unless it was read to its end.
    fn rest(&self) -> Option<Box<Work>> {
        self.last.clone().filter(|work| !self.is_finished(&work.source)).map(Box::new)
    }

    /// Reads one run of the source, if there is one.
    async fn read(&mut self, source: &Source, settings: &TranscodeSettings) -> Result<Worked, TaskError> {
        let opened = tokio::select! {
            opened = self.client.open(source, self.author.after(&source.session)) => opened,
            () = self.task.leave.cancelled() => return Ok(Worked::Exit(Exit::Left)),
            _ = self.orders.changed() => return Ok(Worked::Again),
        };
        match opened {
            Ok(Opened::Run(head, body)) => {
                self.vitals.source_found(&source.session);
                if head.lost > 0 {
                    tracing::warn!(lost = head.lost, "the gateway no longer has everything");
                    self.vitals.update(|h| {
                        h.problem =
                            Some(format!("{} source messages were lost before they were read", head.lost))
                    });
                }
                self.transcode(source, settings, head, body).await
            }
            Ok(Opened::Gone) => {
                tracing::info!(session = %source.session, "the session has ended");
                self.finished = Some(source.session.clone());
                self.vitals.source_lost(&source.session, None);
                Ok(Worked::Done)
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the source cannot be read");
                self.vitals.source_lost(&source.session, Some(error.to_string()));
                Ok(Worked::Later)
            }
        }
    }

    /// Has the engine work on one run, commits what it makes.
    async fn transcode(
        &mut self,
        source: &Source,
        settings: &TranscodeSettings,
        head: RunHead,
        body: Incoming,
    ) -> Result<Worked, TaskError> {
        let (queue, pending) = mpsc::channel::<Pending>(MAX_PENDING);
        let abort = CancellationToken::new();
        let mirror = settings.mirror && self.task.ports.has_mirror;
        let committer = Committer {
            timeline: self.task.ports.timeline.clone(),
            uploader: Uploader::new(self.task.ports.media.clone(), mirror, self.vitals.clone()),
            vitals: self.vitals.clone(),
        };
        let mut committing = tokio::spawn(committer.run(pending, abort.clone()));
        let cancel = Cancel::new();
        let mut engine = {
            let (mut author, source, cancel) = (self.author.clone(), source.clone(), cancel.clone());
            let start = author.start(&source.session, head);
            let input = RunInput { reader: Box::new(reader(body)), first_cursor: head.first_cursor };
            let engine_settings = super::entry::engine_settings(settings);
            tokio::task::spawn_blocking(move || {
                let sink = |segment| {
                    let (entry, objects) = author.write(segment, &source.session, head);
                    match queue.blocking_send(Pending { entry, objects, source: source.clone() }) {
                        Ok(()) => ControlFlow::Continue(()),
                        Err(_) => ControlFlow::Break(()),
                    }
                };
                let ended = media::run(input, &engine_settings, start, sink, &cancel);
                (ended, author)
            })
        };
        let mut exit = None;
        let mut stopped = None;
        let last_words = tokio::time::sleep(Duration::from_secs(10 * 365 * 86_400));
        tokio::pin!(last_words);
        let (ended, author) = loop {
            tokio::select! {
                finished = &mut engine => break finished?,
                outcome = &mut committing, if stopped.is_none() => {
                    stopped = Some(outcome?);
                    cancel.abort();
                }
                () = self.task.leave.cancelled(), if exit.is_none() => {
                    exit = Some(Exit::Left);
                    cancel.finish();
                }
                _ = self.orders.changed() => match self.newest_order() {
                    Some(TranscoderOrder::Fenced) => {
                        exit = Some(Exit::Fenced);
                        abort.cancel();
                        cancel.abort();
                    }
                    // The gateway closes the session; what it has of it is read to its end, within limits.
                    Some(TranscoderOrder::Stop { reason }) => {
                        self.stopping(&reason);
                        last_words.as_mut().reset(Instant::now() + DRAIN);
                    }
                    Some(TranscoderOrder::Transcode { source: next, .. }) if next.session != source.session => {
                        last_words.as_mut().reset(Instant::now() + LAST_WORDS);
                    }
                    // The publisher is gone: what the gateway has is read to its end, then it says so.
                    _ => {}
                },
                () = &mut last_words, if exit.is_none() => {
                    tracing::warn!(session = %source.session, "the replaced source does not end; left behind");
                    last_words.as_mut().reset(Instant::now() + Duration::from_secs(86_400));
                    cancel.finish();
                }
            }
        };
        let made_media = author.position() != self.author.position();
        self.author = author;
        let stopped = match stopped {
            Some(stopped) => stopped,
            None => committing.await?,
        };
        match stopped {
            Stopped::Failed => return Err(TaskError::Timeline),
            Stopped::Fenced => return Ok(Worked::Exit(Exit::Fenced)),
            Stopped::Drained => {}
        }
        if let Some(exit) = exit {
            return Ok(Worked::Exit(exit));
        }
        self.failures = if made_media { 0 } else { self.failures + 1 };
        Ok(self.after_run(source, ended))
    }

    fn after_run(&mut self, source: &Source, ended: Result<RunEnd, MediaError>) -> Worked {
        match ended {
            Ok(end) => {
                let errors = end.stats.video_errors + end.stats.audio_errors;
                self.vitals.update(|health| health.decode_errors += errors);
                tracing::info!(reason = ?end.reason, stats = ?end.stats, "a run has ended");
                match end.reason {
                    EndReason::Abrupt(error) => {
                        tracing::warn!(error = &error as &dyn std::error::Error, "the source broke off");
                        return Worked::Later;
                    }
                    EndReason::TracksChanged | EndReason::ParametersChanged => self.author.break_here(true),
                    EndReason::TimestampJump => self.author.break_here(false),
                    EndReason::Ended | EndReason::Finished | EndReason::Aborted => {}
                }
                self.author.ran_out(end.position.cursor);
                Worked::Again
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the source cannot be transcoded");
                self.vitals.announce(|health| health.problem = Some(error.to_string()));
                if error.kind() == ErrorKind::Source || self.failures >= MAX_ENGINE_FAILURES {
                    // Asking for the same bytes again would bring the same; a new session may be better.
                    self.finished = Some(source.session.clone());
                    self.vitals.source_lost(&source.session, Some(error.to_string()));
                    return Worked::Done;
                }
                Worked::Later
            }
        }
    }
}

/// Wall clock of a point of a run.
pub(super) fn wall_time(head: RunHead, offset_ticks: i64, ticks: i64) -> Timestamp {
    let ms = (ticks - offset_ticks) / 90;
    Timestamp(head.started_ms.saturating_add_signed(ms))
}
