//! Makes parts of a running stack fail, and puts them right. What is wrong is read from the parts themselves, so it is
//! true whoever did it.

use std::fmt;

use thiserror::Error;

use super::Stack;
use super::gateway::GatewayError;
use super::place::{Part, Place, RegionId};
use super::region::Region;
use crate::fault::Fault;
use crate::listen::{Faults, ListenError};
use crate::process::Signal;

/// The reason that RunTask gives while no task may start.
const NO_TASKS: &str = "RESOURCE:FARGATE";

/// What one region is reached at by the other.
const PEER_LINKS: [Part; 3] = [Part::PeerApi, Part::PeerS3, Part::PeerEcs];

/// A part cannot be made to fail, or cannot be put right.
#[derive(Debug, Error)]
pub enum PartError {
    /// This does not happen to such a part.
    #[error("{part} cannot be {fault}; it can be {possible}")]
    Impossible {
        /// The part.
        part: Part,
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
    /// Where.
    pub place: Place,
    /// What.
    pub fault: Fault,
}

impl fmt::Display for Active {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.place, self.fault)
    }
}

impl Stack {
    /// Makes one thing go wrong with one part. Returns when it does.
    pub async fn apply(&self, region: RegionId, part: Part, fault: Fault) -> Result<(), PartError> {
        if !part.takes(&fault) {
            let possible = match part {
                Part::Gateway => "stopped or frozen",
                Part::Replication => "stopped or slow",
                _ => "stopped, frozen or slow",
            };
            return Err(PartError::Impossible { part, fault, possible });
        }
        let here = &self.regions[region.index()];
        match (part, fault) {
            (Part::Replication, Fault::Slow(lag)) => {
                self.replication.directions()[region.index()].set_lag(lag);
            }
            (Part::Replication, _) => self.replication.directions()[region.index()].pause(),
            (Part::Gateway, Fault::Frozen) => _ = here.gateway.signal(Signal::STOP).await,
            (Part::Gateway, _) => here.gateway.stop().await,
            (Part::Transcoders, Fault::Slow(delay)) => here.ecs.set_start_delay(delay),
            (Part::Transcoders, Fault::Frozen) => here.ecs.signal_all(Signal::STOP).await,
            (Part::Transcoders, _) => {
                here.ecs.set_failure(Some(NO_TASKS));
                here.ecs.kill_all().await;
            }
            (Part::Functions, Fault::Stopped) => here.lambda.stop().await,
            _ => {
                if let Some(listener) = here.listener(part) {
                    listener.apply(fault).await;
                }
            }
        }
        Ok(())
    }

    /// Puts a part right again, whatever is wrong with it.
    pub async fn clear(&self, region: RegionId, part: Part) -> Result<(), PartError> {
        let here = &self.regions[region.index()];
        match part {
            Part::Replication => {
                let direction = &self.replication.directions()[region.index()];
                direction.set_lag(self.usual.replication_lag);
                direction.resume();
            }
            Part::Gateway => {
                here.gateway.signal(Signal::CONT).await;
                here.gateway.start().await?;
            }
            Part::Transcoders => {
                here.ecs.set_failure(None);
                here.ecs.set_start_delay(self.usual.task_start_delay);
                here.ecs.signal_all(Signal::CONT).await;
            }
            _ => here.listener(part).map_or(Ok(()), |listener| listener.clear())?,
        }
        Ok(())
    }

    /// Puts everything right again.
    pub async fn clear_all(&self) -> Result<(), PartError> {
        for Active { place, .. } in self.list().await {
            self.clear(place.region, place.part).await?;
        }
        Ok(())
    }

    /// All that is wrong now.
    pub async fn list(&self) -> Vec<Active> {
        let mut all = Vec::new();
        for region in RegionId::ALL {
            for part in Part::ALL {
                let faults = self.faults_of(region, part).await;
                all.extend(faults.into_iter().map(|fault| Active { place: Place { region, part }, fault }));
            }
        }
        all
    }

    async fn faults_of(&self, region: RegionId, part: Part) -> Vec<Fault> {
        let here = &self.regions[region.index()];
        let only = |stopped: bool, frozen: bool, slow: Option<Fault>| {
            let stopped = stopped.then_some(Fault::Stopped);
            [stopped, frozen.then_some(Fault::Frozen), slow].into_iter().flatten().collect()
        };
        match part {
            Part::Replication => {
                let direction = &self.replication.directions()[region.index()];
                let lag = direction.lag();
                let slow = (lag != self.usual.replication_lag).then_some(Fault::Slow(lag));
                only(direction.is_paused(), false, slow)
            }
            Part::Gateway => only(here.gateway.pid().await.is_none(), here.gateway.is_frozen().await, None),
            Part::Transcoders => {
                let delay = here.ecs.start_delay();
                let slow = (delay != self.usual.task_start_delay).then_some(Fault::Slow(delay));
                let frozen = here.ecs.running().iter().any(|task| task.frozen);
                only(here.ecs.failure().is_some(), frozen, slow)
            }
            _ => here.listener(part).map_or_else(Vec::new, |listener| listener.active()),
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
    pub async fn start_region(&self, region: RegionId) -> Result<(), PartError> {
        let here = &self.regions[region.index()];
        // What others need comes first.
        for part in [Part::Dynamodb, Part::S3, Part::SecretsManager, Part::Ecs, Part::Functions, Part::Api] {
            here.listener(part).map_or(Ok(()), |listener| listener.start())?;
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
    pub fn heal(&self) -> Result<(), PartError> {
        self.replication.resume();
        for link in self.regions.iter().flat_map(peer_links) {
            link.clear()?;
        }
        Ok(())
    }

    /// Wakes what is frozen; it could not even end.
    pub(super) async fn thaw(&self) {
        for Active { place, fault } in self.list().await {
            if fault == Fault::Frozen
                && let Err(error) = self.clear(place.region, place.part).await
            {
                tracing::warn!(%place, %error, "it stays frozen");
            }
        }
    }
}

fn peer_links(region: &Region) -> impl Iterator<Item = Faults> {
    PEER_LINKS.into_iter().filter_map(|part| region.listener(part))
}
