//! One region: its stand-ins, its functions, its gateway, its tasks.

use std::net::SocketAddr;
use std::time::Duration;

use headwater_emulators::calls::CallLog;
use headwater_emulators::credentials::LocalCredentials;
use headwater_emulators::dynamodb::{DynamoDb, DynamoDbConfig};
use headwater_emulators::ecs::{Ecs, EcsConfig, TaskDefinition};
use headwater_emulators::http_api::{HttpApi, HttpApiConfig};
use headwater_emulators::lambda::{FunctionConfig, Lambda, LambdaConfig};
use headwater_emulators::listen::{Faults, ListenError, Server};
use headwater_emulators::process::Launch;
use headwater_emulators::s3::{S3, S3Config};
use headwater_emulators::secrets_manager::{SecretsManager, SecretsManagerConfig};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::binaries::{Binaries, FUNCTIONS};
use super::endpoints::RegionEndpoints;
use super::environment::Environment;
use super::gateway::Gateway;
use super::layout::PeerPorts;
use super::secrets;
use super::setup::{Setup, bucket};
use super::table;
use super::target::Component;
use super::{LOW_LATENCY, REGIONS, cors, events, routes};

/// Task events that may wait for the lifecycle function.
const EVENTS: usize = 64;

/// A running region.
#[derive(Debug)]
pub struct Region {
    name: &'static str,
    /// Its table.
    pub dynamodb: DynamoDb,
    /// Its bucket.
    pub s3: S3,
    /// Its tasks.
    pub ecs: Ecs,
    /// Its secrets.
    pub secrets_manager: SecretsManager,
    /// Its functions.
    pub lambda: Lambda,
    functions: Vec<FunctionConfig>,
    /// Its HTTP API.
    pub api: HttpApi,
    /// Who called what of it.
    pub calls: CallLog,
    /// Its gateway.
    pub gateway: Gateway,
    links: Links,
    events: parking_lot::Mutex<Option<mpsc::Receiver<Value>>>,
    done: CancellationToken,
    background: TaskTracker,
}

/// How others than its own programs reach a region's services: each way can be cut alone.
#[derive(Debug)]
struct Links {
    edge_api: Server,
    edge_s3: Server,
    peer_api: Server,
    peer_s3: Server,
    peer_ecs: Server,
}

impl Links {
    fn open(name: &str, ports: PeerPorts, api: &HttpApi, s3: &S3, ecs: &Ecs) -> Result<Self, ListenError> {
        Ok(Self {
            edge_api: api.secondary(&format!("http api {name} for the edge"), 0)?,
            edge_s3: s3.secondary(&format!("s3 {name} for the edge"), 0)?,
            peer_api: api.secondary(&format!("http api {name} for its peer"), ports.api)?,
            peer_s3: s3.secondary(&format!("s3 {name} for its peer"), ports.s3)?,
            peer_ecs: ecs.secondary(&format!("ecs {name} for its peer"), ports.ecs)?,
        })
    }
}

impl Region {
    #[expect(clippy::too_many_lines, reason = "what starts after what, in one place")]
    pub(super) async fn start(setup: Setup<'_>) -> anyhow::Result<Self> {
        let name = REGIONS[setup.index];
        let (own, peer) = (setup.plans.regions[setup.index], setup.plans.regions[1 - setup.index]);
        let environment = Environment { name, peer_name: REGIONS[1 - setup.index], own, peer, setup: &setup };
        let folder = setup.data.join(name);
        let logs = setup.data.join("logs").join(name);
        let calls = CallLog::open(&logs.join("calls.jsonl"))?;
        let dynamodb = DynamoDb::start(DynamoDbConfig {
            region: name.into(),
            port: own.dynamodb,
            folder: folder.join("dynamodb"),
            calls: calls.clone(),
        });
        let s3 = S3::start(S3Config {
            region: name.into(),
            port: own.s3,
            folder: folder.join("s3"),
            credentials: setup.credentials.clone(),
            oac_secret: setup.secrets.oac_secret.clone(),
            calls: calls.clone(),
        });
        let (dynamodb, s3) = (dynamodb.await?, s3.await?);
        s3.create_bucket(&bucket(name))?;
        s3.set_cors(&bucket(name), vec![cors::of_media()]);
        let secrets_manager = SecretsManager::start(SecretsManagerConfig {
            region: name.into(),
            port: own.secrets,
            calls: calls.clone(),
        })?;
        let arns = setup.secrets.arns(&secrets_manager);
        let (events_in, events) = mpsc::channel(EVENTS);
        let transcoder = TaskDefinition {
            family: "transcoder".into(),
            container: headwater_aws::tasks::CONTAINER.into(),
            program: setup.config.binaries.transcoder(),
            args: vec!["run".into()],
            env: environment.task(),
            stop_timeout: Duration::from_secs(30),
        };
        let ecs = EcsConfig {
            region: name.into(),
            port: own.ecs,
            cluster: "headwater".into(),
            logs: logs.join("tasks"),
            definitions: vec![transcoder],
            calls: calls.clone(),
        };
        let ecs = Ecs::start(ecs, setup.spawner.clone(), events_in)?;
        ecs.set_start_delay(setup.config.task_start_delay);
        let lambda = LambdaConfig {
            region: name.into(),
            port: own.lambda,
            logs: logs.join("functions"),
            credentials: setup.credentials.clone(),
            account_concurrency: setup.config.lambda.account,
            idle_after: Duration::from_secs(300),
        };
        let lambda = Lambda::start(lambda, setup.spawner.clone())?;
        let functions = functions(&setup.config.binaries, &environment, &arns);
        functions.iter().for_each(|function| lambda.register(function.clone()));
        let api = HttpApiConfig {
            region: name.into(),
            port: own.api,
            api_id: format!("headwater{}", setup.index),
            routes: routes::routes(),
            cors: Some(cors::of_api()),
            credentials: setup.credentials.clone(),
            access_log: logs.join("api-access.log"),
            integration_timeout: Duration::from_secs(30),
            calls: calls.clone(),
        };
        let api = HttpApi::start(api, lambda.clone())?;
        let links = Links::open(name, own.for_peer, &api, &s3, &ecs)?;
        let gateway = Launch::new(setup.config.binaries.transcoder(), logs.join("gateway.log"))
            .args(["gateway"])
            .env(environment.gateway(&folder.join("spool")));
        let gateway = Gateway::new(own.rtmp, gateway, setup.spawner.clone());
        Ok(Self {
            name,
            dynamodb,
            s3,
            ecs,
            secrets_manager,
            lambda,
            functions,
            api,
            calls,
            gateway,
            links,
            events: parking_lot::Mutex::new(Some(events)),
            done: CancellationToken::new(),
            background: TaskTracker::new(),
        })
    }

    /// Its AWS name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its REST API.
    pub fn api_url(&self) -> String {
        format!("http://{}", self.api.addr())
    }

    /// What encoders connect to.
    pub fn rtmp_url(&self) -> String {
        self.gateway.rtmp_url()
    }

    /// Where it is, as `endpoints.json` tells it.
    pub(super) fn endpoints(&self) -> RegionEndpoints {
        RegionEndpoints {
            name: self.name.into(),
            api: self.api_url(),
            rtmp: self.rtmp_url(),
            dynamodb: format!("http://{}", self.dynamodb.addr()),
            s3: format!("http://{}", self.s3.addr()),
        }
    }

    pub(super) async fn create_table(&self, credentials: &LocalCredentials) -> anyhow::Result<()> {
        let endpoint = format!("http://{}", self.dynamodb.addr());
        let LocalCredentials { access_key_id, secret_access_key } = credentials.clone();
        let keys =
            aws_credential_types::Credentials::new(access_key_id, secret_access_key, None, None, "local");
        let config = headwater_aws::settings::fixed_config(self.name, &endpoint, keys);
        table::create(&aws_sdk_dynamodb::Client::new(&config)).await
    }

    /// The hand on the failures of a component that listens itself.
    pub(super) fn listener(&self, component: Component) -> Option<Faults> {
        Some(match component {
            Component::Api => self.api.faults(),
            Component::Functions => self.lambda.faults(),
            Component::Dynamodb => self.dynamodb.faults(),
            Component::S3 => self.s3.faults(),
            Component::SecretsManager => self.secrets_manager.faults(),
            Component::Ecs => self.ecs.faults(),
            Component::EdgeApi => self.links.edge_api.faults(),
            Component::EdgeS3 => self.links.edge_s3.faults(),
            Component::PeerApi => self.links.peer_api.faults(),
            Component::PeerS3 => self.links.peer_s3.faults(),
            Component::PeerEcs => self.links.peer_ecs.faults(),
            Component::Replication | Component::Gateway | Component::Transcoders => return None,
        })
    }

    /// Where the edge finds its API and its bucket.
    pub(super) fn origins(&self) -> (SocketAddr, SocketAddr) {
        (self.links.edge_api.addr(), self.links.edge_s3.addr())
    }

    /// How one of its functions is configured.
    pub fn function(&self, name: &str) -> Option<FunctionConfig> {
        self.functions.iter().find(|function| function.name == name).cloned()
    }

    /// Ends all warm functions, as a deploy does: the next invocation of each is a cold start.
    pub fn restart_functions(&self) {
        for function in &self.functions {
            self.lambda.register(function.clone());
        }
    }

    pub(super) fn start_events(&self, sweep_every: Duration) {
        let events = self.events.lock().take();
        if let Some(events) = events {
            self.background.spawn(events::deliver(events, self.lambda.clone(), self.done.clone()));
        }
        self.background.spawn(events::schedule(
            self.name.into(),
            sweep_every,
            self.lambda.clone(),
            self.done.clone(),
        ));
    }

    /// Encoders first, then the tasks that transcode them.
    pub(super) async fn stop_media(&self) {
        self.gateway.stop().await;
        self.ecs.stop_all("the stack is stopping").await;
    }

    pub(super) async fn stop_services(&self) {
        self.done.cancel();
        self.background.close();
        self.background.wait().await;
        self.api.stop().await;
        self.lambda.stop().await;
        self.ecs.stop().await;
        self.secrets_manager.stop().await;
        self.s3.stop().await;
        self.dynamodb.stop().await;
    }
}

fn functions(
    binaries: &Binaries,
    environment: &Environment<'_>,
    arns: &secrets::Arns,
) -> Vec<FunctionConfig> {
    let function = |name, program| FunctionConfig {
        env: environment.function(program, arns),
        reserved_concurrency: environment.setup.config.lambda.reserved(name),
        ..FunctionConfig::new(name, binaries.function(program))
    };
    let programs = FUNCTIONS.into_iter().map(|name| function(name, name));
    programs.chain([function(LOW_LATENCY, "playlist")]).collect()
}
