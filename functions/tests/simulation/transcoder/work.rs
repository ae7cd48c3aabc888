//! The task's work: does what the product's own [`headwater_task::Task`] decides, over the simulated gateway, engine,
//! buckets and table, and tells it what happens. Decides nothing itself.

use std::rc::Rc;
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc::{self, UnboundedReceiver, UnboundedSender};
use futures::future::{Either, select};
use headwater_domain::SessionId;
use headwater_task::source::{Opened, RunHead, Unreadable};
use headwater_task::{Exit, Feed, Input, Now, Output, Report, TimelineLost};

use super::engine::SEGMENT;
use super::run::RunUnderWay;
use super::{Task, calls};
use crate::cluster::STOP_TIMEOUT;
use crate::executor::{self, sleep};
use crate::{check, gateway, rng, simulation};

/// How often it is looked what the gateway has, and what the engine has made.
const LOOK_EVERY: u64 = 50;

/// A request for media under way.
struct Opening {
    session: SessionId,
    after: u64,
    /// From the live edge on, into nothing.
    is_live: bool,
    /// The gateway does not answer before that.
    answered_at: u64,
}

/// What a call was answered with.
enum Answer {
    /// To the heartbeat of this number.
    Heartbeat(u64, Input),
    Other(Input),
}

pub(super) struct Shell {
    task: Rc<Task>,
    decides: headwater_task::Task,
    answer: UnboundedSender<Answer>,
    answers: UnboundedReceiver<Answer>,
    /// Heartbeats that were sent; the last is the one under way.
    heartbeats: u64,
    /// Whether objects are copied to the other region.
    mirrors: bool,
    /// It has been told to.
    is_asked_to_leave: bool,
    opening: Option<Opening>,
    /// The session of the last run, as far as it was read.
    kept: Option<gateway::Session>,
    run: Option<RunUnderWay>,
}

impl Shell {
    pub(super) fn new(task: Rc<Task>) -> Self {
        let is_standby = simulation::with(|sim| sim.tasks[&task.lease].is_standby);
        let begin = if is_standby { headwater_task::Task::standby } else { headwater_task::Task::new };
        let decides = begin(now(&task), task.broadcast.clone(), task.lease.clone());
        let (answer, answers) = mpsc::unbounded();
        Self {
            task,
            decides,
            answer,
            answers,
            heartbeats: 0,
            mirrors: false,
            is_asked_to_leave: false,
            opening: None,
            kept: None,
            run: None,
        }
    }

    pub(super) async fn work(&mut self) -> Result<Exit, TimelineLost> {
        loop {
            while let Some(output) = self.decides.poll() {
                if let Output::Exit(exit) = output {
                    return exit;
                }
                self.perform(output);
            }
            match self.happened() {
                Some(input) => self.decides.handle(now(&self.task), input),
                None => self.wait().await,
            }
        }
    }

    /// Waits for an answer, or until something may have happened.
    async fn wait(&mut self) {
        if let Either::Left((Some(answer), _)) = select(self.answers.next(), sleep(LOOK_EVERY)).await {
            match answer {
                // Nobody waits for that one any more.
                Answer::Heartbeat(number, _) if number != self.heartbeats => {}
                Answer::Heartbeat(_, input) | Answer::Other(input) => {
                    self.decides.handle(now(&self.task), input);
                }
            }
        }
    }

    /// What has happened, if anything has.
    fn happened(&mut self) -> Option<Input> {
        if self.decides.deadline().is_some_and(|deadline| deadline <= now(&self.task).monotonic) {
            return Some(Input::Timeout);
        }
        let is_asked = simulation::with(|sim| sim.tasks[&self.task.lease].is_asked_to_leave);
        if is_asked && !std::mem::replace(&mut self.is_asked_to_leave, true) {
            return Some(Input::Leave { within: Duration::from_millis(STOP_TIMEOUT) });
        }
        if let Some(opened) = self.opened() {
            self.opening = None;
            return Some(Input::Opened(opened));
        }
        self.run.as_mut()?.happened(self.decides.has_room())
    }

    /// What the gateway answers, as soon as it does: it waits for media that is yet to come.
    fn opened(&self) -> Option<Result<Opened, Unreadable>> {
        let opening = self.opening.as_ref().filter(|opening| opening.answered_at <= executor::now())?;
        let Some(session) = gateway::session(self.task.side, &opening.session) else {
            return Some(Err(Unreadable { why: "no such session".into(), is_final: true }));
        };
        if !opening.is_live && !gateway::takes(self.task.side, &opening.session, &self.task.lease) {
            return Some(Err(Unreadable { why: "another lease writes".into(), is_final: false }));
        }
        let first_cursor = match opening.is_live {
            // A key frame each segment.
            true => session.available() / SEGMENT * SEGMENT,
            false => opening.after.max(session.committed),
        };
        if session.available() <= first_cursor {
            return session.ended.then_some(Ok(Opened::Gone));
        }
        let age = executor::now() - session.started;
        let started_ms = self.task.now().0 - age;
        let lost = if opening.is_live { 0 } else { first_cursor - opening.after };
        Some(Ok(Opened::Run { head: RunHead { run: 1, started_ms, first_cursor, lost }, problem: None }))
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Heartbeat(health) => {
                self.heartbeats += 1;
                let number = self.heartbeats;
                let heartbeat = async move |task: &Task| calls::heartbeat(task, health).await;
                self.call(heartbeat, move |input| Answer::Heartbeat(number, input));
            }
            Output::Open { source, after, live } => {
                let answered_at = executor::now() + rng::between(5, 30);
                self.opening = Some(Opening { session: source.session, after, is_live: live, answered_at });
            }
            Output::Close => self.opening = None,
            Output::Recall => {
                let unwritten = self.run.as_ref().and_then(RunUnderWay::unwritten);
                self.kept = unwritten.as_ref().map(|(_, session)| session.clone());
                let input = Input::Recalled(unwritten.map(|(first, _)| first));
                self.decides.handle(now(&self.task), input);
            }
            Output::Forget => self.kept = None,
            Output::Start(run) => {
                let replayed = self.kept.clone().filter(|_| run.feed == Feed::Replay);
                self.mirrors = run.settings.mirror;
                self.run = Some(RunUnderWay::start(self.task.clone(), &run, replayed));
            }
            Output::Upload(upload) => {
                let mirrors = self.mirrors;
                self.call(async move |task: &Task| calls::upload(task, mirrors, upload).await, Answer::Other);
            }
            Output::Commit(entry) => {
                self.call(async move |task: &Task| calls::commit(task, entry).await, Answer::Other);
            }
            Output::Confirm { source, cursor } => {
                let confirm = async move |task: &Task| calls::confirm(task, &source.session, cursor).await;
                self.call(confirm, Answer::Other);
            }
            Output::Drain => self.call(async |_: &Task| Input::Drained, Answer::Other),
            Output::EndSegment => self.run.iter_mut().for_each(RunUnderWay::end_segment),
            Output::Finish => self.run.iter_mut().for_each(RunUnderWay::finish),
            Output::Abort => self.run.iter_mut().for_each(RunUnderWay::abort),
            Output::Report(report) => self.report(&report),
            // What was read is kept anyhow.
            Output::Written(_) | Output::Exit(_) => {}
        }
    }

    fn report(&self, report: &Report) {
        let lease = &self.task.lease;
        match report {
            Report::LeftBehind { session } => simulation::tell(|| format!("{lease} leaves {session} behind")),
            Report::Quiesced { segment } => {
                check::handover::quiesced(lease, *segment);
                simulation::tell(|| format!("{lease} has handed over behind {}", segment.0));
            }
            Report::GoesOn => {
                check::handover::goes_on(lease);
                simulation::tell(|| format!("{lease} goes on"));
            }
            Report::Ready | Report::HandingOver { .. } | Report::Promoted | Report::HandedOver => {
                simulation::tell(|| format!("{lease}: {report:?}"));
            }
            _ => {}
        }
    }

    /// Calls somebody, whose answer comes when it does.
    fn call(
        &self,
        call: impl AsyncFnOnce(&Task) -> Input + 'static,
        name: impl FnOnce(Input) -> Answer + 'static,
    ) {
        let (task, answer) = (self.task.clone(), self.answer.clone());
        executor::spawn(self.task.process, async move {
            let input = call(&task).await;
            let _ = answer.unbounded_send(name(input));
        });
    }
}

fn now(task: &Task) -> Now {
    Now { monotonic: Duration::from_millis(executor::now()), wall: task.now() }
}
