//! The life of the task: wait for an order, read the source run by run, leave when told.

use std::time::Duration;

use headwater_domain::beat::Activity;
use headwater_domain::hooks::{Behind, Secret, Source, TranscoderOrder};
use headwater_domain::metrics::Metrics;
use headwater_domain::ports::{Hooks, PutMedia, WriteTimeline};
use headwater_domain::reading::Reading;
use headwater_domain::stream::TranscodeSettings;
use headwater_domain::timeline::ResumePoint;
use headwater_domain::{BroadcastId, Lease, SessionId};
use headwater_task::timeline::TimelineWriter;
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Ports;
use super::beats::Beats;
use super::notes::About;
use super::source::{Opened, SourceClient};
use super::transcode::{Barren, BrokenRun};
use super::upload::Uploader;
use super::vitals::Vitals;
use crate::metrics::write_until;

/// A source that was replaced by another is left behind when it has been silent for so long,
pub(super) const LAST_WORDS: Duration = Duration::from_secs(5);
/// or does not answer at once.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);
/// A task that is told to stop, or to read another source, reads what the gateway still has, for so long: a cold start's
/// backlog fits.
pub(super) const DRAIN: Duration = Duration::from_secs(60);
/// Pause after the source could not be read.
const RETRY: Duration = Duration::from_millis(500);
/// Failures in a row after which a task that is told to stop does not try its source again.
const MAX_MISSES: u32 = 4;
/// And one that another source waits for.
const MAX_MISSES_REPLACED: u32 = 2;

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
    /// Proves that the lease was granted.
    pub claim: Secret,
    /// Hooks, timeline, buckets.
    pub ports: Ports<H, T, M>,
    /// Takes its figures.
    pub metrics: Option<Metrics>,
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
    terms: Terms,
}

/// What orders say of sources in general.
#[derive(Debug, Clone)]
struct Terms {
    settings: TranscodeSettings,
    resume: Option<ResumePoint>,
}

/// How work on a source ended.
pub(super) enum Worked {
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
            claim: self.claim.clone(),
            vitals: vitals.clone(),
        };
        let beating = tokio::spawn(beats.run(order_in, done.clone()));
        let measuring = tokio::spawn(write_until(self.metrics.clone(), vitals.figures(), done.clone()));
        let mut worker = Worker {
            orders,
            client: SourceClient::new(),
            uploader: Uploader::new(self.ports.media.clone(), vitals.clone()),
            vitals,
            writer: TimelineWriter::new(self.broadcast.clone(), self.lease.clone()),
            resume_after: watch::Sender::new(None),
            reading: Reading::default(),
            terms: None,
            broken: None,
            drain_until: None,
            since: Instant::now(),
            failures: 0,
            barren: Barren::default(),
            misses: 0,
            task: self,
        };
        let exit = worker.work().await;
        if matches!(exit, Ok(Exit::Over | Exit::Left)) {
            worker.uploader.settle().await;
            // The last heartbeat says goodbye, once nothing more is written.
            worker.vitals.update(|health| health.activity = Activity::Leaving);
        }
        done.cancel();
        beating.await?;
        measuring.await?;
        exit
    }
}

pub(super) struct Worker<H, T, M> {
    pub(super) task: Task<H, T, M>,
    pub(super) orders: watch::Receiver<Option<TranscoderOrder>>,
    pub(super) vitals: Vitals,
    pub(super) uploader: Uploader<M>,
    client: SourceClient,
    pub(super) writer: TimelineWriter,
    /// Tells the writer, which may be at work in a run, what it must come behind.
    pub(super) resume_after: watch::Sender<Option<Behind>>,
    /// The sources that were ordered,
    pub(super) reading: Reading,
    /// and what else was.
    terms: Option<Terms>,
    /// Told to stop: until then what the gateway still has is read.
    pub(super) drain_until: Option<Instant>,
    /// When the lease began to write.
    pub(super) since: Instant,
    /// A run that broke off and was not taken up again.
    pub(super) broken: Option<BrokenRun>,
    /// Runs in a row that came to nothing.
    pub(super) failures: u32,
    pub(super) barren: Barren,
    /// Requests and runs in a row that broke off and brought nothing.
    pub(super) misses: u32,
}

impl<H, T, M> Worker<H, T, M>
where
    H: Hooks + 'static,
    T: WriteTimeline + 'static,
    M: PutMedia + 'static,
{
    async fn work(&mut self) -> Result<Exit, TaskError> {
        let exit = self.work_until_told().await?;
        // Nobody else has what was read of a run whose gateway is gone.
        match exit {
            Exit::Over | Exit::Left => match self.finish_broken().await? {
                Worked::Exit(fenced) => Ok(fenced),
                _ => Ok(exit),
            },
            Exit::Fenced => Ok(exit),
        }
    }

    async fn work_until_told(&mut self) -> Result<Exit, TaskError> {
        loop {
            if self.task.leave.is_cancelled() {
                return Ok(Exit::Left);
            }
            let wanted = self.wanted();
            let worked = match wanted {
                _ if self.turns_away(&wanted) => self.finish_broken().await?,
                Wanted::Exit(exit) => Worked::Exit(exit),
                Wanted::Read(work) => {
                    if self.reading.begin(&work.source.session) {
                        (self.failures, self.misses) = (0, 0);
                    }
                    self.writer.begin(work.terms.resume);
                    self.read(&work.source, &work.terms.settings).await?
                }
                Wanted::Nothing => Worked::Done,
            };
            self.misses = if matches!(worked, Worked::Later) { self.misses + 1 } else { 0 };
            match worked {
                Worked::Exit(exit) => return Ok(exit),
                Worked::Done if self.reading.next().is_some() => {}
                // Nothing more to wait for.
                Worked::Done if self.drain_until.is_some() => return Ok(Exit::Over),
                Worked::Later if self.reading.is_replaced() && self.misses >= MAX_MISSES_REPLACED => {
                    if let Some(session) = self.reading.next().map(|next| next.session.clone()) {
                        self.give_up(&session);
                    }
                }
                Worked::Later if self.drain_until.is_some() && self.misses >= MAX_MISSES => {
                    return Ok(Exit::Over);
                }
                Worked::Again => {}
                // The whole pause, whatever is ordered: orders come with every heartbeat.
                Worked::Later => tokio::select! {
                    () = tokio::time::sleep(RETRY) => {}
                    () = self.task.leave.cancelled() => {}
                },
                Worked::Done => tokio::select! {
                    changed = self.orders.changed() => if changed.is_err() { return Ok(Exit::Fenced) },
                    () = self.task.leave.cancelled() => {}
                },
            }
        }
    }

    /// The newest order. What it says of the source is remembered: tokens expire.
    pub(super) fn newest_order(&mut self) -> Option<TranscoderOrder> {
        let order = self.orders.borrow_and_update().clone()?;
        match &order {
            TranscoderOrder::Stop { reason } if self.drain_until.is_none() => {
                // For the first time: from now on what is there is finished.
                tracing::info!(reason, "told to stop");
                self.drain_until = Some(Instant::now() + DRAIN);
            }
            TranscoderOrder::Stop { .. } | TranscoderOrder::Fenced => {}
            TranscoderOrder::Wait => self.drain_until = None,
            TranscoderOrder::Transcode { source, earlier, settings, resume, behind, .. } => {
                self.drain_until = None;
                if behind.is_some() {
                    self.resume_after.send_if_modified(|told| std::mem::replace(told, *behind) != *behind);
                }
                self.reading.order(earlier, source);
                self.terms =
                    Some(Terms { settings: (**settings).clone(), resume: resume.as_deref().cloned() });
            }
        }
        Some(order)
    }

    /// `session` is left behind: another one waits.
    pub(super) fn give_up(&mut self, session: &SessionId) {
        tracing::warn!(%session, "another session has replaced it; left behind");
        self.reading.leave(session);
        self.misses = 0;
    }

    fn wanted(&mut self) -> Wanted {
        let rest = match self.newest_order() {
            None => None,
            Some(TranscoderOrder::Transcode { .. }) => self.rest(),
            Some(TranscoderOrder::Wait) => {
                self.vitals.update(|health| health.activity = Activity::Waiting);
                // The publisher is gone; what it sent before may not all be read.
                self.rest()
            }
            Some(TranscoderOrder::Stop { .. }) => {
                match self.rest().filter(|_| self.drain_until.is_some_and(|until| Instant::now() < until)) {
                    Some(rest) => Some(rest),
                    None => return Wanted::Exit(Exit::Over),
                }
            }
            Some(TranscoderOrder::Fenced) => {
                tracing::warn!("fenced: another lease has taken over");
                return Wanted::Exit(Exit::Fenced);
            }
        };
        rest.map_or(Wanted::Nothing, |work| Wanted::Read(Box::new(work)))
    }

    /// The source that was not read to its end.
    fn rest(&self) -> Option<Work> {
        Some(Work { source: self.reading.next()?.clone(), terms: self.terms.clone()? })
    }

    /// Whether the run that broke off will not be taken up again.
    fn turns_away(&self, wanted: &Wanted) -> bool {
        self.broken.as_ref().is_some_and(|broken| match wanted {
            Wanted::Read(work) => work.source.session != broken.source.session,
            Wanted::Exit(exit) => *exit == Exit::Over,
            Wanted::Nothing => true,
        })
    }

    async fn finish_broken(&mut self) -> Result<Worked, TaskError> {
        match self.broken.take() {
            Some(broken) => self.finish(broken).await,
            None => Ok(Worked::Again),
        }
    }

    /// Whether the newest order leaves `source` to be read.
    fn goes_on(&mut self, source: &Source) -> bool {
        match self.newest_order() {
            Some(TranscoderOrder::Transcode { .. }) => {
                self.reading.next().is_some_and(|next| next.session == source.session)
            }
            Some(TranscoderOrder::Wait | TranscoderOrder::Stop { .. }) => true,
            Some(TranscoderOrder::Fenced) | None => false,
        }
    }

    /// Reads one run of the source, if there is one.
    async fn read(&mut self, source: &Source, settings: &TranscodeSettings) -> Result<Worked, TaskError> {
        let client = self.client.clone();
        let live = settings.from_live_edge && self.writer.is_fresh();
        let opening = client.open(source, self.writer.after(&source.session), live);
        tokio::pin!(opening);
        let mut replaced = None;
        let opened = loop {
            replaced =
                self.reading.is_replaced().then(|| replaced.unwrap_or(Instant::now() + ANSWERS_WITHIN));
            tokio::select! {
                opened = &mut opening => break opened,
                () = reached(replaced) => {
                    self.give_up(&source.session);
                    return Ok(Worked::Again);
                }
                () = self.task.leave.cancelled() => return Ok(Worked::Exit(Exit::Left)),
                () = reached(self.drain_until) => return Ok(Worked::Exit(Exit::Over)),
                changed = self.orders.changed() => {
                    if changed.is_err() {
                        return Ok(Worked::Exit(Exit::Fenced));
                    }
                    // Most orders only renew the token: no reason to ask again.
                    if !self.goes_on(source) {
                        return Ok(Worked::Again);
                    }
                }
            }
        };
        match opened {
            Ok(Opened::Run(head, problem, body)) => {
                self.vitals.source_found(&source.session);
                self.vitals.source_problem(problem);
                if head.lost > 0 {
                    tracing::warn!(lost = head.lost, "the gateway no longer has everything");
                    let text = format!("{} source messages were lost before they were read", head.lost);
                    self.vitals.note(About::Loss, Some(text));
                }
                self.broken = None;
                self.read_run(source, settings, head, body).await
            }
            Ok(Opened::Gone) => {
                tracing::info!(session = %source.session, "the session has ended");
                self.broken = None;
                self.reading.finish(&source.session);
                match self.barren.take(&source.session) {
                    Some(why) => self.vitals.give_up(&source.session, why),
                    None => self.vitals.source_lost(&source.session, None),
                }
                Ok(Worked::Done)
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the source cannot be read");
                self.vitals.source_lost(&source.session, Some(error.to_string()));
                let ordered = matches!(
                    &*self.orders.borrow(),
                    Some(TranscoderOrder::Transcode { source: newest, .. }) if newest.session == source.session
                );
                // While it is ordered its gateway may only be out of reach.
                if (error.is_final() || !ordered)
                    && let exit @ Worked::Exit(_) = self.finish_broken().await?
                {
                    return Ok(exit);
                }
                if error.is_final() && self.reading.is_replaced() {
                    self.give_up(&source.session);
                    return Ok(Worked::Again);
                }
                Ok(Worked::Later)
            }
        }
    }
}

/// Waits for `deadline`, for ever if there is none.
pub(super) async fn reached(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
