//! From environment variables to running commands.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use headwater_aws::clock::wall_clock;
use headwater_aws::hooks::HookClient;
use headwater_aws::media::Buckets;
use headwater_aws::peer::KnownPeer;
use headwater_aws::table::Table;
use headwater_aws::tasks::{ENV_BROADCAST, ENV_CLAIM, ENV_LEASE, ENV_STANDBY};
use headwater_aws::{deadlines, metrics, settings};
use headwater_domain::hooks::Secret;
use headwater_domain::tokens::SigningKey;
use headwater_transcoder::ecs::{self, Agent};
use headwater_transcoder::gateway::{self, Codecs, GatewayConfig, Limits, Protection, RtmpsConfig};
use headwater_transcoder::media;
use headwater_transcoder::task::{Ports, Task, new_fencing_token};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Logs to standard error: for people on a terminal, as JSON otherwise (`LOG_FORMAT=json`).
pub(crate) fn logging() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if settings::optional("LOG_FORMAT").as_deref() == Some("json") {
        builder.json().init();
    } else {
        builder.with_ansi(false).with_target(false).init();
    }
}

/// Cancelled by SIGTERM (ECS) or SIGINT (a terminal).
fn asked_to_leave() -> std::io::Result<CancellationToken> {
    let leave = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let asked = leave.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("SIGTERM: asked to leave");
        asked.cancel();
    });
    Ok(leave)
}

/// How long after SIGTERM ECS kills the process, if it has been told; if not, it leaves at once.
fn stop_timeout() -> anyhow::Result<Duration> {
    let seconds = settings::parsed_optional("STOP_TIMEOUT_SECONDS")?.unwrap_or(0);
    Ok(Duration::from_secs(seconds))
}

/// `transcoder run`.
pub(crate) async fn run() -> anyhow::Result<()> {
    media::check()?;
    let leave = asked_to_leave()?;
    let sdk = settings::sdk_config(deadlines::PATIENT).await;
    let peer = KnownPeer::from_env()?;
    let task = Task {
        broadcast: settings::parsed(ENV_BROADCAST)?,
        lease: settings::parsed(ENV_LEASE)?,
        claim: Secret::new(settings::required(ENV_CLAIM)?),
        fencing_token: new_fencing_token(),
        ports: Ports {
            hooks: Arc::new(HookClient::from_env(&sdk, peer.clone(), wall_clock)?),
            timeline: Arc::new(Table::new(&sdk, settings::required("TABLE_NAME")?)),
            media: Arc::new(Buckets::from_env(&sdk, peer)?),
        },
        metrics: metrics::from_env()?,
        clock: wall_clock,
        leave,
        leave_within: stop_timeout()?,
        is_standby: settings::parsed_optional(ENV_STANDBY)?.unwrap_or(false),
    };
    tracing::info!(broadcast = %task.broadcast, lease = %task.lease, "task starts");
    let exit = task.run().await?;
    tracing::info!(?exit, "task ends");
    Ok(())
}

/// `transcoder gateway`. It decodes nothing, but its image is that of the transcoders: a bad one must fail when it is
/// deployed, while the gateways before it still run, and not with the first stream.
pub(crate) async fn gateway() -> anyhow::Result<()> {
    media::check()?;
    let leave = asked_to_leave()?;
    let sdk = settings::sdk_config(deadlines::PATIENT).await;
    let rtmps = match settings::parsed_optional("RTMPS_LISTEN")? {
        None => None,
        Some(listen) => Some(RtmpsConfig {
            listen,
            certificate: settings::required("RTMPS_CERTIFICATE")?.into(),
            private_key: settings::required("RTMPS_PRIVATE_KEY")?.into(),
        }),
    };
    let source_listen = settings::parsed("SOURCE_LISTEN")?;
    let config = GatewayConfig {
        rtmp: settings::parsed("RTMP_LISTEN")?,
        rtmps,
        source_listen,
        source_url: source_url(source_listen).await?,
        region: settings::region()?,
        spool_dir: settings::required("SPOOL_DIR")?.into(),
        signing_key: SigningKey::new(Secret::new(settings::required("SIGNING_KEY")?)),
        codecs: Codecs::new(media::decodable()),
        limits: Limits::default(),
        revision: revision().await,
        protection: settings::optional("ECS_AGENT_URI").map(|uri| Protection::new(Agent::new(&uri))),
        metrics: metrics::from_env()?,
        clock: wall_clock,
    };
    tracing::info!(rtmp = %config.rtmp, source = %config.source_url, video = ?config.codecs.video(), "gateway starts");
    gateway::run(config, Arc::new(HookClient::from_env(&sdk, KnownPeer::from_env()?, wall_clock)?), leave)
        .await?;
    tracing::info!("gateway ends");
    Ok(())
}

/// What tells this gateway from those of another deployment: `GATEWAY_REVISION`, or else the task's definition. Without one it
/// is never superseded, and a deployment waits until its protection ends.
async fn revision() -> Option<String> {
    if let Some(revision) = settings::optional("GATEWAY_REVISION") {
        return Some(revision);
    }
    let told = ecs::task_definition(&settings::optional("ECS_CONTAINER_METADATA_URI_V4")?).await;
    told.inspect_err(|error| {
        tracing::warn!(error = error as &dyn std::error::Error, "the task's definition is not known")
    })
    .ok()
}

/// Where transcoders of the region reach the source link: `SOURCE_URL`, or else the address that ECS gave the task.
async fn source_url(listen: SocketAddr) -> anyhow::Result<String> {
    if let Some(url) = settings::optional("SOURCE_URL") {
        return Ok(url);
    }
    let metadata = settings::optional("ECS_CONTAINER_METADATA_URI_V4").context(
        "set SOURCE_URL to the address at which transcoders reach this gateway; only in an ECS task is it known without",
    )?;
    let address = ecs::private_address(&metadata)
        .await
        .context("cannot learn the task's address (or set SOURCE_URL)")?;
    Ok(format!("http://{}", SocketAddr::from((address, listen.port()))))
}
