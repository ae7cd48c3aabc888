//! What nobody asks for and must happen: a stopped task is replaced, a broadcast without a writer ends.
//!
//! Two triggers from EventBridge: "ECS Task State Change" with `lastStatus: STOPPED`, and a schedule every minute.

mod sweep;

use headwater_aws::tasks::{ENV_BROADCAST, ENV_LEASE};
use headwater_domain::control::decide::Trigger;
use headwater_domain::metrics::{Metric, Metrics};
use headwater_domain::ports::{PortResult, ReadControl, StartTasks, WriteBroadcasts, WriteControl};
use headwater_domain::{BroadcastId, Lease};
use serde::Deserialize;
use serde_json::Value;

pub use self::sweep::Sleep;
use crate::commit::reconcile;
use crate::context::Context;

/// The lifecycle function.
#[derive(Debug, Clone)]
pub struct LifecycleFunction<T, C> {
    /// Where it runs.
    pub context: Context,
    /// The table.
    pub table: T,
    /// Starts tasks.
    pub tasks: C,
    /// Takes the figures of each sweep.
    pub metrics: Option<Metrics>,
    /// Waits for a start's turn.
    pub sleep: Sleep,
}

/// What one invocation did, for its log and for who invokes it by hand.
#[derive(Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// Streams looked at.
    pub seen: usize,
    /// Streams something was done for.
    pub acted: usize,
    /// Streams that failed and will be looked at again.
    pub failed: usize,
    /// Streams that there was no time for, or no task yet: they are the next sweep's.
    pub left: usize,
}

impl Report {
    /// Of a sweep.
    fn metrics(&self) -> [Metric; 3] {
        let count = |name, value| Metric::count(name, u64::try_from(value).unwrap_or(u64::MAX));
        let active = count("ActiveStreams", self.seen + self.left);
        [active, count("SweepFailures", self.failed), count("SweepLeft", self.left)]
    }
}

impl<T: ReadControl + WriteControl + WriteBroadcasts, C: StartTasks> LifecycleFunction<T, C> {
    /// Handles one EventBridge event.
    pub async fn handle(&self, event: Value) -> PortResult<Report> {
        match event.get("detail-type").and_then(Value::as_str) {
            Some("ECS Task State Change") => self.task_stopped(&event).await,
            Some("Scheduled Event") => {
                let report = self.sweep().await;
                if let Some(metrics) = &self.metrics {
                    metrics.write(self.context.now(), &report.metrics());
                }
                Ok(report)
            }
            other => {
                tracing::warn!(detail_type = ?other, "an event of an unknown type was ignored");
                Ok(Report::default())
            }
        }
    }

    async fn task_stopped(&self, event: &Value) -> PortResult<Report> {
        let Some(stopped) = StoppedTask::parse(event) else {
            tracing::warn!("a task has stopped that is not one of our transcoders");
            return Ok(Report::default());
        };
        tracing::info!(broadcast = %stopped.broadcast, lease = %stopped.lease, reason = stopped.reason, "a task has stopped");
        let trigger = Trigger::TaskStopped { lease: stopped.lease, reason: stopped.reason };
        let stream = stopped.broadcast.stream();
        let acted = reconcile(&self.table, &self.tasks, &stream, &self.context, trigger).await?;
        Ok(Report { seen: 1, acted: acted.into(), ..Report::default() })
    }
}

/// What we need of an ECS event.
#[derive(Debug, PartialEq, Eq)]
struct StoppedTask {
    broadcast: BroadcastId,
    lease: Lease,
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    last_status: String,
    #[serde(default)]
    stopped_reason: String,
    #[serde(default)]
    containers: Vec<Container>,
    overrides: Overrides,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    exit_code: Option<i64>,
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Overrides {
    #[serde(default)]
    container_overrides: Vec<ContainerOverride>,
}

#[derive(Deserialize)]
struct ContainerOverride {
    #[serde(default)]
    environment: Vec<Variable>,
}

#[derive(Deserialize)]
struct Variable {
    name: String,
    #[serde(default)]
    value: String,
}

impl StoppedTask {
    fn parse(event: &Value) -> Option<Self> {
        let detail = Detail::deserialize(event.get("detail")?).ok()?;
        if detail.last_status != "STOPPED" {
            return None;
        }
        let variables: Vec<_> =
            detail.overrides.container_overrides.iter().flat_map(|over| &over.environment).collect();
        let variable =
            |name: &str| variables.iter().find(|variable| variable.name == name).map(|v| v.value.as_str());
        let mut reason = detail.stopped_reason;
        for container in &detail.containers {
            if let Some(code) = container.exit_code {
                reason.push_str(&format!(" (exit code {code})"));
            }
            if let Some(why) = &container.reason {
                reason.push_str(&format!(" ({why})"));
            }
        }
        Some(Self {
            broadcast: variable(ENV_BROADCAST)?.parse().ok()?,
            lease: variable(ENV_LEASE)?.parse().ok()?,
            reason,
        })
    }
}
