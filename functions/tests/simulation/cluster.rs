//! ECS: starts transcoder tasks once per client token, and tells when they have stopped.

use headwater_aws::tasks::{ENV_BROADCAST, ENV_LEASE};
use headwater_domain::control::decide::StartTask;
use headwater_domain::ports::{FaultKind, PortResult, StartTasks, TaskStart};
use headwater_domain::{BroadcastId, Lease};
use serde_json::json;

use super::executor::{self, NETWORK, Process, sleep};
use super::simulation::{self, Side, tell};
use super::table::fault;
use super::transcoder;
use super::{calls, rng};

/// Between SIGTERM and SIGKILL, in milliseconds: as template.yaml says.
pub const STOP_TIMEOUT: u64 = 120_000;

/// RunTask as one region's control plane calls it, for either region.
#[derive(Debug, Clone)]
pub struct Cluster {
    pub from: Side,
}

/// A task that was ever started.
#[derive(Debug, Clone)]
pub struct TaskInfo {
    pub broadcast: BroadcastId,
    pub process: Process,
    /// When its process began.
    pub up: u64,
    pub frozen: bool,
    pub stopped: bool,
    /// Until when its heartbeats reach nobody.
    pub deaf_until: u64,
    /// It was asked to leave (SIGTERM).
    pub is_asked_to_leave: bool,
    /// It was started as a standby.
    pub is_standby: bool,
}

impl TaskInfo {
    pub fn works(&self) -> bool {
        !self.stopped && !self.frozen
    }
}

impl StartTasks for Cluster {
    async fn start(&self, task: &StartTask) -> PortResult<TaskStart> {
        const ACTION: &str = "start a transcoder task";
        let place = Side::of(&task.lease.region);
        sleep(rng::between(20, 400)).await;
        let (out_of_reach, no_capacity) = simulation::with(|sim| {
            let region = sim.region(place);
            (region.lost || (place != self.from && sim.is_cut()), region.no_capacity)
        });
        if out_of_reach {
            return Err(fault(FaultKind::Unavailable, ACTION));
        }
        if no_capacity {
            let throttled = rng::chance(50);
            tell(|| format!("RunTask fails for {}, throttled: {throttled}", task.lease));
            return Ok(match throttled {
                true => TaskStart::Throttled("ThrottlingException: Rate exceeded".into()),
                false => TaskStart::Failed("RESOURCE:FARGATE".into()),
            });
        }
        let process = executor::process();
        let is_new = simulation::with(|sim| {
            let (broadcast, frozen, stopped) = (task.broadcast.clone(), false, false);
            let info = TaskInfo {
                broadcast,
                process,
                up: u64::MAX,
                frozen,
                stopped,
                deaf_until: 0,
                is_asked_to_leave: false,
                is_standby: task.standby,
            };
            let is_new = !sim.tasks.contains_key(&task.lease);
            sim.tasks.entry(task.lease.clone()).or_insert(info);
            is_new
        });
        if is_new {
            let delay = simulation::with(|sim| sim.start_delay);
            let delay = rng::between(delay.0, delay.1);
            let role = if task.standby { " as a standby" } else { "" };
            tell(|| format!("RunTask {}{role} (up in {:.1} s)", task.lease, delay as f64 / 1e3));
            let (broadcast, lease) = (task.broadcast.clone(), task.lease.clone());
            executor::spawn(process, async move {
                sleep(delay).await;
                simulation::with(|sim| sim.tasks.get_mut(&lease).unwrap().up = executor::now());
                let why = transcoder::run(broadcast, lease.clone()).await;
                stopped(&lease, &why);
            });
        }
        Ok(TaskStart::Started)
    }
}

/// Retires a task, as Fargate does: it is asked to leave, and killed if it has not left in time.
pub fn retire(lease: Lease) {
    tell(|| format!("task {lease} is asked to leave"));
    simulation::with(|sim| sim.tasks.get_mut(&lease).unwrap().is_asked_to_leave = true);
    executor::spawn(NETWORK, async move {
        sleep(STOP_TIMEOUT).await;
        kill(&lease, "SIGKILL after SIGTERM");
    });
}

/// Kills a task, as the kernel or Fargate does.
pub fn kill(lease: &Lease, why: &str) {
    let process =
        simulation::with(|sim| sim.tasks.get(lease).filter(|task| !task.stopped).map(|t| t.process));
    if let Some(process) = process {
        executor::kill(process);
        stopped(lease, why);
    }
}

fn stopped(lease: &Lease, why: &str) {
    tell(|| format!("task {lease} stopped: {why}"));
    let broadcast = simulation::with(|sim| {
        let task = sim.tasks.get_mut(lease).unwrap();
        (task.stopped, task.frozen) = (true, false);
        task.broadcast.clone()
    });
    let event = json!({
        "detail-type": "ECS Task State Change",
        "detail": {
            "lastStatus": "STOPPED",
            "stoppedReason": why,
            "overrides": { "containerOverrides": [{ "environment": [
                { "name": ENV_BROADCAST, "value": broadcast },
                { "name": ENV_LEASE, "value": lease },
            ] }] },
        },
    });
    let place = Side::of(&lease.region);
    executor::spawn(NETWORK, async move {
        sleep(rng::between(500, 6_000)).await;
        // At least once, as a rule; lost now and then.
        for _ in 0..if rng::chance(10) { 0 } else { rng::between(1, 3) } {
            calls::bring(place, event.clone()).await;
        }
    });
}
