//! The wiring: which stand-ins and which real binaries make Headwater on one machine, both regions.
//!
//! What template.yaml is for AWS, this is for the local stack: names, environment variables, routes, origins. Every
//! component of either region can be stopped and started while the rest runs; data stays under one folder.

mod binaries;
pub mod control;
mod cors;
pub mod demo;
mod distribution;
mod endpoints;
mod environment;
mod events;
mod faults;
mod gateway;
mod layout;
mod region;
mod rotation;
mod routes;
mod secrets;
mod setup;
mod table;
mod target;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
pub use binaries::Binaries;
pub use endpoints::{Demo, Endpoints, RegionEndpoints};
pub use faults::{Active, ComponentError};
pub use gateway::{Gateway, GatewayError};
use headwater_emulators::credentials::LocalCredentials;
use headwater_emulators::dynamodb::Replication;
use headwater_emulators::edge::{Edge, EdgeConfig};
use headwater_emulators::ports::Claim;
use headwater_emulators::process::Spawner;
pub use layout::Ports;
pub use region::Region;
pub use routes::routes;
pub use secrets::Secrets;
pub use target::{Component, FaultTarget, RegionId, TargetSyntax};

/// The function that playlists and components of low latency are waited for in: the program `playlist` once more, so that whoever
/// waits takes no place from who does not.
pub(crate) const LOW_LATENCY: &str = "low-latency";

/// Region A and region B.
pub const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];

/// How a region's Lambda concurrency is shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concurrency {
    /// The account's, in all.
    pub account: usize,
    /// Kept for the hooks, so that no viewer keeps an encoder waiting.
    pub hooks: usize,
    /// What playlists get that nobody waits in, and no more.
    pub playlists: usize,
    /// What playlists and components of low latency get, which are waited for, and no more.
    pub low_latency: usize,
}

impl Concurrency {
    /// What `make deploy` does with an account's usual quota (scripts/deployment/deploy.py).
    pub const DEPLOYED: Self = Self { account: 1_000, hooks: 100, playlists: 200, low_latency: 400 };

    fn reserved(self, function: &str) -> Option<usize> {
        match function {
            "hooks" => Some(self.hooks),
            "playlist" => Some(self.playlists),
            LOW_LATENCY => Some(self.low_latency),
            _ => None,
        }
    }
}

/// How to start a stack.
#[derive(Debug, Clone)]
pub struct StackConfig {
    /// Everything persists here.
    pub data: PathBuf,
    /// Which ports.
    pub ports: Ports,
    /// The folder of our binaries.
    pub binaries: Binaries,
    /// The player page's files, if it was built.
    pub web: Option<PathBuf>,
    /// Delay of the replication between the two tables.
    pub replication_lag: Duration,
    /// Delay between RunTask and the task's process.
    pub task_start_delay: Duration,
    /// How often each region sweeps (a minute on AWS).
    pub sweep_every: Duration,
    /// Requests that may run at once in one region's functions.
    pub lambda: Concurrency,
    /// Cache nodes of the edge.
    pub edge_nodes: usize,
}

impl StackConfig {
    /// As a person runs it: default ports, no artificial delays.
    pub fn new(data: impl Into<PathBuf>, ports: Ports, binaries: Binaries) -> Self {
        Self {
            data: data.into(),
            ports,
            binaries,
            web: None,
            replication_lag: Duration::from_millis(200),
            task_start_delay: Duration::ZERO,
            sweep_every: Duration::from_secs(60),
            lambda: Concurrency::DEPLOYED,
            edge_nodes: 1,
        }
    }
}

/// A running stack. Dropping it ends every process.
#[derive(Debug)]
pub struct Stack {
    /// Both regions, A first.
    pub regions: [Region; 2],
    /// The edge.
    pub edge: Edge,
    /// Between the two tables.
    pub replication: Replication,
    /// The deployment's secrets.
    pub secrets: Secrets,
    data: PathBuf,
    usual: Usual,
    /// On all its ports, also those whose program does not run now.
    _claims: Vec<Claim>,
}

/// What is so unless something is wrong.
#[derive(Debug, Clone, Copy)]
struct Usual {
    replication_lag: Duration,
    task_start_delay: Duration,
}

impl Stack {
    /// Starts everything; returns when both regions answer.
    pub async fn start(config: StackConfig) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&config.data)
            .with_context(|| format!("cannot use the folder {}", config.data.display()))?;
        let data = config.data.canonicalize()?;
        let secrets = Secrets::load_or_make(&data.join("secrets.json"))?;
        let spawner = Spawner::new()?;
        let credentials = LocalCredentials::new("HEADWATERLOCAL", secrets.aws_secret_key.clone());
        let (plans, claims) = layout::plan(&config.ports)?;
        let mut regions = Vec::new();
        for (index, name) in REGIONS.into_iter().enumerate() {
            let setup = setup::Setup {
                index,
                plans: &plans,
                config: &config,
                data: &data,
                secrets: &secrets,
                credentials: &credentials,
                spawner: &spawner,
            };
            let started = Region::start(setup).await;
            regions.push(started.with_context(|| format!("cannot start region {name}"))?);
        }
        let regions: [Region; 2] =
            regions.try_into().map_err(|_| anyhow::anyhow!("there are two regions"))?;
        let replication =
            Replication::between(&regions[0].dynamodb, &regions[1].dynamodb, config.replication_lag);
        for region in &regions {
            region.create_table(&credentials).await?;
        }
        let mut nodes = vec![plans.edge];
        nodes.resize(config.edge_nodes, 0);
        let distribution = distribution::distribution(&regions, &secrets, config.web.clone());
        let edge =
            Edge::start(EdgeConfig { folder: data.join("edge"), nodes, distribution }, spawner.clone()).await;
        let edge = edge.context("cannot start the edge")?;
        for region in &regions {
            region.gateway.start().await?;
            region.start_events(config.sweep_every);
        }
        let StackConfig { replication_lag, task_start_delay, .. } = config;
        let usual = Usual { replication_lag, task_start_delay };
        Ok(Self { regions, edge, replication, secrets, data, usual, _claims: claims })
    }

    /// Ends everything in order: encoders are told, tasks finish their segment, then the rest.
    pub async fn stop(self) {
        self.thaw().await;
        let (a, b) = (&self.regions[0], &self.regions[1]);
        tokio::join!(a.stop_media(), b.stop_media());
        self.edge.stop().await;
        tokio::join!(a.stop_services(), b.stop_services());
    }

    /// The URL of the edge.
    pub fn edge_url(&self) -> String {
        format!("http://{}", self.edge.addr())
    }

    /// Where everything is, as `endpoints.json` tells it.
    pub fn endpoints(&self, demo: Option<Demo>) -> Endpoints {
        Endpoints {
            edge: self.edge_url(),
            token: self.secrets.admin_token.clone(),
            regions: self.regions.iter().map(Region::endpoints).collect(),
            demo,
        }
    }

    /// The data folder.
    pub fn data(&self) -> &std::path::Path {
        &self.data
    }
}
