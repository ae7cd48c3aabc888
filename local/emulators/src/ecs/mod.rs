//! ECS of one region, as far as standalone Fargate tasks go: RunTask starts a real process, whose end becomes an
//! EventBridge event. Must not know what the processes do, nor who listens to the events.

mod api;
mod cluster;
mod life;
mod refusal;
mod run_task;
mod task;

pub use task::{RunningTask, Status, TaskDefinition};

use crate::calls::CallLog;
use crate::listen::{Faults, ListenError, Server};
use crate::process::{Signal, Spawner};
use cluster::Cluster;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::mpsc;

/// Why the service could not be started.
#[derive(Debug, Error)]
pub enum EcsError {
    /// The listener.
    #[error(transparent)]
    Listen(#[from] ListenError),
}

/// One region's ECS.
#[derive(Debug, Clone)]
pub struct EcsConfig {
    /// Region name; part of every ARN.
    pub region: String,
    /// Port to listen on; 0 for any free one.
    pub port: u16,
    /// Name of the one cluster.
    pub cluster: String,
    /// Folder for the tasks' output, `<task id>.log` each.
    pub logs: PathBuf,
    /// What can be run.
    pub definitions: Vec<TaskDefinition>,
    /// Notes who calls what.
    pub calls: CallLog,
}

/// A running ECS. Dropping it closes the listener and kills the tasks.
#[derive(Debug)]
pub struct Ecs {
    server: Server,
    cluster: Arc<Cluster>,
}

impl Ecs {
    /// Listens. Every change of a task's status goes to `events` as an "ECS Task State Change" event; a full channel
    /// holds the task's next step up, nothing is dropped.
    pub fn start(config: EcsConfig, spawner: Spawner, events: mpsc::Sender<Value>) -> Result<Self, EcsError> {
        let (name, port) = (format!("ecs {}", config.region), config.port);
        let calls = config.calls.clone();
        let cluster = Arc::new(Cluster::new(config, spawner, events));
        let server = Server::start(&name, port, Arc::new(api::EcsApi::new(cluster.clone(), calls)))?;
        Ok(Self { server, cluster })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// The control plane refuses connections from now on; tasks run on. `faults().start()` undoes it.
    pub async fn stop(&self) {
        self.server.faults().stop().await;
    }

    /// Makes it fail, and counts (the control plane).
    pub fn faults(&self) -> Faults {
        self.server.faults()
    }

    /// Another listener, on `port` (0: any free one), that can be cut off alone.
    pub fn secondary(&self, name: &str, port: u16) -> Result<Server, ListenError> {
        self.server.secondary(name, port)
    }

    /// Time from RunTask to the process, half of it PROVISIONING and half PENDING; for tasks not yet running.
    pub fn set_start_delay(&self, delay: Duration) {
        self.cluster.set_start_delay(delay);
    }

    /// See [`set_start_delay`](Self::set_start_delay).
    pub fn start_delay(&self) -> Duration {
        self.cluster.start_delay()
    }

    /// See [`set_failure`](Self::set_failure).
    pub fn failure(&self) -> Option<String> {
        self.cluster.failure()
    }

    /// Answers RunTask with `failures[]` of this reason (`RESOURCE:ENI`, ...) until it is `None` again.
    pub fn set_failure(&self, reason: Option<&str>) {
        self.cluster.set_failure(reason);
    }

    /// Answers RunTask with a capacity failure while this many tasks are not stopped.
    pub fn set_max_tasks(&self, max: Option<usize>) {
        self.cluster.set_max_tasks(max);
    }

    /// ARNs of all tasks that are not stopped.
    pub fn tasks(&self) -> Vec<String> {
        self.cluster.living().iter().map(|task| task.arn.clone()).collect()
    }

    /// Process id of a task (ARN or id) whose process runs.
    pub fn pid(&self, task: &str) -> Option<u32> {
        let process = self.cluster.find(task)?.process()?;
        process.ended().is_none().then(|| process.pid())
    }

    /// Signals a task's process, as a crash or a host failure would. False if it has none.
    pub async fn kill(&self, task: &str, signal: Signal) -> bool {
        match self.cluster.find(task).and_then(|task| task.process()) {
            Some(process) => {
                process.signal(signal).await;
                true
            }
            None => false,
        }
    }

    /// Waits until a task has reached `status` (or a later one). False if there is no such task.
    pub async fn reached(&self, task: &str, status: Status) -> bool {
        match self.cluster.find(task) {
            Some(task) => task.reached(status).await,
            None => false,
        }
    }

    /// Stops all tasks as StopTask would and waits for their ends.
    pub async fn stop_all(&self, reason: &str) {
        let tasks = self.cluster.living();
        tasks.iter().for_each(|task| task.ask_to_stop(reason));
        for task in tasks {
            task.reached(Status::Stopped).await;
        }
    }

    /// Ends all tasks at once, as the loss of a region would: processes are killed, those to come do not.
    pub async fn kill_all(&self) {
        for task in self.cluster.living() {
            match task.process() {
                Some(process) => _ = process.kill().await,
                None => task.ask_to_stop("the region is lost"),
            }
        }
    }

    /// All tasks that are not stopped.
    pub fn running(&self) -> Vec<RunningTask> {
        self.cluster.living().iter().map(|task| RunningTask::of(task)).collect()
    }

    /// Signals the processes of all tasks.
    pub async fn signal_all(&self, signal: Signal) {
        for process in self.cluster.living().iter().filter_map(|task| task.process()) {
            process.signal(signal).await;
        }
    }
}

impl Drop for Ecs {
    fn drop(&mut self) {
        self.cluster.abandon();
    }
}
