//! Carries commands out, and words what there is to tell. Must not know how commands come.

use std::fmt::Write as _;

use headwater_aws::tasks::{ENV_BROADCAST, ENV_LEASE};
use headwater_emulators::ecs::{RunningTask, Status};
use headwater_emulators::process::Signal;
use thiserror::Error;

use super::{Command, SignalTarget};
use crate::{Component, ComponentError, FaultTarget, RegionId, Stack};

/// Why a command was not carried out.
#[derive(Debug, Error)]
pub(super) enum ExecuteError {
    #[error(transparent)]
    Component(#[from] ComponentError),
    #[error("no task or stream {name:?}; {known}")]
    NoTask { name: String, known: String },
    #[error("{0:?} is the beginning of more than one task's id")]
    Ambiguous(String),
    #[error("the gateway of {0} does not run")]
    NoGateway(RegionId),
}

/// A task, where it runs, and what for.
struct FoundTask {
    region: RegionId,
    task: RunningTask,
}

pub(super) async fn execute(stack: &Stack, command: Command) -> Result<String, ExecuteError> {
    match command {
        Command::Status => return Ok(status(stack).await),
        Command::ListTasks => return Ok(tasks(stack)),
        Command::Inject(FaultTarget { region, component }, fault) => {
            stack.apply(region, component, fault).await?
        }
        Command::Clear(FaultTarget { region, component }) => stack.clear(region, component).await?,
        Command::StopRegion(region) => stack.stop_region(region).await,
        Command::StartRegion(region) => stack.start_region(region).await?,
        Command::Partition => stack.partition().await,
        Command::Heal => stack.heal()?,
        Command::Signal(target, signal) => return kill(stack, &target, signal).await,
    }
    Ok(String::new())
}

async fn status(stack: &Stack) -> String {
    let active = stack.list().await;
    let mut text = String::new();
    for region in RegionId::ALL {
        for component in Component::ALL {
            let target = FaultTarget { region, component };
            let wrong = active.iter().filter(|one| one.target == target).map(|one| one.fault.to_string());
            let wrong: Vec<_> = wrong.collect();
            let state = if wrong.is_empty() { "works".to_owned() } else { wrong.join(", ") };
            line(&mut text, format_args!("{target:<28} {state}"));
        }
    }
    let count = found(stack).len();
    let pending = stack.replication.pending();
    line(&mut text, format_args!("{count} tasks, {pending} writes on their way between the regions"));
    text
}

fn tasks(stack: &Stack) -> String {
    let mut text = String::new();
    for FoundTask { region, task } in found(stack) {
        let get = |name: &str| task.environment.get(name).map_or("-", String::as_str);
        let pid = task.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        let state = if task.frozen { "FROZEN" } else { task.status.name() };
        let (broadcast, lease) = (get(ENV_BROADCAST), get(ENV_LEASE));
        let id = &task.id;
        line(&mut text, format_args!("{id} {region} {state:<12} pid {pid:<8} {broadcast} lease {lease}"));
    }
    if text.is_empty() { "no tasks\n".to_owned() } else { text }
}

async fn kill(stack: &Stack, target: &SignalTarget, signal: Signal) -> Result<String, ExecuteError> {
    let name = match target {
        SignalTarget::Gateway(region) => {
            let told = stack.regions[region.index()].gateway.signal(signal).await;
            return if told { Ok(String::new()) } else { Err(ExecuteError::NoGateway(*region)) };
        }
        SignalTarget::Task(name) => name,
    };
    let all = found(stack);
    let id = name.rsplit('/').next().unwrap_or(name);
    let is_of = |stream: &str, task: &RunningTask| {
        let broadcast = task.environment.get(ENV_BROADCAST);
        broadcast.is_some_and(|broadcast| broadcast == stream || broadcast.split('-').next() == Some(stream))
    };
    let of_stream: Vec<_> = all.iter().filter(|found| is_of(name, &found.task)).collect();
    let by_id: Vec<_> = all.iter().filter(|found| found.task.id.starts_with(id)).collect();
    let chosen = match (of_stream.is_empty(), by_id.len()) {
        (false, _) => of_stream,
        (true, 1) => by_id,
        (true, 0) => {
            let ids: Vec<_> = all.iter().map(|found| found.task.id.as_str()).collect();
            let known =
                if ids.is_empty() { "no tasks".to_owned() } else { format!("tasks are {}", ids.join(", ")) };
            return Err(ExecuteError::NoTask { name: name.clone(), known });
        }
        _ => return Err(ExecuteError::Ambiguous(name.clone())),
    };
    let mut text = String::new();
    for FoundTask { region, task } in chosen {
        let had = stack.regions[region.index()].ecs.kill(&task.id, signal).await;
        let id = &task.id;
        line(&mut text, format_args!("{id} {}", if had { "got it" } else { "has no process yet" }));
    }
    Ok(text)
}

fn found(stack: &Stack) -> Vec<FoundTask> {
    let of = |region: RegionId| {
        let tasks = stack.regions[region.index()].ecs.running().into_iter();
        tasks.filter(|task| task.status < Status::Stopped).map(move |task| FoundTask { region, task })
    };
    RegionId::ALL.into_iter().flat_map(of).collect()
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{arguments}");
}
