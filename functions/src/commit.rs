//! Decide, write the control record conditionally, start the task. Losing a race means to read and decide again.

use headwater_domain::control::decide::{self, Next, StartTask, Trigger};
use headwater_domain::control::{ControlRecord, ReplicatedState};
use headwater_domain::ports::{
    FaultKind, PortError, PortResult, ReadControl, StartTasks, TaskStart, Write, WriteBroadcasts,
    WriteControl,
};
use headwater_domain::{Region, StreamId};

use crate::context::Context;

/// Lost races in a row before we give up; each means that somebody else got something done.
const MAX_RACES: usize = 8;

/// This region's control record in `replicated`.
pub(crate) fn own_record(replicated: &ReplicatedState, stream: &StreamId, region: &Region) -> ControlRecord {
    let own = replicated.records.iter().find(|record| record.region == *region);
    own.cloned().unwrap_or_else(|| ControlRecord::empty(stream.clone(), region.clone()))
}

/// Applies `decide` to what is there until its outcome is written. `None`: nothing is to be done.
pub(crate) async fn write_control_record<T>(
    live: &(impl ReadControl + WriteControl + WriteBroadcasts),
    stream: &StreamId,
    context: &Context,
    mut decide: impl FnMut(&ReplicatedState, &ControlRecord) -> Option<(ControlRecord, T)>,
) -> PortResult<Option<T>> {
    for _ in 0..MAX_RACES {
        let replicated = live.replicated_state(stream).await?;
        let own = own_record(&replicated, stream, &context.region);
        let Some((record, outcome)) = decide(&replicated, &own) else { return Ok(None) };
        if put(live, &record).await? == Write::Stored {
            if record.end != own.end
                && let Some(end) = &record.end
            {
                live.record_end(end, &context.region).await?;
            }
            return Ok(Some(outcome));
        }
    }
    Err(PortError {
        kind: FaultKind::Throttled,
        action: "write a control record",
        source: "lost every race for it".into(),
    })
}

/// Writes a control record; once more if nobody said whether it was written. The same one may be written twice, and what
/// follows from it (a task to be started) is done only by who knows that it is there.
async fn put(live: &impl WriteControl, record: &ControlRecord) -> PortResult<Write> {
    match live.put_control_record(record).await {
        Err(error) if matches!(error.kind, FaultKind::TimedOut | FaultKind::Unavailable) => {
            live.put_control_record(record).await
        }
        answer => answer,
    }
}

/// Reconciles one stream: decides, writes, starts the task that follows. A start that fails is noted; the next sweep
/// tries again.
pub(crate) async fn reconcile(
    live: &(impl ReadControl + WriteControl + WriteBroadcasts),
    tasks: &impl StartTasks,
    stream: &StreamId,
    context: &Context,
    trigger: Trigger,
) -> PortResult<bool> {
    let Some(start) = reconcile_once(live, stream, context, &trigger).await? else { return Ok(false) };
    let Some(task) = start else { return Ok(true) };
    if let Err(not_started) = start_task(tasks, &task).await {
        note_not_started(live, task, not_started, context).await?;
    }
    Ok(true)
}

/// Decides and writes; the task that is to be started, if one is. `None`: nothing is to be done.
pub(crate) async fn reconcile_once(
    live: &(impl ReadControl + WriteControl + WriteBroadcasts),
    stream: &StreamId,
    context: &Context,
    trigger: &Trigger,
) -> PortResult<Option<Option<StartTask>>> {
    write_control_record(live, stream, context, |replicated, own| {
        let Next { record, start } =
            decide::reconcile(replicated, own, trigger, context.now(), context.entropy())?;
        Some((record, start))
    })
    .await
}

/// Why a task was not started.
#[derive(Debug)]
pub(crate) struct NotStarted {
    /// What people will read.
    pub(crate) reason: String,
    /// Whether it passes by itself, so that the sweep's next try is worth waiting for.
    pub(crate) passes: bool,
}

/// Notes that the task of a lease was not started: the next sweep tries again; so often that it is given up at last, unless
/// it only has to wait for its turn.
pub(crate) async fn note_not_started(
    live: &(impl ReadControl + WriteControl + WriteBroadcasts),
    task: StartTask,
    NotStarted { reason, passes }: NotStarted,
    context: &Context,
) -> PortResult<()> {
    let trigger = Trigger::StartFailed { lease: task.lease, reason, throttled: passes };
    reconcile_once(live, &task.stream, context, &trigger).await.map(|_| ())
}

/// Starts a task.
pub(crate) async fn start_task(tasks: &impl StartTasks, task: &StartTask) -> Result<(), NotStarted> {
    let not_started = |reason: String, passes| NotStarted { reason, passes };
    match tasks.start(task).await {
        Ok(TaskStart::Started) => {
            tracing::info!(stream = %task.stream, broadcast = %task.broadcast, lease = %task.lease, "started a task");
            Ok(())
        }
        Ok(TaskStart::Failed(reason)) => {
            tracing::error!(stream = %task.stream, lease = %task.lease, reason, "a task could not be started");
            Err(not_started(reason, false))
        }
        Ok(TaskStart::Throttled(reason)) => {
            tracing::warn!(stream = %task.stream, lease = %task.lease, reason, "a task is not started yet; the sweep asks again");
            Err(not_started(reason, true))
        }
        Ok(TaskStart::Unanswered) => {
            // It may have been heard: to give the lease up now would fence the task that comes, and publisher and task would
            // wait for each other. If it was not, the lease dies of its silence as if the task had died.
            tracing::warn!(stream = %task.stream, lease = %task.lease, "ECS did not answer RunTask in time; heartbeats will tell whether the task starts");
            Ok(())
        }
        Err(error) => {
            tracing::error!(stream = %task.stream, lease = %task.lease, error = error.told(), "a task could not be started");
            Err(not_started(format!("{} while starting a task", error.kind), false))
        }
    }
}
