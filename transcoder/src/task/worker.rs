//! The process of a task: does what [`headwater_task::Task`] decides, and tells it what happens. Decides nothing itself.

use std::time::Duration;

use headwater_domain::ClockReader;
use headwater_domain::metrics::Metric;
use headwater_domain::ports::{Hooks, PutMedia, WriteTimeline};
use headwater_task::source::{self, Unreadable};
use headwater_task::{
    self as core, About, Exit, Feed, Input, Now, Output, Replay, Report, TaskMetrics, TimelineLost,
};
use hyper::body::Incoming;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Ports;
use super::calls::{self, Answer, Calls};
use super::heartbeats::Claim;
use super::log::log;
use super::observations::Observations;
use super::process::{Task, TaskError};
use super::replay::SharedReplay;
use super::source::{Opened, SourceClient, SourceError};
use super::transcode::{Media, RunUnderWay};
use super::upload::Uploader;
use crate::media::Problems;
use crate::metrics::write_until;

impl<H, T, M> Task<H, T, M>
where
    H: Hooks + 'static,
    T: WriteTimeline + 'static,
    M: PutMedia + 'static,
{
    /// Works until told to stop.
    pub async fn run(self) -> Result<Exit, TaskError> {
        let done = CancellationToken::new();
        let (metrics, newest) = watch::channel(TaskMetrics::default());
        let clock = self.clock;
        let measuring =
            tokio::spawn(write_until(self.metrics.clone(), clock, measure(newest, clock), done.clone()));
        let exit = Shell::new(self, metrics).work().await;
        done.cancel();
        measuring.await?;
        exit
    }
}

/// Finds the metrics of the moment.
fn measure(metrics: watch::Receiver<TaskMetrics>, clock: ClockReader) -> impl FnMut() -> Vec<Metric> {
    let mut before = TaskMetrics::default();
    move || {
        let now = *metrics.borrow();
        now.metrics(&std::mem::replace(&mut before, now), clock())
    }
}

/// What the task's decisions are carried out with.
struct Shell<H, T, M> {
    decides: core::Task,
    /// Deadlines are told from here.
    began: Instant,
    clock: ClockReader,
    claim: Claim,
    /// Until it was asked for.
    leave: Option<CancellationToken>,
    leave_within: Duration,
    ports: Ports<H, T, M>,
    client: SourceClient,
    uploader: Uploader<M>,
    calls: Calls,
    observed: Observations,
    /// What the engine finds wrong with what it reads; what of it was told.
    problems: Problems,
    told: Option<&'static str>,
    metrics: watch::Sender<TaskMetrics>,
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
    fn new(task: Task<H, T, M>, metrics: watch::Sender<TaskMetrics>) -> Self {
        let Task {
            broadcast,
            lease,
            claim,
            fencing_token,
            ports,
            clock,
            leave,
            leave_within,
            is_standby,
            ..
        } = task;
        let decides = if is_standby { core::Task::standby } else { core::Task::new };
        let (began, observed) = (Instant::now(), Observations::default());
        Self {
            decides: decides(now(began, clock), broadcast.clone(), lease.clone()),
            began,
            clock,
            claim: Claim { broadcast, lease, claim, fencing_token },
            leave: Some(leave),
            leave_within,
            client: SourceClient::new(),
            uploader: Uploader::new(ports.media.clone(), observed.clone()),
            ports,
            calls: Calls::default(),
            observed,
            problems: Problems::default(),
            told: None,
            metrics,
            body: None,
            replay: None,
            rest: None,
            run: None,
        }
    }

    async fn work(&mut self) -> Result<Exit, TaskError> {
        loop {
            while let Some(output) = self.decides.poll() {
                if let Output::Exit(exit) = output {
                    return exit.map_err(|TimelineLost| TaskError::Timeline);
                }
                self.perform(output);
            }
            self.metrics.send_replace(self.decides.metrics());
            let input = self.next().await?;
            self.observe();
            self.hand_in(input);
        }
    }

    fn hand_in(&mut self, input: Input) {
        self.decides.handle(now(self.began, self.clock), input);
    }

    /// What happens next.
    async fn next(&mut self) -> Result<Input, TaskError> {
        let deadline = self.decides.deadline().map(|at| self.began + at);
        let has_room = self.decides.has_room();
        tokio::select! {
            () = asked(&mut self.leave) => Ok(Input::Leave { within: self.leave_within }),
            answer = self.calls.next() => Ok(match answer? {
                Answer::Input(input) => input,
                Answer::Opened(opened) => Input::Opened(self.opened(opened)),
            }),
            happened = happened(&mut self.run, has_room) => Ok(happened?),
            () = reached(deadline) => Ok(Input::Timeout),
        }
    }

    /// Tells what was noted meanwhile.
    fn observe(&mut self) {
        for (about, text) in self.observed.take() {
            self.hand_in(Input::Noted(about, text));
        }
        let worst = self.problems.worst().map(crate::media::Problem::sentence);
        if std::mem::replace(&mut self.told, worst) != worst {
            self.hand_in(Input::Noted(About::Media, worst.map(str::to_owned)));
        }
        self.hand_in(Input::Mirroring(self.uploader.mirror_lag()));
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
            Output::Heartbeat(health) => {
                let heartbeat = self.claim.heartbeat(health);
                self.calls.heartbeat.start(calls::heartbeat(self.ports.hooks.clone(), heartbeat));
            }
            Output::Open { source, after, live } => {
                let client = self.client.clone();
                self.calls.opening.start(async move { client.open(&source, after, live).await });
            }
            Output::Close => self.calls.opening.drop(),
            Output::Recall => {
                let recalled = self.replay.as_ref().and_then(SharedReplay::rest);
                let first = recalled.as_ref().map(|(first, _)| *first);
                self.rest = recalled.map(|(_, rest)| rest);
                self.hand_in(Input::Recalled(first));
            }
            Output::Forget => self.replay = None,
            Output::Start(run) => self.start(*run),
            Output::Written(cursor) => self.replay.iter().for_each(|replay| replay.written(cursor)),
            Output::Upload(upload) => self.calls.upload(self.uploader.clone(), upload),
            Output::Commit(entry) => {
                self.calls.commit.start(calls::commit(self.ports.timeline.clone(), entry));
            }
            Output::Confirm { source, cursor } => {
                self.calls.confirm.start(calls::confirm(self.client.clone(), source, cursor));
            }
            Output::EndSegment => self.run.iter_mut().for_each(RunUnderWay::end_segment),
            Output::Finish => self.run.iter_mut().for_each(RunUnderWay::finish),
            Output::Abort => {
                self.calls.commit.drop();
                self.run.iter_mut().for_each(RunUnderWay::abort);
            }
            Output::Report(report) => self.report(report),
            Output::Drain => {
                let uploader = self.uploader.clone();
                self.calls.drain.start(async move {
                    uploader.drain().await;
                    Input::Drained
                });
            }
            Output::Exit(_) => {}
        }
    }

    fn report(&mut self, report: Report) {
        use Report::{GaveUp, Promoted, SourceEnded, SourceLost};
        if let SourceEnded { .. } | SourceLost { .. } | GaveUp { .. } | Promoted = report {
            // The engine says no more of it.
            self.problems.clear();
        }
        log(report);
    }

    fn start(&mut self, run: core::Run) {
        match run.feed {
            Feed::Link => self.replay = Some(SharedReplay::new(run.head.first_cursor, run.after)),
            Feed::Rehearsal => self.replay = None,
            Feed::Replay => {}
        }
        let media = match run.feed {
            Feed::Link | Feed::Rehearsal => {
                let body = self.body.take().expect("the gateway has answered with a run");
                Media::Link(body, self.replay.clone(), self.observed.clone())
            }
            Feed::Replay => Media::Replay(self.rest.take().expect("it was recalled")),
        };
        self.uploader = self.uploader.mirroring(run.settings.mirror);
        self.run = Some(RunUnderWay::start(run, media, self.problems.clone(), self.clock));
    }
}

fn now(began: Instant, clock: ClockReader) -> Now {
    Now { monotonic: began.elapsed(), wall: clock() }
}

/// Waits until the process is asked to leave, once.
async fn asked(leave: &mut Option<CancellationToken>) {
    match leave {
        Some(asked) => asked.cancelled().await,
        None => std::future::pending().await,
    }
    *leave = None;
}

async fn happened(run: &mut Option<RunUnderWay>, has_room: bool) -> Result<Input, tokio::task::JoinError> {
    match run {
        Some(run) => run.next(has_room).await,
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
