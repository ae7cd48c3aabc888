//! Makes components of a running stack fail, and puts them right. What is wrong is read from the components themselves, so it is
//! true whoever did it.

use std::fmt;

use headwater_emulators::fault::Fault;
use headwater_emulators::listen::{Faults, ListenError};
use headwater_emulators::process::Signal;
use thiserror::Error;

use super::Stack;
use super::gateway::GatewayError;
use super::region::Region;
use super::target::{Component, FaultTarget, RegionId};

/// The reason that RunTask gives while no task may start.
const NO_TASKS: &str = "RESOURCE:FARGATE";

/// What one region is reached at by the other.
const PEER_LINKS: [Component; 3] = [Component::PeerApi, Component::PeerS3, Component::PeerEcs];

/// A component cannot be made to fail, or cannot be put right.
#[derive(Debug, Error)]
pub enum ComponentError {
    /// This does not happen to such a component.
    #[error("{component} cannot be {fault}; it can be {possible}")]
    Impossible {
        /// The component.
        component: Component,
        /// What was asked.
        fault: Fault,
        /// What can happen to it.
        possible: &'static str,
    },
    /// It does not listen again.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// It does not start again.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
}

/// Something that is wrong now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Active {
    /// The part that it is done to.
    pub target: FaultTarget,
    /// What is done to it.
    pub fault: Fault,
}

impl fmt::Display for Active {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.target, self.fault)
    }
}

impl Stack {
    /// Makes one thing go wrong with one component. Returns when it does.
    pub async fn apply(
        &self,
        region: RegionId,
        component: Component,
        fault: Fault,
    ) -> Result<(), ComponentError> {
        if !component.takes(&fault) {
            let possible = match component {
                Component::Gateway => "stopped or frozen",
                Component::Replication => "stopped or slow",
                _ => "stopped, frozen or slow",
            };
            return Err(ComponentError::Impossible { component, fault, possible });
        }
        let here = &self.regions[region.index()];
        match (component, fault) {
            (Component::Replication, Fault::Slow(lag)) => {
                self.replication.directions()[region.index()].set_lag(lag);
            }
            (Component::Replication, _) => self.replication.directions()[region.index()].pause(),
            (Component::Gateway, Fault::Frozen) => _ = here.gateway.signal(Signal::STOP).await,
            (Component::Gateway, _) => here.gateway.stop().await,
            (Component::Transcoders, Fault::Slow(delay)) => here.ecs.set_start_delay(delay),
            (Component::Transcoders, Fault::Frozen) => here.ecs.signal_all(Signal::STOP).await,
            (Component::Transcoders, _) => {
                here.ecs.set_failure(Some(NO_TASKS));
                here.ecs.kill_all().await;
            }
            (Component::Functions, Fault::Stopped) => here.lambda.stop().await,
            _ => {
                if let Some(listener) = here.listener(component) {
                    listener.apply(fault).await;
                }
            }
        }
        Ok(())
    }

    /// Puts a component right again, whatever is wrong with it.
    pub async fn clear(&self, region: RegionId, component: Component) -> Result<(), ComponentError> {
        let here = &self.regions[region.index()];
        match component {
            Component::Replication => {
                let direction = &self.replication.directions()[region.index()];
                direction.set_lag(self.usual.replication_lag);
                direction.resume();
            }
            Component::Gateway => {
                here.gateway.signal(Signal::CONT).await;
                here.gateway.start().await?;
            }
            Component::Transcoders => {
                here.ecs.set_failure(None);
                here.ecs.set_start_delay(self.usual.task_start_delay);
                here.ecs.signal_all(Signal::CONT).await;
            }
            _ => here.listener(component).map_or(Ok(()), |listener| listener.clear())?,
        }
        Ok(())
    }

    /// Puts everything right again.
    pub async fn clear_all(&self) -> Result<(), ComponentError> {
        for Active { target, .. } in self.list().await {
            self.clear(target.region, target.component).await?;
        }
        Ok(())
    }

    /// All that is wrong now.
    pub async fn list(&self) -> Vec<Active> {
        let mut all = Vec::new();
        for region in RegionId::ALL {
            for component in Component::ALL {
                let faults = self.faults_of(region, component).await;
                all.extend(
                    faults
                        .into_iter()
                        .map(|fault| Active { target: FaultTarget { region, component }, fault }),
                );
            }
        }
        all
    }

    async fn faults_of(&self, region: RegionId, component: Component) -> Vec<Fault> {
        let here = &self.regions[region.index()];
        let only = |stopped: bool, frozen: bool, slow: Option<Fault>| {
            let stopped = stopped.then_some(Fault::Stopped);
            [stopped, frozen.then_some(Fault::Frozen), slow].into_iter().flatten().collect()
        };
        match component {
            Component::Replication => {
                let direction = &self.replication.directions()[region.index()];
                let lag = direction.lag();
                let slow = (lag != self.usual.replication_lag).then_some(Fault::Slow(lag));
                only(direction.is_paused(), false, slow)
            }
            Component::Gateway => {
                only(here.gateway.pid().await.is_none(), here.gateway.is_frozen().await, None)
            }
            Component::Transcoders => {
                let delay = here.ecs.start_delay();
                let slow = (delay != self.usual.task_start_delay).then_some(Fault::Slow(delay));
                let frozen = here.ecs.running().iter().any(|task| task.frozen);
                only(here.ecs.failure().is_some(), frozen, slow)
            }
            _ => here.listener(component).map_or_else(Vec::new, |listener| listener.active()),
        }
    }

    /// A whole region is gone at once: nothing of it answers, its processes are killed.
    pub async fn stop_region(&self, region: RegionId) {
        let here = &self.regions[region.index()];
        // First what could act on the loss of the rest.
        here.lambda.stop().await;
        tokio::join!(here.ecs.stop(), here.api.stop());
        tokio::join!(
            here.gateway.kill(),
            here.ecs.kill_all(),
            here.s3.stop(),
            here.dynamodb.stop(),
            here.secrets_manager.stop(),
        );
    }

    /// It is back, with what it had stored; its tasks are not.
    pub async fn start_region(&self, region: RegionId) -> Result<(), ComponentError> {
        let here = &self.regions[region.index()];
        // What others need comes first.
        for component in [
            Component::Dynamodb,
            Component::S3,
            Component::SecretsManager,
            Component::Ecs,
            Component::Functions,
            Component::Api,
        ] {
            here.listener(component).map_or(Ok(()), |listener| listener.start())?;
        }
        Ok(here.gateway.start().await?)
    }

    /// Nothing crosses between the regions any more: what one asks of the other is never answered, writes wait.
    pub async fn partition(&self) {
        self.replication.pause();
        for link in self.regions.iter().flat_map(peer_links) {
            link.apply(Fault::Frozen).await;
        }
    }

    /// It does again.
    pub fn heal(&self) -> Result<(), ComponentError> {
        self.replication.resume();
        for link in self.regions.iter().flat_map(peer_links) {
            link.clear()?;
        }
        Ok(())
    }

    /// Wakes what is frozen; it could not even end.
    pub(super) async fn thaw(&self) {
        for Active { target, fault } in self.list().await {
            if fault == Fault::Frozen
                && let Err(error) = self.clear(target.region, target.component).await
            {
                tracing::warn!(%target, %error, "a component stays frozen");
            }
        }
    }
}

fn peer_links(region: &Region) -> impl Iterator<Item = Faults> {
    PEER_LINKS.into_iter().filter_map(|component| region.listener(component))
}
