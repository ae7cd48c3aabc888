//! Takes one task from PROVISIONING to STOPPED and reports every step. Must not know the API.

use super::task::{Ending, Status, Task};
use crate::clock;
use crate::process::{Launch, Running, Spawner};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// What a task's life needs from its cluster.
#[derive(Debug)]
pub(super) struct TaskSurroundings {
    pub(super) logs: PathBuf,
    pub(super) spawner: Spawner,
    pub(super) events: mpsc::Sender<Value>,
    pub(super) start_delay: watch::Receiver<Duration>,
}

/// Lives it.
pub(super) async fn live(task: Arc<Task>, mut around: TaskSurroundings) {
    let created = Instant::now();
    report(&task, &around).await;
    let ending = match start(&task, &mut around, created).await {
        Ok(process) => {
            enter(&task, &around, Status::Running).await;
            run(&task, &around, &process).await
        }
        Err(ending) => ending,
    };
    task.state.send_modify(|state| state.ending = Some(ending));
    enter(&task, &around, Status::Stopped).await;
}

async fn start(task: &Task, around: &mut TaskSurroundings, created: Instant) -> Result<Running, Ending> {
    for (share, next) in [(2, Some(Status::Pending)), (1, None)] {
        wait(task, around, created, share).await?;
        if let Some(next) = next {
            enter(task, around, next).await;
        }
    }
    let log = around.logs.join(format!("{}.log", task.id));
    let (args, env) = overridden(task);
    let launch = Launch::new(&task.definition.program, log).args(args).env(env);
    let process = around.spawner.spawn(launch).await.map_err(|error| Ending {
        code: "TaskFailedToStart",
        reason: format!("CannotStartContainerError: {error}"),
        exit: None,
    })?;
    *task.process.lock() = Some(process.clone());
    Ok(process)
}

/// Waits until 1/`share` of the start delay is over, however it is changed meanwhile, unless the task is stopped.
async fn wait(
    task: &Task,
    around: &mut TaskSurroundings,
    created: Instant,
    share: u32,
) -> Result<(), Ending> {
    let mut stop = task.stop.subscribe();
    loop {
        let due = created + *around.start_delay.borrow_and_update() / share;
        tokio::select! {
            biased;
            reason = asked(&mut stop) => return Err(Ending { code: "UserInitiated", reason, exit: None }),
            () = tokio::time::sleep_until(due) => return Ok(()),
            changed = around.start_delay.changed() => if changed.is_err() {
                let reason = "the cluster is gone".to_owned();
                return Err(Ending { code: "TaskFailedToStart", reason, exit: None });
            },
        }
    }
}

async fn run(task: &Task, around: &TaskSurroundings, process: &Running) -> Ending {
    let mut stop = task.stop.subscribe();
    tokio::select! {
        biased;
        exit = process.wait() => Ending {
            code: "EssentialContainerExited",
            reason: "Essential container in task exited".to_owned(),
            exit: Some(exit.container_code()),
        },
        reason = asked(&mut stop) => {
            task.state.send_modify(|state| state.stopping = Some(clock::utc()));
            enter(task, around, Status::Stopping).await;
            let exit = process.stop(task.definition.stop_timeout).await;
            Ending { code: "UserInitiated", reason, exit: Some(exit.container_code()) }
        }
    }
}

async fn asked(stop: &mut watch::Receiver<Option<String>>) -> String {
    let asked = stop.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
    match asked {
        Some(reason) => reason,
        // The sender is part of the task itself.
        None => std::future::pending().await,
    }
}

async fn enter(task: &Task, around: &TaskSurroundings, status: Status) {
    task.state.send_modify(|state| {
        state.status = status;
        state.version += 1;
        let now = clock::utc();
        match status {
            Status::Running => state.started = Some(now),
            Status::Stopped => state.stopped = Some(now),
            Status::Provisioning | Status::Pending | Status::Stopping => {}
        }
    });
    report(task, around).await;
}

async fn report(task: &Task, around: &TaskSurroundings) {
    if around.events.send(task.event()).await.is_err() {
        tracing::debug!(task = task.arn, "nobody listens to task events");
    }
}

/// Arguments and environment after `overrides.containerOverrides[]`.
fn overridden(task: &Task) -> (Vec<String>, BTreeMap<String, String>) {
    let (mut args, mut env) = (task.definition.args.clone(), task.definition.env.clone());
    env.extend(task.overridden_environment());
    let overrides = task.overrides["containerOverrides"].as_array().into_iter().flatten();
    for container in overrides.filter(|container| container["name"] == task.definition.container.as_str()) {
        if let Some(command) = container["command"].as_array().filter(|command| !command.is_empty()) {
            args = command.iter().filter_map(|arg| arg.as_str().map(str::to_owned)).collect();
        }
    }
    (args, env)
}
