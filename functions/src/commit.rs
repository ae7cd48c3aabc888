//! Decide, write the seat conditionally, start the task. Losing a race means to read and decide again.

use headwater_domain::live::decide::{self, Next, Occasion, StartTask};
use headwater_domain::live::{Seat, Situation};
use headwater_domain::ports::{
    FaultKind, PortError, PortResult, ReadLive, StartTasks, TaskStart, Write, WriteBroadcasts, WriteLive,
};
use headwater_domain::{Region, StreamId};

use crate::context::Context;

/// Lost races in a row before we give up; each means that somebody else got something done.
const MAX_RACES: usize = 8;

/// This region's seat in `situation`.
pub(crate) fn own_seat(situation: &Situation, stream: &StreamId, region: &Region) -> Seat {
    let own = situation.seats.iter().find(|seat| seat.region == *region);
    own.cloned().unwrap_or_else(|| Seat::empty(stream.clone(), region.clone()))
}

/// Applies `decide` to what is there until its outcome is written. `None`: nothing is to be done.
pub(crate) async fn write_seat<T>(
    live: &(impl ReadLive + WriteLive + WriteBroadcasts),
    stream: &StreamId,
    context: &Context,
    mut decide: impl FnMut(&Situation, &Seat) -> Option<(Seat, T)>,
) -> PortResult<Option<T>> {
    for _ in 0..MAX_RACES {
        let situation = live.situation(stream).await?;
        let own = own_seat(&situation, stream, &context.region);
        let Some((seat, outcome)) = decide(&situation, &own) else { return Ok(None) };
        if live.put_seat(&seat).await? == Write::Stored {
            if seat.end != own.end
                && let Some(end) = &seat.end
            {
                live.record_end(end, &context.region).await?;
            }
            return Ok(Some(outcome));
        }
    }
    Err(PortError {
        kind: FaultKind::Throttled,
        action: "write a seat",
        source: "lost every race for it".into(),
    })
}

/// Tends to one stream: decides, writes, starts the task that follows; a start that fails is an occasion of its own.
pub(crate) async fn tend(
    live: &(impl ReadLive + WriteLive + WriteBroadcasts),
    tasks: &impl StartTasks,
    stream: &StreamId,
    context: &Context,
    mut occasion: Occasion,
) -> PortResult<bool> {
    let mut acted = false;
    for _ in 0..=decide::MAX_FAILURES {
        let written = write_seat(live, stream, context, |situation, own| {
            let next = decide::tend(situation, own, &occasion, context.now(), context.dice())?;
            let Next { seat, start } = next;
            Some((seat, start))
        });
        let Some(start) = written.await? else { return Ok(acted) };
        acted = true;
        let Some(task) = start else { return Ok(true) };
        match start_task(tasks, &task).await {
            Ok(()) => return Ok(true),
            Err(reason) => occasion = Occasion::StartFailed { lease: task.lease, reason },
        }
    }
    Ok(acted)
}

/// Starts a task; why it cannot be started is a reason that people will read.
pub(crate) async fn start_task(tasks: &impl StartTasks, task: &StartTask) -> Result<(), String> {
    match tasks.start(task).await {
        Ok(TaskStart::Started) => {
            tracing::info!(stream = %task.stream, broadcast = %task.broadcast, lease = %task.lease, "started a task");
            Ok(())
        }
        Ok(TaskStart::Failed(reason)) => {
            tracing::error!(stream = %task.stream, lease = %task.lease, reason, "a task could not be started");
            Err(reason)
        }
        Err(error) => {
            tracing::error!(stream = %task.stream, lease = %task.lease, error = &error as &dyn std::error::Error, "a task could not be started");
            Err(format!("{:?} while starting a task", error.kind))
        }
    }
}
