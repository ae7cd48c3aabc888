//! What nobody asks for and must happen: a stopped task is replaced, a broadcast without a writer ends.
//!
//! Two triggers from EventBridge: "ECS Task State Change" with `lastStatus: STOPPED`, and a schedule every minute.

use std::collections::BTreeSet;

use headwater_aws::tasks::{ENV_BROADCAST, ENV_LEASE};
use headwater_domain::live::Situation;
use headwater_domain::live::decide::Occasion;
use headwater_domain::metrics::{Metric, Metrics};
use headwater_domain::ports::{PortResult, ReadLive, StartTasks, WriteBroadcasts, WriteLive};
use headwater_domain::{BroadcastId, Lease, StreamId};
use serde::Deserialize;
use serde_json::Value;

use crate::commit::tend;
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
}

impl Report {
    /// Of a sweep.
    fn figures(&self) -> [Metric; 2] {
        let count = |name, value| Metric::count(name, u64::try_from(value).unwrap_or(u64::MAX));
        [count("ActiveStreams", self.seen), count("SweepFailures", self.failed)]
    }
}

impl<T: ReadLive + WriteLive + WriteBroadcasts, C: StartTasks> LifecycleFunction<T, C> {
    /// Handles one EventBridge event.
    pub async fn handle(&self, event: Value) -> PortResult<Report> {
        match event.get("detail-type").and_then(Value::as_str) {
            Some("ECS Task State Change") => self.task_stopped(&event).await,
            Some("Scheduled Event") => {
                let report = self.sweep().await;
                if let Some(metrics) = &self.metrics {
                    metrics.write(self.context.now(), &report.figures());
                }
                Ok(report)
            }
            other => {
                tracing::warn!(detail_type = ?other, "an event that is not for us");
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
        let occasion = Occasion::TaskStopped { lease: stopped.lease, reason: stopped.reason };
        let stream = stopped.broadcast.stream();
        let acted = tend(&self.table, &self.tasks, &stream, &self.context, occasion).await?;
        Ok(Report { seen: 1, acted: acted.into(), failed: 0 })
    }

    /// Looks at every stream that either region holds for active. One failing stream does not keep the others waiting.
    async fn sweep(&self) -> Report {
        let mut report = Report::default();
        let mut seen = BTreeSet::new();
        for region in self.context.regions() {
            let mut streams = match self.table.active(region).await {
                Ok(streams) => streams,
                Err(error) => {
                    tracing::error!(%region, error = &error as &dyn std::error::Error, "cannot list active streams");
                    report.failed += 1;
                    continue;
                }
            };
            streams.retain(|stream| seen.insert(stream.clone()));
            for stream in streams {
                match self.sweep_one(&stream).await {
                    Ok(acted) => report.acted += usize::from(acted),
                    Err(error) => {
                        tracing::error!(%stream, error = &error as &dyn std::error::Error, "cannot tend to a stream");
                        report.failed += 1;
                    }
                }
            }
        }
        report.seen = seen.len();
        tracing::info!(?report, "swept");
        report
    }

    async fn sweep_one(&self, stream: &StreamId) -> PortResult<bool> {
        let acted = tend(&self.table, &self.tasks, stream, &self.context, Occasion::Sweep).await?;
        let situation = self.table.situation(stream).await?;
        if let Some(end) = situation.end() {
            // Whoever declared it over may have died before it told the history.
            self.table.record_end(end, &self.context.region).await?;
        }
        if is_idle(&situation) {
            self.table.clear_active(stream, &self.context.region).await?;
            // A publish between the two: its mark is gone, its seat is there.
            if !is_idle(&self.table.situation(stream).await?) {
                self.table.mark_active(stream, &self.context.region).await?;
            }
        }
        Ok(acted)
    }
}

/// Whether nothing can come of the stream before its next publish.
fn is_idle(situation: &Situation) -> bool {
    situation.session().is_none() || situation.end().is_some()
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
