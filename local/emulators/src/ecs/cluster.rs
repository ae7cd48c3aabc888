//! The cluster: which tasks there are, which client tokens were used, whether there is room. Must not know how
//! requests are written.

use super::EcsConfig;
use super::life::{TaskSurroundings, live};
use super::run_task::RunTask;
use super::task::{ACCOUNT, Status, Task, TaskDefinition, TaskState};
use crate::clock;
use crate::process::Spawner;
use parking_lot::{Mutex, MutexGuard};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Stopped tasks that can still be described. ECS keeps them for an hour.
const MAX_STOPPED: usize = 1000;

/// The reason Fargate gives when it has no room.
const NO_CAPACITY: &str =
    "Capacity is unavailable at this time. Please try again later or in a different availability zone";

/// One region's tasks.
#[derive(Debug)]
pub(super) struct Cluster {
    config: EcsConfig,
    spawner: Spawner,
    events: mpsc::Sender<Value>,
    start_delay: watch::Sender<Duration>,
    abandoned: CancellationToken,
    state: Mutex<Registry>,
}

#[derive(Debug, Default)]
struct Registry {
    /// In order of creation.
    tasks: Vec<Arc<Task>>,
    tokens: HashMap<String, (Value, Vec<Arc<Task>>)>,
    failure: Option<String>,
    max_tasks: Option<usize>,
}

/// What RunTask comes to.
#[derive(Debug)]
pub(super) enum Ran {
    Started(Vec<Arc<Task>>),
    Failed(String),
    /// The client token was used with other parameters, for these tasks.
    Conflict(Vec<Arc<Task>>),
}

impl Cluster {
    pub(super) fn new(config: EcsConfig, spawner: Spawner, events: mpsc::Sender<Value>) -> Self {
        Self {
            config,
            spawner,
            events,
            start_delay: watch::Sender::new(Duration::ZERO),
            abandoned: CancellationToken::new(),
            state: Mutex::default(),
        }
    }

    pub(super) fn set_start_delay(&self, delay: Duration) {
        self.start_delay.send_replace(delay);
    }

    pub(super) fn start_delay(&self) -> Duration {
        *self.start_delay.borrow()
    }

    pub(super) fn failure(&self) -> Option<String> {
        self.registry().failure.clone()
    }

    pub(super) fn set_failure(&self, reason: Option<&str>) {
        self.registry().failure = reason.map(str::to_owned);
    }

    pub(super) fn set_max_tasks(&self, max: Option<usize>) {
        self.registry().max_tasks = max;
    }

    /// Ends every task's life where it stands; their processes die with them.
    pub(super) fn abandon(&self) {
        self.abandoned.cancel();
        let mut registry = self.registry();
        registry.tasks.clear();
        registry.tokens.clear();
    }

    pub(super) fn is_named(&self, cluster: &str) -> bool {
        cluster == self.config.cluster || cluster == self.arn()
    }

    /// The definition that `name` (family, `family:1` or ARN) means.
    pub(super) fn definition(&self, name: &str) -> Option<&TaskDefinition> {
        let name = name.rsplit('/').next().unwrap_or_default();
        let family = name.strip_suffix(":1").unwrap_or(name);
        self.config.definitions.iter().find(|definition| definition.family == family)
    }

    /// Starts tasks, or finds those that the same request started before.
    pub(super) fn run(&self, definition: &TaskDefinition, request: RunTask) -> Ran {
        let mut registry = self.registry();
        if let Some((parameters, tasks)) = registry.tokens.get(&request.client_token) {
            let tasks = tasks.clone();
            return if *parameters == request.parameters {
                Ran::Started(tasks)
            } else {
                Ran::Conflict(tasks)
            };
        }
        if let Some(reason) = &registry.failure {
            return Ran::Failed(reason.clone());
        }
        let living = registry.tasks.iter().filter(|task| task.status() < Status::Stopped).count();
        if registry.max_tasks.is_some_and(|max| living + request.count > max) {
            return Ran::Failed(NO_CAPACITY.to_owned());
        }
        let tasks: Vec<_> = (0..request.count).map(|_| Arc::new(self.task(definition, &request))).collect();
        for task in &tasks {
            let around = TaskSurroundings {
                logs: self.config.logs.clone(),
                spawner: self.spawner.clone(),
                events: self.events.clone(),
                start_delay: self.start_delay.subscribe(),
            };
            tokio::spawn(self.abandoned.clone().run_until_cancelled_owned(live(task.clone(), around)));
        }
        registry.tasks.extend(tasks.iter().cloned());
        if !request.client_token.is_empty() {
            registry.tokens.insert(request.client_token, (request.parameters, tasks.clone()));
        }
        registry.forget_old();
        Ran::Started(tasks)
    }

    /// A task by ARN or id.
    pub(super) fn find(&self, name: &str) -> Option<Arc<Task>> {
        let id = name.rsplit('/').next().unwrap_or_default();
        self.registry().tasks.iter().find(|task| task.id == id).cloned()
    }

    pub(super) fn all(&self) -> Vec<Arc<Task>> {
        self.registry().tasks.clone()
    }

    pub(super) fn living(&self) -> Vec<Arc<Task>> {
        self.registry().tasks.iter().filter(|task| task.status() < Status::Stopped).cloned().collect()
    }

    fn task(&self, definition: &TaskDefinition, request: &RunTask) -> Task {
        let (id, region, cluster) = (crate::random::hex32(), &self.config.region, &self.config.cluster);
        Task {
            arn: format!("arn:aws:ecs:{region}:{ACCOUNT}:task/{cluster}/{id}"),
            id,
            region: region.clone(),
            cluster_arn: self.arn(),
            definition: definition.clone(),
            overrides: request.overrides.clone(),
            started_by: request.started_by.clone(),
            group: request.group.clone().unwrap_or_else(|| format!("family:{}", definition.family)),
            tags: request.tags.clone(),
            created: clock::utc(),
            state: watch::Sender::new(TaskState::new()),
            stop: watch::Sender::new(None),
            process: Mutex::new(None),
        }
    }

    /// ARN of a definition; each has one revision.
    pub(super) fn definition_arn(&self, definition: &TaskDefinition) -> String {
        format!("arn:aws:ecs:{}:{ACCOUNT}:task-definition/{}:1", self.config.region, definition.family)
    }

    pub(super) fn arn(&self) -> String {
        format!("arn:aws:ecs:{}:{ACCOUNT}:cluster/{}", self.config.region, self.config.cluster)
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.state.lock()
    }
}

impl Registry {
    fn forget_old(&mut self) {
        let is_stopped = |task: &Arc<Task>| task.status() == Status::Stopped;
        let mut excess =
            self.tasks.iter().filter(|task| is_stopped(task)).count().saturating_sub(MAX_STOPPED);
        self.tasks.retain(|task| {
            let old = excess > 0 && is_stopped(task);
            excess -= usize::from(old);
            !old
        });
        let known: std::collections::HashSet<_> = self.tasks.iter().map(|task| task.id.clone()).collect();
        self.tokens.retain(|_, (_, tasks)| tasks.iter().any(|task| known.contains(&task.id)));
    }
}
