//! What a task's process is given, and how it fails.

use std::time::Duration;

use headwater_domain::hooks::Secret;
use headwater_domain::metrics::Metrics;
use headwater_domain::{BroadcastId, ClockReader, Lease};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::Ports;

/// Why a task failed.
#[derive(Debug, Error)]
pub enum TaskError {
    /// The timeline cannot be written.
    #[error("the timeline cannot be written")]
    Timeline,
    /// A part of the task has died.
    #[error("a part of the task has died")]
    Died(#[from] tokio::task::JoinError),
}

/// One task: a lease and what it stands on.
#[derive(Debug)]
pub struct Task<H, T, M> {
    /// The broadcast it extends.
    pub broadcast: BroadcastId,
    /// The right by which it does.
    pub lease: Lease,
    /// This process's secret.
    pub fencing_token: Secret,
    /// Proves that the lease was granted.
    pub claim: Secret,
    /// Hooks, timeline, buckets.
    pub ports: Ports<H, T, M>,
    /// Takes its metrics.
    pub metrics: Option<Metrics>,
    /// The wall clock.
    pub clock: ClockReader,
    /// Asked to leave (SIGTERM).
    pub leave: CancellationToken,
    /// How long after that the process is killed.
    pub leave_within: Duration,
    /// Whether it is a standby: it writes nothing until it is promoted.
    pub is_standby: bool,
}
