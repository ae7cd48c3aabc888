//! Starting transcoder tasks: ECS RunTask in the lease's region.

use aws_config::SdkConfig;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::config::Region as EcsRegion;
use aws_sdk_ecs::error::SdkError;
use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, ContainerOverride, KeyValuePair, LaunchType, NetworkConfiguration,
    TaskOverride,
};
use headwater_domain::Region;
use headwater_domain::control::decide::StartTask;
use headwater_domain::ports::{FaultKind, PortError, PortResult, StartTasks, TaskStart};
use headwater_domain::tokens::SigningKey;

use crate::deadlines::RUN_TASK;
use crate::error::{described, kind_of, port};
use crate::settings::{self, SettingError};

/// Name of the container in the task definition.
pub const CONTAINER: &str = "transcoder";
/// Environment of a task: its stream, broadcast and lease. Nothing secret: ECS events show it.
pub const ENV_BROADCAST: &str = "HEADWATER_BROADCAST";
/// See [`ENV_BROADCAST`].
pub const ENV_LEASE: &str = "HEADWATER_LEASE";
/// The proof that the lease was granted. Who may read ECS events sees it; it is worth something only together with the
/// transcoders' role, and only to the first process that shows it (ADR 25).
pub const ENV_CLAIM: &str = "HEADWATER_LEASE_CLAIM";
/// `true` for a task that is a standby: it writes nothing until it is promoted. Not there otherwise.
pub const ENV_STANDBY: &str = "HEADWATER_STANDBY";

/// One region's cluster.
#[derive(Debug, Clone)]
struct ClusterSite {
    region: Region,
    client: Client,
    cluster: String,
    definition: String,
    subnets: Vec<String>,
    security_groups: Vec<String>,
}

/// The clusters that tasks can be started in: this region's, and the peer's for when its API is down.
#[derive(Debug, Clone)]
pub struct Clusters {
    sites: Vec<ClusterSite>,
    signing: SigningKey,
}

impl Clusters {
    /// From `ECS_CLUSTER`, `ECS_TASK_DEFINITION`, `ECS_SUBNETS`, `ECS_SECURITY_GROUPS` and the same with `PEER_`.
    /// Claims of the tasks' leases are made with `signing`.
    pub fn from_env(config: &SdkConfig, signing: SigningKey) -> Result<Self, SettingError> {
        let own = ClusterSite {
            region: settings::region()?,
            client: client(config, None, None),
            cluster: settings::required("ECS_CLUSTER")?,
            definition: settings::required("ECS_TASK_DEFINITION")?,
            subnets: list(settings::optional("ECS_SUBNETS")),
            security_groups: list(settings::optional("ECS_SECURITY_GROUPS")),
        };
        let mut sites = vec![own];
        if let (Some(region), Some(cluster)) =
            (settings::peer_region()?, settings::optional("PEER_ECS_CLUSTER"))
        {
            sites.push(ClusterSite {
                client: client(config, Some(&region), settings::optional("PEER_AWS_ENDPOINT_URL_ECS")),
                region,
                cluster,
                definition: settings::required("PEER_ECS_TASK_DEFINITION")?,
                subnets: list(settings::optional("PEER_ECS_SUBNETS")),
                security_groups: list(settings::optional("PEER_ECS_SECURITY_GROUPS")),
            });
        }
        Ok(Self { sites, signing })
    }
}

fn client(config: &SdkConfig, region: Option<&Region>, endpoint: Option<String>) -> Client {
    let mut builder = aws_sdk_ecs::config::Builder::from(config);
    builder = builder.retry_config(RUN_TASK.retries()).timeout_config(RUN_TASK.timeouts());
    if let Some(region) = region {
        builder = builder.region(EcsRegion::new(region.to_string()));
    }
    if let Some(endpoint) = endpoint {
        builder = builder.endpoint_url(endpoint);
    }
    Client::from_conf(builder.build())
}

fn list(value: Option<String>) -> Vec<String> {
    value
        .iter()
        .flat_map(|value| value.split(','))
        .map(|part| part.trim().to_owned())
        .filter(|part| !part.is_empty())
        .collect()
}

impl StartTasks for Clusters {
    async fn start(&self, task: &StartTask) -> PortResult<TaskStart> {
        const ACTION: &str = "start a transcoder task";
        let Some(site) = self.sites.iter().find(|site| site.region == task.lease.region) else {
            let source = format!("this deployment has no cluster in {}", task.lease.region).into();
            return Err(PortError { kind: FaultKind::Refused, action: ACTION, source });
        };
        let claim = self.signing.lease_claim(&task.stream, &task.broadcast, &task.lease);
        let variable = |name: &str, value: &dyn std::fmt::Display| {
            KeyValuePair::builder().name(name).value(value.to_string()).build()
        };
        let container = ContainerOverride::builder()
            .name(CONTAINER)
            .environment(variable(ENV_BROADCAST, &task.broadcast))
            .environment(variable(ENV_LEASE, &task.lease))
            .environment(variable(ENV_CLAIM, &claim.expose()));
        let container = match task.standby {
            true => container.environment(variable(ENV_STANDBY, &true)),
            false => container,
        };
        let network = AwsVpcConfiguration::builder()
            .set_subnets(Some(site.subnets.clone()))
            .set_security_groups(Some(site.security_groups.clone()))
            // Public subnets without NAT: the address is how the task reaches AWS.
            .assign_public_ip(AssignPublicIp::Enabled)
            .build()
            .map_err(|error| PortError { kind: FaultKind::Refused, action: ACTION, source: error.into() })?;
        let request = site
            .client
            .run_task()
            .cluster(&site.cluster)
            .task_definition(&site.definition)
            .launch_type(LaunchType::Fargate)
            .count(1)
            // Repeating the call for one lease is one task. Broadcast and lease are 26 + at most 44 characters.
            .client_token(client_token(task))
            .started_by(format!("headwater/{}", task.lease.number.0))
            .network_configuration(NetworkConfiguration::builder().awsvpc_configuration(network).build())
            .overrides(TaskOverride::builder().container_overrides(container.build()).build());
        match request.send().await {
            Ok(answer) => match answer.failures().first() {
                Some(failure) => Ok(TaskStart::Failed(failure.reason().unwrap_or("unknown").to_owned())),
                None => Ok(TaskStart::Started),
            },
            Err(error) if kind_of(&error) == FaultKind::Throttled => {
                Ok(TaskStart::Throttled(described(&error)))
            }
            Err(SdkError::TimeoutError(_)) => Ok(TaskStart::Unanswered),
            // Started by the other region, in other words: the token is the same for one lease alone.
            Err(SdkError::ServiceError(context)) if context.err().is_conflict_exception() => {
                Ok(TaskStart::Started)
            }
            // Refused for a reason that stays (quota, definition gone): an outcome that callers count.
            Err(SdkError::ServiceError(context)) if context.raw().status().as_u16() < 500 => {
                let message = context.err().meta().message().unwrap_or("refused by ECS").to_owned();
                Ok(TaskStart::Failed(message))
            }
            Err(error) => Err(port(ACTION)(error)),
        }
    }
}

/// At most 64 characters, the same for every try with one lease: the broadcast's own part, the lease's nonce and number.
fn client_token(task: &StartTask) -> String {
    let token = format!("{}.{}.{}", task.broadcast, task.lease.number.0, task.lease.nonce);
    debug_assert!(token.len() <= 64, "26 + 1 + 10 + 1 + 8");
    token
}
