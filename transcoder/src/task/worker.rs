//! The process of a task: does what [`headwater_task::Task`] decides, and tells it what happens. Decides nothing itself.

use futures::future::BoxFuture;
use headwater_domain::heartbeat::Activity;
use headwater_domain::hooks::{Secret, TranscoderOrder};
use headwater_domain::metrics::Metrics;
use headwater_domain::ports::{Hooks, PutMedia, WriteTimeline};
use headwater_domain::{BroadcastId, Lease};
use headwater_task::source::{self, Unreadable};
use headwater_task::{self as core, Exit, Feed, Input, Now, Output, Replay, TimelineLost};
use hyper::body::Incoming;
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Ports;
use super::health_reporter::{HealthReporter, wall_clock};
use super::heartbeats::Heartbeats;
use super::replay::SharedReplay;
use super::source::{Opened, SourceClient, SourceError};
use super::transcode::{Media, RunUnderWay};
use super::upload::Uploader;
use crate::metrics::write_until;

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
    pub fencing_token: Secret,
    /// Proves that the lease was granted.
    pub claim: Secret,
    /// Hooks, timeline, buckets.
    pub ports: Ports<H, T, M>,
    /// Takes its figures.
    pub metrics: Option<Metrics>,
    /// Asked to leave (SIGTERM).
    pub leave: CancellationToken,
}

impl<H, T, M> Task<H, T, M>
where
    H: Hooks + 'static,
    T: WriteTimeline + 'static,
    M: PutMedia + 'static,
{
    /// Works until told to stop.
    pub async fn run(self) -> Result<Exit, TaskError> {
        let health_reporter = HealthReporter::new();
        let done = CancellationToken::new();
        let (order_in, orders) = watch::channel(None);
        let heartbeats = Heartbeats {
            hooks: self.ports.hooks.clone(),
            broadcast: self.broadcast.clone(),
            lease: self.lease.clone(),
            fencing_token: self.fencing_token.clone(),
            claim: self.claim.clone(),
            health_reporter: health_reporter.clone(),
        };
        let heartbeats = tokio::spawn(heartbeats.run(order_in, done.clone()));
        let measuring =
            tokio::spawn(write_until(self.metrics.clone(), health_reporter.metrics(), done.clone()));
        let mut shell = Shell {
            decides: core::Task::new(self.broadcast.clone(), self.lease.clone()),
            began: Instant::now(),
            orders: Some(orders),
            leave: Some(self.leave.clone()),
            client: SourceClient::new(),
            uploader: Uploader::new(self.ports.media.clone(), health_reporter.clone()),
            health_reporter,
            ports: self.ports,
            opening: None,
            body: None,
            replay: None,
            rest: None,
            run: None,
        };
        let exit = shell.work().await;
        if matches!(exit, Ok(Exit::Over | Exit::Left)) {
            shell.uploader.drain().await;
            // The last heartbeat says goodbye, once nothing more is written.
            shell.health_reporter.update(|health| health.activity = Activity::Leaving);
        }
        done.cancel();
        heartbeats.await?;
        measuring.await?;
        exit
    }
}

/// A request for media under way.
type Opening = BoxFuture<'static, Result<Opened, SourceError>>;

/// What the task's decisions are carried out with.
struct Shell<H, T, M> {
    decides: core::Task,
    /// Deadlines are told from here.
    began: Instant,
    /// Until nobody is there any more who could give one.
    orders: Option<watch::Receiver<Option<TranscoderOrder>>>,
    /// Until it was asked for.
    leave: Option<CancellationToken>,
    ports: Ports<H, T, M>,
    client: SourceClient,
    uploader: Uploader<M>,
    health_reporter: HealthReporter,
    opening: Option<Opening>,
    /// The media of the run that the gateway has answered with.
    body: Option<Incoming>,
    /// What was read of the last run,
    replay: Option<SharedReplay>,
    /// and is to be read again.
    rest: Option<Replay>,
    run: Option<RunUnderWay>,
}

impl<H, T, M> Shell<H, T, M>
where
    H: Hooks + 'static,
    T: WriteTimeline + 'static,
    M: PutMedia + 'static,
{
    async fn work(&mut self) -> Result<Exit, TaskError> {
        loop {
            while let Some(output) = self.decides.poll() {
                if let Output::Exit(exit) = output {
                    return exit.map_err(|TimelineLost| TaskError::Timeline);
                }
                self.perform(output);
            }
            let input = self.next().await?;
            self.decides.handle(self.now(), input);
        }
    }

    fn now(&self) -> Now {
        Now { monotonic: self.began.elapsed(), wall: wall_clock() }
    }

    /// What happens next.
    async fn next(&mut self) -> Result<Input, TaskError> {
        let deadline = self.decides.deadline().map(|at| self.began + at);
        tokio::select! {
            order = ordered(&mut self.orders) => Ok(Input::Ordered(order)),
            () = asked(&mut self.leave) => Ok(Input::Leave),
            opened = answered(&mut self.opening) => Ok(Input::Opened(self.opened(opened))),
            happened = happened(&mut self.run) => Ok(happened?),
            () = reached(deadline) => Ok(Input::Timeout),
        }
    }

    fn opened(&mut self, opened: Result<Opened, SourceError>) -> Result<source::Opened, Unreadable> {
        match opened {
            Ok(Opened::Run(head, problem, body)) => {
                self.body = Some(body);
                Ok(source::Opened::Run { head, problem })
            }
            Ok(Opened::Gone) => Ok(source::Opened::Gone),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the source cannot be read");
                Err(Unreadable { why: error.to_string(), is_final: error.is_final() })
            }
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Open { source, after, live } => {
                let client = self.client.clone();
                self.opening = Some(Box::pin(async move { client.open(&source, after, live).await }));
            }
            Output::Close => self.opening = None,
            Output::Recall => {
                let recalled = self.replay.as_ref().and_then(SharedReplay::rest);
                let first = recalled.as_ref().map(|(first, _)| *first);
                self.rest = recalled.map(|(_, rest)| rest);
                self.decides.handle(self.now(), Input::Recalled(first));
            }
            Output::Forget => self.replay = None,
            Output::Start(run) => self.start(*run),
            Output::Renew(source) => self.of_run(|run| run.renew(source)),
            Output::Write(written) => self.of_run(|run| run.write(written)),
            Output::Finish => self.of_run(|run| run.finish()),
            Output::Abort => self.of_run(|run| run.abort()),
            Output::Report(report) => self.health_reporter.report(report),
            Output::Exit(_) => {}
        }
    }

    fn of_run(&mut self, act: impl FnOnce(&mut RunUnderWay)) {
        self.run.as_mut().map(act);
    }

    fn start(&mut self, run: core::Run) {
        let replay = match run.feed {
            Feed::Link => SharedReplay::new(run.head.first_cursor, run.after),
            Feed::Replay => self.replay.clone().expect("what was recalled is kept"),
        };
        self.replay = Some(replay.clone());
        let media = match run.feed {
            Feed::Link => Media::Link(self.body.take().expect("the gateway has answered with a run"), replay),
            Feed::Replay => Media::Replay(self.rest.take().expect("it was recalled"), replay),
        };
        let uploader = self.uploader.mirroring(run.settings.mirror);
        self.run = Some(RunUnderWay::start(
            run,
            media,
            self.ports.timeline.clone(),
            uploader,
            self.health_reporter.clone(),
        ));
    }
}

/// The next order that is another one than before.
async fn ordered(orders: &mut Option<watch::Receiver<Option<TranscoderOrder>>>) -> TranscoderOrder {
    while let Some(newest) = orders {
        if newest.changed().await.is_err() {
            *orders = None;
            // Nobody is there any more who could say so.
            return TranscoderOrder::Fenced;
        }
        if let Some(order) = newest.borrow_and_update().clone() {
            return order;
        }
    }
    std::future::pending().await
}

/// Waits until the process is asked to leave, once.
async fn asked(leave: &mut Option<CancellationToken>) {
    match leave {
        Some(asked) => asked.cancelled().await,
        None => std::future::pending().await,
    }
    *leave = None;
}

async fn answered(opening: &mut Option<Opening>) -> Result<Opened, SourceError> {
    let answer = match opening {
        Some(opening) => opening.await,
        None => std::future::pending().await,
    };
    *opening = None;
    answer
}

async fn happened(run: &mut Option<RunUnderWay>) -> Result<Input, tokio::task::JoinError> {
    match run {
        Some(run) => run.next().await,
        None => std::future::pending().await,
    }
}

/// Waits for `deadline`, for ever if there is none.
async fn reached(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
