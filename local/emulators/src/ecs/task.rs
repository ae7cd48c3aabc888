//! One task: what it was started with, how far it is, and how the API and the events describe it. Must not know how
//! it is run.

use crate::process::Running;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::watch;

/// The account id in every ARN of the local stack.
pub(super) const ACCOUNT: &str = "000000000000";

/// Something that can be run: a family with one revision and one container.
#[derive(Debug, Clone)]
pub struct TaskDefinition {
    /// Name of the family.
    pub family: String,
    /// Name of the container, which overrides name.
    pub container: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments; a `command` override replaces them.
    pub args: Vec<String>,
    /// Its environment; overrides add to it.
    pub env: BTreeMap<String, String>,
    /// Time between SIGTERM and SIGKILL (Fargate: 30 s by default, at most 120 s).
    pub stop_timeout: Duration,
}

/// Task states, in their order (developer guide, "Amazon ECS task lifecycle").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Waiting for its network interface.
    Provisioning,
    /// Waiting for its image and process.
    Pending,
    /// The process runs.
    Running,
    /// The process was asked to end.
    Stopping,
    /// The end.
    Stopped,
}

impl Status {
    /// As ECS spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Provisioning => "PROVISIONING",
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Stopping => "STOPPING",
            Self::Stopped => "STOPPED",
        }
    }
}

/// A task that is not stopped, as its host sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningTask {
    /// Its ARN.
    pub arn: String,
    /// The last part of its ARN.
    pub id: String,
    /// How far it is.
    pub status: Status,
    /// Its process, once there is one.
    pub pid: Option<u32>,
    /// Whether the process was stopped by SIGSTOP.
    pub frozen: bool,
    /// What RunTask added to its environment.
    pub environment: BTreeMap<String, String>,
}

impl RunningTask {
    pub(super) fn of(task: &Task) -> Self {
        let process = task.process().filter(|process| process.ended().is_none());
        Self {
            arn: task.arn.clone(),
            id: task.id.clone(),
            status: task.status(),
            pid: process.as_ref().map(Running::pid),
            frozen: process.is_some_and(|process| process.is_frozen()),
            environment: task.overridden_environment(),
        }
    }
}

/// Why a task stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) code: &'static str,
    pub(super) reason: String,
    pub(super) exit: Option<i32>,
}

/// What changes while a task lives.
#[derive(Debug, Clone)]
pub(super) struct TaskState {
    pub(super) status: Status,
    pub(super) version: u64,
    pub(super) started: Option<OffsetDateTime>,
    pub(super) stopping: Option<OffsetDateTime>,
    pub(super) stopped: Option<OffsetDateTime>,
    pub(super) ending: Option<Ending>,
}

/// A task.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) id: String,
    pub(super) arn: String,
    pub(super) region: String,
    pub(super) cluster_arn: String,
    pub(super) definition: TaskDefinition,
    pub(super) overrides: Value,
    pub(super) started_by: Option<String>,
    pub(super) group: String,
    pub(super) tags: Value,
    pub(super) created: OffsetDateTime,
    pub(super) state: watch::Sender<TaskState>,
    /// Set to the reason once somebody wants it stopped.
    pub(super) stop: watch::Sender<Option<String>>,
    pub(super) process: Mutex<Option<Running>>,
}

/// How times are written: numbers in the API, text in events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Times {
    Epoch,
    Text,
}

impl TaskState {
    pub(super) fn new() -> Self {
        Self {
            status: Status::Provisioning,
            version: 1,
            started: None,
            stopping: None,
            stopped: None,
            ending: None,
        }
    }
}

impl Task {
    pub(super) fn status(&self) -> Status {
        self.state.borrow().status
    }

    pub(super) async fn reached(&self, status: Status) -> bool {
        self.state.subscribe().wait_for(|state| state.status >= status).await.is_ok()
    }

    pub(super) fn process(&self) -> Option<Running> {
        self.process.lock().clone()
    }

    /// Environment variables of `overrides.containerOverrides[]`.
    pub(super) fn overridden_environment(&self) -> BTreeMap<String, String> {
        let overrides = self.overrides["containerOverrides"].as_array().into_iter().flatten();
        let ours = overrides.filter(|container| container["name"] == self.definition.container.as_str());
        let pairs = ours.flat_map(|container| container["environment"].as_array().into_iter().flatten());
        let text = |value: &Value| value.as_str().map(str::to_owned);
        pairs.filter_map(|pair| Some((text(&pair["name"])?, text(&pair["value"])?))).collect()
    }

    /// Asks once; later reasons do not replace the first.
    pub(super) fn ask_to_stop(&self, reason: &str) {
        self.stop.send_if_modified(|stop| {
            let first = stop.is_none();
            stop.get_or_insert_with(|| reason.to_owned());
            first
        });
    }

    pub(super) fn definition_arn(&self) -> String {
        format!("arn:aws:ecs:{}:{ACCOUNT}:task-definition/{}:1", self.region, self.definition.family)
    }

    /// The task as DescribeTasks and events show it.
    pub(super) fn describe(&self, times: Times) -> Value {
        let state = self.state.borrow().clone();
        let at = |time: OffsetDateTime| match times {
            #[allow(clippy::cast_precision_loss, reason = "milliseconds since 1970 are exact in an f64")]
            Times::Epoch => json!((time.unix_timestamp_nanos() / 1_000_000) as f64 / 1000.0),
            Times::Text => json!(milliseconds(time).format(&Rfc3339).unwrap_or_default()),
        };
        let desired = if self.stop.borrow().is_some() { Status::Stopped } else { Status::Running };
        let mut task = Map::new();
        let mut set = |name: &str, value: Value| task.insert(name.to_owned(), value);
        set("taskArn", json!(self.arn));
        set("clusterArn", json!(self.cluster_arn));
        set("taskDefinitionArn", json!(self.definition_arn()));
        set("containers", json!([self.container(&state)]));
        set("overrides", self.overrides.clone());
        set("group", json!(self.group));
        set("launchType", json!("FARGATE"));
        set("connectivity", json!("CONNECTED"));
        set("lastStatus", json!(state.status.name()));
        set("desiredStatus", json!(if state.ending.is_some() { Status::Stopped } else { desired }.name()));
        set("version", json!(state.version));
        set("tags", self.tags.clone());
        set("createdAt", at(self.created));
        if let Some(started_by) = &self.started_by {
            set("startedBy", json!(started_by));
        }
        for (name, time) in
            [("startedAt", state.started), ("stoppingAt", state.stopping), ("stoppedAt", state.stopped)]
        {
            if let Some(time) = time {
                set(name, at(time));
            }
        }
        if let Some(ending) = &state.ending {
            set("stopCode", json!(ending.code));
            set("stoppedReason", json!(ending.reason));
        }
        if times == Times::Text {
            set("updatedAt", at(crate::clock::utc()));
        }
        Value::Object(task)
    }

    /// The EventBridge event for the present state.
    pub(super) fn event(&self) -> Value {
        let mut detail = self.describe(Times::Text);
        if let Some(detail) = detail.as_object_mut() {
            detail.remove("tags"); // events carry none
        }
        json!({
            "version": "0",
            "id": crate::random::uuid(),
            "detail-type": "ECS Task State Change",
            "source": "aws.ecs",
            "account": ACCOUNT,
            "time": crate::clock::rfc3339_now(),
            "region": self.region,
            "resources": [self.arn],
            "detail": detail,
        })
    }

    fn container(&self, state: &TaskState) -> Value {
        let name = &self.definition.container;
        let mut container = json!({
            "containerArn": format!("{}/{name}", self.arn.replace(":task/", ":container/")),
            "taskArn": self.arn,
            "name": name,
            "lastStatus": state.status.name(),
            "networkInterfaces": [],
        });
        if let Some(exit) = state.ending.as_ref().and_then(|ending| ending.exit) {
            container["exitCode"] = json!(exit);
        }
        container
    }
}

fn milliseconds(time: OffsetDateTime) -> OffsetDateTime {
    time.replace_millisecond(time.millisecond()).unwrap_or(time)
}
