//! The minute sweep: looks at every stream that either region holds for active, and has what is missing started.
//!
//! First the looks, then the starts. A look at a stream that is well is one read; [`LOOKS_AT_ONCE`] of them are under way, from
//! a place in the list that is drawn anew each time, so that what a sweep does not get to is not always the same. At 15 ms a
//! read, ten thousand streams take 10,000 × 15 ms ÷ 32 = 5 s; at 60 ms they take 19 s. What is left at [`LOOK_WITHIN`] is
//! counted (`SweepLeft`) and is the next sweep's.
//!
//! Starts wait for their turn: ECS takes twenty RunTask calls a second, in a burst as well as on average (Fargate throttling
//! quotas), and publish hooks make some of them. Whoever has waited longest is first, whatever its place in the list. A lease
//! is granted when its turn has come, not before, for its task must be up two minutes later.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use headwater_domain::control::ReplicatedState;
use headwater_domain::control::decide::{self, Next, StartTask, Trigger};
use headwater_domain::ports::{PortResult, ReadControl, StartTasks, WriteBroadcasts, WriteControl};
use headwater_domain::{StreamId, Timestamp};

use super::{LifecycleFunction, Report};
use crate::commit::{note_not_started, own_record, reconcile, reconcile_once, start_task};

/// Looks under way at once: each is a connection.
const LOOKS_AT_ONCE: usize = 32;
/// No look begins later than this; starts have the rest of the minute.
const LOOK_WITHIN: Duration = Duration::from_secs(30);
/// No start begins later than this: of the function's minute, one call to the table (8 s at most) is left.
const START_WITHIN: Duration = Duration::from_secs(48);
/// Calls of RunTask, in a second: ECS takes twenty, and the hooks have the rest.
const STARTS_PER_SECOND: u32 = 18;
/// Starts under way at once: at a second each, the rate is kept.
const STARTS_AT_ONCE: usize = 24;
/// How often a sweep asks for one task: beyond, the next sweep does.
const MAX_TRIES: u32 = 3;
/// Turns that a throttled start passes before it tries again, as many again by chance: who was refused together does not
/// come back together.
const TURNS_PASSED: u128 = 16;

/// Waits: the clock is the caller's.
pub type Sleep = fn(Duration) -> BoxFuture<'static, ()>;

/// What a look at a stream has led to.
enum Looked {
    /// It is as it should be, or has been made so.
    Done {
        acted: bool,
    },
    /// It needs a task, and has been without one since.
    Waits(Timestamp, StreamId),
    Failed,
    /// There was no time for it.
    Left,
}

/// One start after the other, no closer than the rate allows.
struct Turns(parking_lot::Mutex<Timestamp>);

impl Turns {
    /// When the next turn is, `after` so many others.
    fn next(&self, now: Timestamp, after: u64) -> Timestamp {
        let mut next = self.0.lock();
        let interval = u64::from(1_000_u32.div_ceil(STARTS_PER_SECOND));
        let turn = (*next).max(now);
        *next = Timestamp(turn.0 + interval);
        Timestamp(turn.0 + after * interval)
    }
}

impl<T: ReadControl + WriteControl + WriteBroadcasts, C: StartTasks> LifecycleFunction<T, C> {
    /// Looks at every stream that either region holds for active. One failing stream does not keep the others waiting.
    pub(super) async fn sweep(&self) -> Report {
        let begun = self.context.now();
        let (streams, failed) = self.active().await;
        let mut report = Report { failed, ..Report::default() };
        let looks = stream::iter(&streams).map(|stream| self.look(stream, begun + LOOK_WITHIN));
        let mut looks = looks.buffer_unordered(LOOKS_AT_ONCE);
        let mut waiting = Vec::new();
        while let Some(looked) = looks.next().await {
            match looked {
                Looked::Waits(since, stream) => waiting.push((since, stream)),
                other => report.count(&other),
            }
        }
        waiting.sort();
        let turns = Turns(parking_lot::Mutex::new(self.context.now()));
        let starts = waiting.iter().map(|(_, stream)| self.start(stream, &turns, begun + START_WITHIN));
        let mut starts = stream::iter(starts).buffered(STARTS_AT_ONCE);
        while let Some(started) = starts.next().await {
            report.count(&started);
        }
        tracing::info!(?report, "sweep finished");
        report
    }

    /// The streams to look at, each once, from anywhere in their order; and how many listings failed.
    async fn active(&self) -> (Vec<StreamId>, usize) {
        let (mut seen, mut failed) = (BTreeSet::new(), 0);
        for region in self.context.regions() {
            match self.table.active(region).await {
                Ok(streams) => seen.extend(streams),
                Err(error) => {
                    tracing::error!(%region, error = error.told(), "cannot list active streams");
                    failed += 1;
                }
            }
        }
        let mut streams: Vec<_> = seen.into_iter().collect();
        let from = self.context.entropy().nonce % streams.len().max(1) as u128;
        streams.rotate_left(usize::try_from(from).unwrap_or(0));
        (streams, failed)
    }

    async fn look(&self, stream: &StreamId, until: Timestamp) -> Looked {
        if self.context.now() >= until {
            return Looked::Left;
        }
        self.look_at(stream).await.unwrap_or_else(|error| {
            tracing::error!(%stream, error = error.told(), "cannot reconcile a stream");
            Looked::Failed
        })
    }

    async fn look_at(&self, stream: &StreamId) -> PortResult<Looked> {
        let replicated = self.table.replicated_state(stream).await?;
        let (own, now) = (own_record(&replicated, stream, &self.context.region), self.context.now());
        let next = decide::reconcile(&replicated, &own, &Trigger::Sweep, now, self.context.entropy());
        match next {
            None => {
                self.conclude(stream, &replicated).await?;
                Ok(Looked::Done { acted: false })
            }
            Some(Next { start: Some(_), .. }) => {
                let accepted = replicated.session().map(|session| session.accepted_at);
                let served = replicated.heartbeat().map(|heartbeat| heartbeat.at);
                Ok(Looked::Waits(accepted.max(served).unwrap_or_default(), stream.clone()))
            }
            Some(Next { start: None, .. }) => {
                let acted =
                    reconcile(&self.table, &self.tasks, stream, &self.context, Trigger::Sweep).await?;
                self.conclude(stream, &self.table.replicated_state(stream).await?).await?;
                Ok(Looked::Done { acted })
            }
        }
    }

    /// Has a stream's task started when its turn comes.
    async fn start(&self, stream: &StreamId, turns: &Turns, until: Timestamp) -> Looked {
        if !self.comes_by(turns.next(self.context.now(), 0), until).await {
            return Looked::Left;
        }
        // Decided anew: it may have been helped meanwhile.
        match reconcile_once(&self.table, stream, &self.context, &Trigger::Sweep).await {
            Ok(Some(Some(task))) => self.start_task(task, turns, until).await,
            Ok(outcome) => Ok(Looked::Done { acted: outcome.is_some() }),
            Err(error) => Err(error),
        }
        .unwrap_or_else(|error| {
            tracing::error!(%stream, error = error.told(), "cannot reconcile a stream");
            Looked::Failed
        })
    }

    async fn start_task(&self, task: StartTask, turns: &Turns, until: Timestamp) -> PortResult<Looked> {
        let mut tries = 0;
        loop {
            tries += 1;
            let Err(not_started) = start_task(&self.tasks, &task).await else {
                return Ok(Looked::Done { acted: true });
            };
            let passed = TURNS_PASSED + self.context.entropy().nonce % TURNS_PASSED;
            let again = turns.next(self.context.now(), u64::try_from(passed).unwrap_or_default());
            let waits = not_started.passes;
            if !waits || tries >= MAX_TRIES || !self.comes_by(again, until).await {
                note_not_started(&self.table, task, not_started, &self.context).await?;
                return Ok(if waits { Looked::Left } else { Looked::Done { acted: true } });
            }
        }
    }

    /// Waits for `turn`; whether that is in time.
    async fn comes_by(&self, turn: Timestamp, until: Timestamp) -> bool {
        let pause = turn.since(self.context.now());
        if turn >= until {
            return false;
        }
        if !pause.is_zero() {
            (self.sleep)(pause).await;
        }
        true
    }

    /// What follows from how a stream stands: its history hears of its end, and what is over is looked at no more.
    async fn conclude(&self, stream: &StreamId, replicated: &ReplicatedState) -> PortResult<()> {
        if let Some(end) = replicated.end() {
            // Whoever declared it over may have died before it told the history.
            self.table.record_end(end, &self.context.region).await?;
        }
        if is_idle(replicated) {
            self.table.clear_active(stream, &self.context.region).await?;
            // A publish between the two: its mark is gone, its control record is there.
            if !is_idle(&self.table.replicated_state(stream).await?) {
                self.table.mark_active(stream, &self.context.region).await?;
            }
        }
        Ok(())
    }
}

impl Report {
    fn count(&mut self, looked: &Looked) {
        match looked {
            Looked::Left => self.left += 1,
            Looked::Failed => (self.seen, self.failed) = (self.seen + 1, self.failed + 1),
            Looked::Done { acted } => {
                (self.seen, self.acted) = (self.seen + 1, self.acted + usize::from(*acted));
            }
            Looked::Waits(..) => {}
        }
    }
}

/// Whether nothing can come of the stream before its next publish.
fn is_idle(replicated: &ReplicatedState) -> bool {
    replicated.session().is_none() || replicated.end().is_some()
}
