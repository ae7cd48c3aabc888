//! Keeps ECS from stopping a gateway that has publishers: neither a scale-in nor a deployment ends them.
//!
//! ECS would let a deployment wait for ever, and CloudFormation gives up after three hours; so a gateway that a
//! deployment has replaced gives its protection up. Once its successor is healthy it is deregistered from the load balancer,
//! keeps its connections for the deregistration delay, in which the balancer learns to send nobody here any more, and gets
//! SIGTERM. Only then encoders are asked to move (ADR 35): before, they would come back to it. Streams never wait for any of this.

use std::sync::Arc;
use std::time::Duration;

use tokio::select;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::ecs::{Agent, EcsError};
use crate::gateway::registry::Registry;

/// How a gateway holds its protection.
#[derive(Debug, Clone)]
pub struct Protection {
    /// Whom to ask for it.
    pub agent: Agent,
    /// Minutes after which ECS drops it by itself. A gateway that hangs holds a deployment up for no longer.
    pub expires_minutes: u32,
    /// Renewed so often: several times before it expires.
    pub renew_every: Duration,
    /// Held for so long after the last session: an encoder that was cut off finds its gateway again, and a transcoder
    /// reads what is left.
    pub release_after: Duration,
    /// A call that ECS refused is repeated after so long. ECS allows an account a few of these calls a second.
    pub retry_every: Duration,
    /// How often is looked whether there are sessions.
    pub look_every: Duration,
}

impl Protection {
    /// By `agent`, with the times for a deployment.
    pub fn new(agent: Agent) -> Self {
        Self {
            agent,
            expires_minutes: 30,
            renew_every: Duration::from_secs(600),
            release_after: Duration::from_secs(60),
            retry_every: Duration::from_secs(15),
            look_every: Duration::from_secs(1),
        }
    }
}

/// What ECS has been told.
#[derive(Debug)]
struct ProtectionState {
    protected: bool,
    /// When that has to be said (again); `None`: it holds until something changes.
    due: Option<Instant>,
    /// The last call was refused; the log says so once.
    failing: bool,
}

/// Protects while there are sessions, until `stop`. A gateway that stops is being stopped: nothing is left to protect.
pub async fn protect_until(
    protection: Option<Protection>,
    registry: Arc<Registry>,
    mut superseded: watch::Receiver<bool>,
    stop: CancellationToken,
) {
    let Some(protection) = protection else { return };
    let mut state = ProtectionState { protected: false, due: None, failing: false };
    let mut busy_until = None;
    let mut ticks = interval(protection.look_every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
            changed = superseded.changed() => if changed.is_err() { return },
        }
        let now = Instant::now();
        if !registry.live().is_empty() {
            busy_until = Some(now + protection.release_after);
        }
        let wanted = busy_until.is_some_and(|until| now < until) && !*superseded.borrow_and_update();
        if wanted != state.protected && !state.failing {
            state.due = Some(now);
        }
        if state.due.is_some_and(|due| due <= now) {
            let Some(()) = stop.run_until_cancelled(state.tell(&protection, wanted)).await else { return };
        }
    }
}

impl ProtectionState {
    async fn tell(&mut self, protection: &Protection, wanted: bool) {
        let agent = &protection.agent;
        let told =
            if wanted { agent.protect(protection.expires_minutes).await } else { agent.release().await };
        let now = Instant::now();
        match told {
            Ok(()) => {
                if self.protected != wanted || self.failing {
                    tracing::info!(protected = wanted, "task protection is set");
                }
                *self = Self {
                    protected: wanted,
                    due: wanted.then(|| now + protection.renew_every),
                    failing: false,
                };
            }
            Err(error) => self.failed(&error, now + protection.retry_every),
        }
    }

    fn failed(&mut self, error: &EcsError, again: Instant) {
        if !self.failing {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "task protection cannot be set; streams go on"
            );
        }
        (self.failing, self.due) = (true, Some(again));
    }
}
