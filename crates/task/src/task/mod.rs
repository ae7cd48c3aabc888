//! The life of a task: wait for an order, read the source run by run, leave when told.
//!
//! ```text
//!            ┌───────────── an order ─────────────┐
//!            ▼                                    │
//! Idle ──► decide ──► Asking ──► Running ──► (what follows) ──► Pausing
//!            │          │  the gateway answers with a run         │
//!            ▼          ▼                                         ▼
//!         Leaving     Recalling ──► Running (replay)            decide
//!            │
//!            ▼
//!          Over
//! ```
//!
//! Beside it heartbeats are sent until the task is over, whatever it does.

mod asking;
mod barren;
mod broken;
mod following;
mod handover;
mod heartbeat;
mod io;
mod leaving;
mod orders;
mod rehearsal;
mod running;
mod writing;

use std::collections::VecDeque;
use std::time::Duration;

use headwater_domain::hooks::TranscoderOrder;
use headwater_domain::{BroadcastId, Lease};

use self::asking::Asking;
use self::barren::Barren;
use self::broken::{Broken, Recalling, Then};
pub use self::io::{Exit, Feed, Input, Output, Report, Run, TimelineLost};
use self::leaving::Leaving;
use self::orders::{Ordered, Terms, Wanted};
use self::rehearsal::{Rehearsal, Standby};
use self::running::Running;
use crate::health::{HealthReporter, TaskMetrics};
use crate::heartbeats::Heartbeats;
use crate::reading::Reading;
use crate::time::Now;
use crate::timeline::TimelineWriter;

/// A task that is told to stop, or to read another source, reads what the gateway still has, for so long: a cold start's
/// backlog fits.
const DRAIN: Duration = Duration::from_secs(60);
/// Pause after the source could not be read.
const RETRY: Duration = Duration::from_millis(500);
/// Failures in a row after which a task that is told to stop does not try its source again.
const MAX_MISSES: u32 = 4;
/// And one that another source waits for.
const MAX_MISSES_REPLACED: u32 = 2;
/// Runs in a row that failed, or ended where they began, before the source counts as unusable.
const MAX_FAILURES: u32 = 5;

/// One task: which source it reads, how long it waits for it, what it writes, and when it leaves.
///
/// Sans-IO: [`handle`](Self::handle) takes what has happened, [`poll`](Self::poll) says what is to be done (until there is
/// nothing more), [`deadline`](Self::deadline) when [`Input::Timeout`] is due. It starts nothing by itself and reads no clock.
#[derive(Debug, Clone)]
pub struct Task {
    heartbeats: Heartbeats,
    health: HealthReporter,
    /// The order that was heard last.
    heard: Option<TranscoderOrder>,
    writer: TimelineWriter,
    /// The sources that were ordered,
    reading: Reading,
    /// what else was,
    terms: Option<Terms>,
    /// and what holds now.
    ordered: Option<Ordered>,
    /// When the lease began to work.
    began: Duration,
    /// Until it is promoted.
    standby: Option<Standby>,
    /// Told to hand over to this lease.
    hands_over_to: Option<Lease>,
    /// Asked to leave,
    leaves: bool,
    /// but not before then, unless it is handed over.
    leaves_at: Option<Duration>,
    /// Told to stop: until then what the gateway still has is read.
    drain_until: Option<Duration>,
    /// A run that broke off and was not taken up again.
    broken: Option<Broken>,
    /// Runs in a row that came to nothing.
    failures: u32,
    barren: Barren,
    /// Requests and runs in a row that broke off and brought nothing.
    misses: u32,
    phase: Phase,
    outputs: VecDeque<Output>,
}

/// What a task is at.
#[derive(Debug, Clone)]
enum Phase {
    /// Until there is another order.
    Idle,
    /// Until then, whatever is ordered: orders come with every heartbeat.
    Pausing(Duration),
    /// The gateway was asked for media.
    Asking(Asking),
    /// What was read of a run that broke off is looked for.
    Recalling(Recalling),
    /// The engine works on a run.
    Running(Box<Running>),
    /// A standby reads a source, or the engine works on it, into nothing.
    Rehearsing(Box<Rehearsal>),
    /// All is handed over: nothing is written until it is told.
    Quiesced,
    /// Nothing more is written; the task says goodbye.
    Leaving(Leaving),
    /// The task is over.
    Over,
}

/// How work on a source ended, if the task stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Worked {
    /// Ask again at once.
    Again,
    /// Wait for another order; this session has no more media.
    Done,
    /// The source could not be read; try again in a moment.
    Later,
}

impl Task {
    /// Of a process that has just started as a standby: it writes nothing until it is promoted.
    pub fn standby(now: Now, broadcast: BroadcastId, lease: Lease) -> Self {
        let mut task = Self::idle(now, broadcast, lease);
        task.standby = Some(Standby::default());
        task.send_heartbeat_if_due(now);
        task
    }

    /// Of a process that has just started.
    pub fn new(now: Now, broadcast: BroadcastId, lease: Lease) -> Self {
        let mut task = Self::idle(now, broadcast, lease);
        task.send_heartbeat_if_due(now);
        task
    }

    fn idle(now: Now, broadcast: BroadcastId, lease: Lease) -> Self {
        Self {
            heartbeats: Heartbeats::new(now.monotonic),
            health: HealthReporter::new(),
            heard: None,
            writer: TimelineWriter::new(broadcast, lease),
            reading: Reading::default(),
            terms: None,
            ordered: None,
            began: now.monotonic,
            standby: None,
            hands_over_to: None,
            leaves: false,
            leaves_at: None,
            drain_until: None,
            broken: None,
            failures: 0,
            barren: Barren::default(),
            misses: 0,
            phase: Phase::Idle,
            outputs: VecDeque::new(),
        }
    }

    /// Something has happened. What answers nothing that is asked for now is ignored.
    pub fn handle(&mut self, now: Now, input: Input) {
        match input {
            Input::Ordered(order) => self.answered(now, order),
            Input::Unanswered => self.unanswered(now),
            Input::Noted(about, text) => self.health.note(now, about, text),
            Input::Mirroring(lag) => self.health.mirroring(lag),
            Input::Leave { within } => self.asked_to_leave(now, within),
            Input::Opened(opened) => self.opened(now, opened),
            Input::Recalled(first) => self.recalled(now, first),
            Input::Made(made) => self.made(now, &made),
            Input::Starved => self.starved(now, true),
            Input::Fed => self.starved(now, false),
            Input::Ended(ended) => self.run_ended(now, ended),
            Input::Stored { upload, is_lost } => self.stored(now, upload, is_lost),
            Input::Committed(answer) => self.committed(now, answer),
            Input::Confirmed { problem } => self.confirmed(now, Some(problem)),
            Input::Unconfirmed => self.confirmed(now, None),
            Input::Drained => self.drained(now),
            Input::Timeout => self.timeout(now),
        }
        self.send_heartbeat_if_due(now);
    }

    /// What is to be done next, if anything is.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Timeout`] is due, by [`Now::monotonic`]; it may have passed.
    pub fn deadline(&self) -> Option<Duration> {
        self.heartbeat_due().into_iter().chain(self.phase_ends()).chain(self.leaves_at).min()
    }

    /// Whether more of what the engine makes can be taken now. If not, the engine waits.
    pub fn has_room(&self) -> bool {
        match &self.phase {
            Phase::Running(running) => running.has_room(),
            phase => matches!(phase, Phase::Rehearsing(_)),
        }
    }

    /// What is measured of the task.
    pub fn metrics(&self) -> TaskMetrics {
        self.health.metrics()
    }

    fn phase_ends(&self) -> Option<Duration> {
        match &self.phase {
            Phase::Pausing(until) => Some(*until),
            Phase::Asking(asking) => asking.deadline().into_iter().chain(self.drain_until).min(),
            Phase::Running(running) => running.deadline(self.drain_until),
            Phase::Leaving(leaving) => leaving.deadline(),
            Phase::Idle | Phase::Recalling(_) | Phase::Rehearsing(_) | Phase::Quiesced | Phase::Over => None,
        }
    }

    fn obey(&mut self, now: Now) {
        match &self.phase {
            Phase::Idle => self.decide(now),
            Phase::Asking(_) => self.obey_asking(now),
            Phase::Running(_) => self.obey_running(now),
            _ => {}
        }
    }

    fn timeout(&mut self, now: Now) {
        if self.leaves_at.take_if(|at| *at <= now.monotonic).is_some() {
            self.leaves = true;
            self.leave(now);
        }
        if self.phase_ends().is_none_or(|deadline| now.monotonic < deadline) {
            return;
        }
        match &self.phase {
            Phase::Pausing(_) => self.decide(now),
            Phase::Asking(_) => self.waited_in_vain(now),
            Phase::Running(_) => {
                self.commit_on(now);
                self.leave_overdue(now);
            }
            Phase::Leaving(_) => self.waited_to_leave(now),
            Phase::Idle | Phase::Recalling(_) | Phase::Rehearsing(_) | Phase::Quiesced | Phase::Over => {}
        }
    }

    /// Begins whatever is to be done by the newest order.
    fn decide(&mut self, now: Now) {
        self.phase = Phase::Idle;
        if self.leaves {
            return self.exit(Exit::Left);
        }
        if self.standby.is_some() {
            return self.rehearse();
        }
        if self.may_hold() {
            return self.hold();
        }
        let wanted = self.wanted(now);
        if self.turns_away(&wanted) {
            return self.finish_broken(now, Then::Again);
        }
        match wanted {
            Wanted::Exit(exit) => self.exit(exit),
            Wanted::Read(rest) => {
                let (source, terms) = *rest;
                self.ask(now, source, terms);
            }
            Wanted::Nothing => self.worked(now, Worked::Done),
        }
    }

    fn report(&mut self, report: Report) {
        self.outputs.push_back(Output::Report(report));
    }
}
