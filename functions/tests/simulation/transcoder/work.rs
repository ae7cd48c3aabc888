//! The task's work: does what the product's own [`headwater_task::Task`] decides, over the simulated gateway, engine,
//! buckets and table, and tells it what happens. Decides nothing itself.

use std::rc::Rc;
use std::time::Duration;

use headwater_domain::SessionId;
use headwater_domain::hooks::TranscoderOrder;
use headwater_task::source::{Opened, RunHead, Unreadable};
use headwater_task::{Exit, Feed, Input, Now, Output, Report, TimelineLost};

use super::Task;
use super::run::RunUnderWay;
use crate::executor::{self, sleep};
use crate::{gateway, rng};

/// How often it is looked what has happened.
const LOOK_EVERY: u64 = 50;

/// A request for media under way.
struct Opening {
    session: SessionId,
    after: u64,
    /// The gateway does not answer before that.
    answered_at: u64,
}

pub(super) struct Shell {
    task: Rc<Task>,
    decides: headwater_task::Task,
    /// The order that was told last.
    told: Option<TranscoderOrder>,
    opening: Option<Opening>,
    /// The session of the last run, as far as it was read.
    kept: Option<gateway::Session>,
    run: Option<RunUnderWay>,
}

impl Shell {
    pub(super) fn new(task: Rc<Task>) -> Self {
        let decides = headwater_task::Task::new(task.broadcast.clone(), task.lease.clone());
        Self { task, decides, told: None, opening: None, kept: None, run: None }
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
                Some(input) => self.decides.handle(self.now(), input),
                None => sleep(LOOK_EVERY).await,
            }
        }
    }

    fn now(&self) -> Now {
        Now { monotonic: Duration::from_millis(executor::now()), wall: self.task.now() }
    }

    /// What has happened, if anything has.
    fn happened(&mut self) -> Option<Input> {
        let order = self.task.order().filter(|order| self.told.as_ref() != Some(order));
        if let Some(order) = order {
            self.told = Some(order.clone());
            return Some(Input::Ordered(order));
        }
        if self.decides.deadline().is_some_and(|deadline| deadline <= self.now().monotonic) {
            return Some(Input::Timeout);
        }
        if let Some(opened) = self.answered() {
            self.opening = None;
            return Some(Input::Opened(opened));
        }
        self.run.as_mut()?.happened()
    }

    /// What the gateway answers, as soon as it does: it waits for media that is yet to come.
    fn answered(&self) -> Option<Result<Opened, Unreadable>> {
        let opening = self.opening.as_ref().filter(|opening| opening.answered_at <= executor::now())?;
        let Some(session) = gateway::session(self.task.side, &opening.session) else {
            return Some(Err(Unreadable { why: "no such session".into(), is_final: true }));
        };
        let first_cursor = opening.after.max(session.committed);
        if session.available() <= first_cursor {
            return session.ended.then_some(Ok(Opened::Gone));
        }
        let age = executor::now() - session.started;
        let started_ms = self.task.now().0 - age;
        let lost = first_cursor - opening.after;
        Some(Ok(Opened::Run { head: RunHead { run: 1, started_ms, first_cursor, lost }, problem: None }))
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Open { source, after, .. } => {
                let answered_at = executor::now() + rng::between(5, 30);
                self.opening = Some(Opening { session: source.session, after, answered_at });
            }
            Output::Close => self.opening = None,
            Output::Recall => {
                let unwritten = self.run.as_ref().and_then(RunUnderWay::unwritten);
                self.kept = unwritten.as_ref().map(|(_, session)| session.clone());
                let input = Input::Recalled(unwritten.map(|(first, _)| first));
                self.decides.handle(self.now(), input);
            }
            Output::Forget => self.kept = None,
            Output::Start(run) => {
                let replayed = self.kept.clone().filter(|_| run.feed == Feed::Replay);
                self.run = Some(RunUnderWay::start(self.task.clone(), &run, replayed));
            }
            Output::Renew(_) => {}
            Output::Write(written) => self.of_run(|run| run.write(written)),
            Output::Finish => self.of_run(RunUnderWay::finish),
            Output::Abort => self.of_run(RunUnderWay::abort),
            Output::Report(report) => self.report(report),
            Output::Exit(_) => {}
        }
    }

    fn of_run(&mut self, act: impl FnOnce(&mut RunUnderWay)) {
        self.run.as_mut().map(act);
    }

    fn report(&self, report: Report) {
        match report {
            Report::Waiting => self.task.waits(),
            Report::SourceFound { session, .. } => self.task.source_found(&session),
            Report::SourceEnded { session } | Report::SourceLost { session, .. } => {
                self.task.source_lost(&session);
            }
            Report::GaveUp { session, why } => self.task.gave_up(&session, why),
            Report::LeftBehind { session } => {
                crate::simulation::tell(|| format!("{} leaves {session} behind", self.task.lease));
            }
            _ => {}
        }
    }
}
