//! One region: its stand-ins, its functions, its gateway, its tasks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::binaries::{Binaries, FUNCTIONS};
use super::endpoints::RegionEndpoints;
use super::layout::{Plan, RegionPorts};
use super::secrets::{self, Secrets};
use super::table::{self, TABLE};
use super::{REGIONS, StackConfig, events, routes};
use crate::calls::CallLog;
use crate::credentials::LocalCredentials;
use crate::dynamodb::{DynamoDb, DynamoDbConfig};
use crate::ecs::{Ecs, EcsConfig, TaskDefinition};
use crate::http_api::{HttpApi, HttpApiConfig};
use crate::lambda::{FunctionConfig, Lambda, LambdaConfig};
use crate::process::{Launch, Running, Spawner};
use crate::s3::{S3, S3Config};
use crate::secrets_manager::{SecretsManager, SecretsManagerConfig};

/// Task events that may wait for the lifecycle function.
const EVENTS: usize = 64;
/// A gateway that is asked to leave may take so long: encoders are told, media is read to its end.
const GATEWAY_GRACE: Duration = Duration::from_secs(5);

/// What a region is started with.
pub(super) struct Setup<'a> {
    pub(super) index: usize,
    pub(super) plans: &'a Plan,
    pub(super) config: &'a StackConfig,
    pub(super) data: &'a Path,
    pub(super) secrets: &'a Secrets,
    pub(super) credentials: &'a LocalCredentials,
    pub(super) spawner: &'a Spawner,
}

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
    rtmp: u16,
    launch_gateway: Launch,
    gateway: tokio::sync::Mutex<Option<Running>>,
    spawner: Spawner,
    events: std::sync::Mutex<Option<mpsc::Receiver<Value>>>,
    done: CancellationToken,
    background: TaskTracker,
}

/// A region's media bucket.
pub(super) fn bucket(region: &str) -> String {
    format!("headwater-media-{region}")
}

impl Region {
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
            account_concurrency: setup.config.lambda_concurrency,
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
            credentials: setup.credentials.clone(),
            access_log: logs.join("api-access.log"),
            integration_timeout: Duration::from_secs(30),
            calls: calls.clone(),
        };
        let api = HttpApi::start(api, lambda.clone())?;
        let launch_gateway = Launch::new(setup.config.binaries.transcoder(), logs.join("gateway.log"))
            .args(["gateway"])
            .env(environment.gateway(&folder.join("spool")));
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
            rtmp: own.rtmp,
            launch_gateway,
            gateway: tokio::sync::Mutex::new(None),
            spawner: setup.spawner.clone(),
            events: std::sync::Mutex::new(Some(events)),
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
        format!("rtmp://127.0.0.1:{}/live", self.rtmp)
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

    /// Starts the gateway, unless it runs; returns when it takes connections.
    pub async fn start_gateway(&self) -> anyhow::Result<()> {
        let mut gateway = self.gateway.lock().await;
        if gateway.as_ref().is_some_and(|running| running.ended().is_none()) {
            return Ok(());
        }
        let running = self.spawner.spawn(self.launch_gateway.clone()).await?;
        let listens = async {
            while tokio::net::TcpStream::connect(("127.0.0.1", self.rtmp)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = listens => {}
            exit = running.wait() => anyhow::bail!("the gateway ended: {exit:?}; see {}", self.launch_gateway.log.display()),
            () = tokio::time::sleep(Duration::from_secs(30)) => anyhow::bail!("the gateway does not listen; see {}", self.launch_gateway.log.display()),
        }
        *gateway = Some(running);
        Ok(())
    }

    /// Asks the gateway to leave (as a deploy does) and waits for it.
    pub async fn stop_gateway(&self) {
        if let Some(running) = self.gateway.lock().await.take() {
            running.stop(GATEWAY_GRACE).await;
        }
    }

    /// Process id of the gateway, if it runs.
    pub async fn gateway_pid(&self) -> Option<u32> {
        self.gateway.lock().await.as_ref().map(Running::pid)
    }

    /// Ends all warm functions, as a deploy does: the next invocation of each is a cold start.
    pub fn restart_functions(&self) {
        for function in &self.functions {
            self.lambda.register(function.clone());
        }
    }

    /// Kills the gateway.
    pub async fn kill_gateway(&self) {
        if let Some(running) = self.gateway.lock().await.take() {
            running.kill().await;
        }
    }

    pub(super) fn start_events(&self, sweep_every: Duration) {
        let events = self.events.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
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
        self.stop_gateway().await;
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
    let function = |name| {
        let env = environment.function(name, arns);
        FunctionConfig { env, ..FunctionConfig::new(name, binaries.function(name)) }
    };
    FUNCTIONS.into_iter().map(function).collect()
}

/// Environment variables, as template.yaml sets them; endpoints are what is local about it.
struct Environment<'a> {
    name: &'static str,
    peer_name: &'static str,
    own: RegionPorts,
    peer: RegionPorts,
    setup: &'a Setup<'a>,
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

impl Environment<'_> {
    /// `app`: how the program names itself to AWS. The region is in it because the stand-ins have one account and key
    /// for both, where AWS shows the role.
    fn common(&self, app: &str) -> BTreeMap<String, String> {
        let mut env = BTreeMap::from([
            ("TABLE_NAME".to_owned(), TABLE.to_owned()),
            ("PEER_REGION".into(), self.peer_name.into()),
            ("AWS_SDK_UA_APP_ID".into(), format!("{app}.{}", self.name)),
            ("AWS_ENDPOINT_URL_DYNAMODB".into(), url(self.own.dynamodb)),
            ("RUST_LOG".into(), "info".into()),
        ]);
        // No instance metadata here; asking for it would cost a second at every start.
        env.insert("AWS_EC2_METADATA_DISABLED".into(), "true".into());
        env
    }

    fn function(&self, name: &str, arns: &secrets::Arns) -> BTreeMap<String, String> {
        let rtmp = |port| format!("rtmp://127.0.0.1:{port}/live");
        let mut env = self.common(name);
        env.extend(
            [
                ("ADMIN_TOKEN_ARN", arns.admin_token.clone()),
                ("KEY_PEPPER_ARN", arns.key_pepper.clone()),
                ("SIGNING_KEY_ARN", arns.signing_key.clone()),
                ("ORIGIN_SECRET_ARN", arns.origin_secret.clone()),
                ("INGEST_RTMP", format!("{},{}", rtmp(self.own.rtmp), rtmp(self.peer.rtmp))),
                ("INGEST_RTMPS", String::new()),
                ("MEDIA_BUCKET", bucket(self.name)),
                ("AWS_ENDPOINT_URL_S3", url(self.own.s3)),
                ("EDGE_URL", url(self.setup.plans.edge)),
                ("ECS_CLUSTER", "headwater".into()),
                ("ECS_TASK_DEFINITION", "transcoder".into()),
                ("ECS_SUBNETS", "subnet-local".into()),
                ("ECS_SECURITY_GROUPS", "sg-local".into()),
                ("PEER_ECS_CLUSTER", "headwater".into()),
                ("PEER_ECS_TASK_DEFINITION", "transcoder".into()),
                ("PEER_ECS_SUBNETS", "subnet-local".into()),
                ("PEER_ECS_SECURITY_GROUPS", "sg-local".into()),
                ("AWS_ENDPOINT_URL_SECRETS_MANAGER", url(self.own.secrets)),
                ("AWS_ENDPOINT_URL_ECS", url(self.own.ecs)),
                ("PEER_AWS_ENDPOINT_URL_ECS", url(self.peer.ecs)),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        env
    }

    fn media(&self, app: &str) -> BTreeMap<String, String> {
        let mut env = self.common(app);
        env.extend(self.setup.credentials.environment(self.name));
        env.insert("API_URL".into(), url(self.own.api));
        env.insert("PEER_API_URL".into(), url(self.peer.api));
        env
    }

    fn task(&self) -> BTreeMap<String, String> {
        let mut env = self.media("transcoder");
        env.extend(
            [
                ("MEDIA_BUCKET", bucket(self.name)),
                ("PEER_MEDIA_BUCKET", bucket(self.peer_name)),
                ("AWS_ENDPOINT_URL_S3", url(self.own.s3)),
                ("PEER_AWS_ENDPOINT_URL_S3", url(self.peer.s3)),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        env
    }

    fn gateway(&self, spool: &Path) -> BTreeMap<String, String> {
        let mut env = self.media("gateway");
        env.extend(
            [
                ("RTMP_LISTEN", format!("127.0.0.1:{}", self.own.rtmp)),
                ("SOURCE_LISTEN", format!("127.0.0.1:{}", self.own.source)),
                ("SOURCE_URL", url(self.own.source)),
                ("SPOOL_DIR", PathBuf::from(spool).display().to_string()),
                ("SIGNING_KEY", self.setup.secrets.signing_key.clone()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        env
    }
}
