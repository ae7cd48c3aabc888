//! Wires the gateway and takes it down again in order.

use std::net::SocketAddr;
use std::sync::Arc;

use futures::future::join_all;
use headwater_domain::ports::Hooks;
use tokio::select;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::config::GatewayConfig;
use super::context::Context;
use super::control::auth_limiter::AuthLimiter;
use super::control::heartbeats::{Asked, Name, heartbeat_until};
use super::control::protection::protect_until;
use super::control::withdrawals::Withdrawals;
use super::error::GatewayError;
use super::ingest::listener::take_encoders;
use super::limits::CLOSE_TIMEOUT;
use super::log_throttle::LogThrottle;
use super::metrics::GatewayMetrics;
use super::net::accept::bind;
use super::net::connection_limiter::ConnectionLimiter;
use super::net::socket::Ticks;
use super::net::tls;
use super::registry::Registry;
use super::session::{SessionDirective, StopReason};
use super::source_link::SourceLink;
use super::source_link::serve::serve_until;
use super::spool::chunks::clear_leftovers;
use crate::metrics::write_until;

/// A gateway that runs.
#[derive(Debug)]
pub struct Gateway {
    rtmp: SocketAddr,
    rtmps: Option<SocketAddr>,
    source: SocketAddr,
    task: JoinHandle<Result<(), GatewayError>>,
}

impl Gateway {
    /// Starts one. It leaves when `shutdown` is cancelled; [`Gateway::join`] waits for that.
    pub async fn start<H: Hooks + 'static>(
        config: GatewayConfig,
        hooks: Arc<H>,
        shutdown: CancellationToken,
    ) -> Result<Self, GatewayError> {
        clear_leftovers(&config.spool_dir)
            .map_err(|source| GatewayError::SpoolFolder { path: config.spool_dir.clone(), source })?;
        let (rtmp_listener, rtmp) = bind(config.rtmp).await?;
        let (source_listener, source) = bind(config.source_listen).await?;
        let identity = config.identity();
        let limits = config.limits;
        let registry = Arc::new(Registry::new(config.spool_dir, limits.clone(), config.clock));
        let connection_limiter =
            ConnectionLimiter::new(limits.max_connections, limits.max_connections_per_ip);
        let log_throttle = Arc::new(LogThrottle::new(config.clock));
        let withdrawals = Arc::new(Withdrawals::default());
        let context = Arc::new(Context {
            hooks: hooks.clone(),
            identity: identity.clone(),
            registry: registry.clone(),
            connection_limiter: connection_limiter.clone(),
            auth_limiter: AuthLimiter::new(limits.max_questions, config.clock),
            log_throttle: log_throttle.clone(),
            connections: TaskTracker::new(),
            unpublish_tasks: TaskTracker::new(),
            withdrawals: withdrawals.clone(),
            leaving: shutdown.child_token(),
            codecs: config.codecs,
            limits,
            clock: config.clock,
        });

        let done = CancellationToken::new();
        let mut loops = JoinSet::new();
        let ticks = Ticks::begin();
        loops.spawn(take_encoders(rtmp_listener, None, ticks, context.clone()));
        let mut rtmps = None;
        if let Some(config) = &config.rtmps {
            let tls = tls::acceptor(config)?;
            let (listener, address) = bind(config.listen).await?;
            rtmps = Some(address);
            loops.spawn(take_encoders(listener, Some(tls), ticks, context.clone()));
        }
        let (key, clock) = (config.signing_key, config.clock);
        let link = SourceLink { registry: registry.clone(), connection_limiter, key, clock };
        loops.spawn(serve_until(source_listener, link.router(), clock, done.clone()));
        let (superseded_in, superseded) = watch::channel(false);
        let name = Name { gateway: identity, revision: config.revision };
        let asked = Asked { registry: registry.clone(), withdrawals };
        loops.spawn(heartbeat_until(name, hooks, asked, superseded_in, done.clone()));
        loops.spawn(protect_until(config.protection, registry.clone(), superseded, done.clone()));
        let mut metrics = GatewayMetrics::new(registry.clone(), log_throttle);
        loops.spawn(write_until(config.metrics, clock, move || metrics.take(), done.clone()));
        loops.spawn(registry.run_maintenance_until(done.clone()));

        tracing::info!(%rtmp, rtmps = ?rtmps, %source, "gateway listens");
        let task = tokio::spawn(supervise(context, loops, shutdown, done));
        Ok(Self { rtmp, rtmps, source, task })
    }

    /// Where encoders connect.
    pub fn rtmp_addr(&self) -> SocketAddr {
        self.rtmp
    }

    /// Where encoders connect with TLS.
    pub fn rtmps_addr(&self) -> Option<SocketAddr> {
        self.rtmps
    }

    /// Where transcoders connect.
    pub fn source_addr(&self) -> SocketAddr {
        self.source
    }

    /// Waits until it has left.
    pub async fn join(self) -> Result<(), GatewayError> {
        self.task.await.map_err(|source| GatewayError::Broken { task: "supervisor", source })?
    }
}

/// Runs a gateway until `shutdown` is cancelled and it has left.
pub async fn run<H: Hooks + 'static>(
    config: GatewayConfig,
    hooks: Arc<H>,
    shutdown: CancellationToken,
) -> Result<(), GatewayError> {
    Gateway::start(config, hooks, shutdown).await?.join().await
}

/// Waits for the end, which is ordered, or comes because a loop broke; then leaves.
async fn supervise<H: Hooks + 'static>(
    context: Arc<Context<H>>,
    mut loops: JoinSet<()>,
    shutdown: CancellationToken,
    done: CancellationToken,
) -> Result<(), GatewayError> {
    let mut outcome = Ok(());
    loop {
        select! {
            () = shutdown.cancelled() => break,
            ended = loops.join_next() => match ended {
                Some(Err(source)) => {
                    outcome = Err(GatewayError::Broken { task: "loop", source });
                    break;
                }
                Some(Ok(())) => {}
                None => break,
            }
        }
    }
    tracing::info!("gateway leaves");
    context.leaving.cancel();
    leave(&context).await;
    done.cancel();
    loops.join_all().await;
    context.registry.clear();
    outcome
}

/// Sends the encoders elsewhere, tells the control plane, and lets transcoders read what is left.
async fn leave<H: Hooks + 'static>(context: &Context<H>) {
    let limits = &context.limits;
    for session in context.registry.live() {
        session.direct(SessionDirective::Move);
    }
    context.connections.close();
    if timeout(limits.move_timeout, context.connections.wait()).await.is_err() {
        for session in context.registry.live() {
            session.direct(SessionDirective::Stop(StopReason::Leaving));
        }
        if timeout(CLOSE_TIMEOUT, context.connections.wait()).await.is_err() {
            tracing::warn!("encoders' connections do not end; cutting them off");
        }
    }
    context.unpublish_tasks.close();
    let told = timeout(CLOSE_TIMEOUT, context.unpublish_tasks.wait());
    let sessions = context.registry.all();
    let drained = sessions.iter().map(|session| session.drained(limits.commit_timeout));
    let read = timeout(limits.drain_timeout, join_all(drained));
    let (told, read) = tokio::join!(told, read);
    if told.is_err() {
        tracing::warn!("the control plane was not told of all ended sessions");
    }
    if read.is_err() {
        tracing::warn!("the gateway left with media that no transcoder fetched");
    }
}
