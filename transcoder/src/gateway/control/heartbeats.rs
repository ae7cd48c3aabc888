//! The gateway's heartbeat: asks the control plane whether its sessions may go on. No answer means that they may.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use headwater_domain::hooks::{
    Gateway, GatewayHeartbeat, MAX_SESSIONS_PER_HEARTBEAT, SessionOrder, Withdrawn,
};
use headwater_domain::ports::{FaultKind, Hooks};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::withdrawals::Withdrawals;
use crate::gateway::registry::Registry;
use crate::gateway::session::{Session, SessionDirective, StopReason};

/// A revoked key has to end its session within 5 s, hook time included.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(2);
/// Without sessions, so rarely: who the peer is may have changed since ECS started the gateway. A first encoder that comes
/// while the own region is down is then asked for at the right place; 9,000 calls a month cost a cent.
const IDLE_HEARTBEAT_EVERY: Duration = Duration::from_secs(300);
/// For one heartbeat; the next one asks the same.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(5);

/// How the gateway names itself.
#[derive(Debug)]
pub struct Name {
    /// Who it is.
    pub gateway: Gateway,
    /// Which deployment it is of.
    pub revision: Option<String>,
}

/// What heartbeats ask of.
#[derive(Debug)]
pub struct Asked {
    /// The sessions there are.
    pub registry: Arc<Registry>,
    /// Those that must not be.
    pub withdrawals: Arc<Withdrawals>,
}

/// Gives signs of life until `stop`; whether the gateway has been replaced is noted in `superseded`.
///
/// Without sessions there is next to nothing to ask ([`IDLE_HEARTBEAT_EVERY`]): what is held for them (protection, too) is let go
/// of anyway, and a gateway that idles for a month would call a function a million times.
pub async fn heartbeat_until<H: Hooks>(
    name: Name,
    hooks: Arc<H>,
    asked: Asked,
    superseded: watch::Sender<bool>,
    stop: CancellationToken,
) {
    let mut ticks = interval(HEARTBEAT_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut failing, mut last) = (false, Instant::now());
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let (sessions, withdrawn) = (asked.registry.live(), asked.withdrawals.next());
        let mut batches: Vec<_> =
            sessions.chunks(MAX_SESSIONS_PER_HEARTBEAT).map(|batch| (batch, Vec::new())).collect();
        if !withdrawn.is_empty() {
            batches.push((&[], withdrawn));
        }
        if batches.is_empty() && last.elapsed() >= IDLE_HEARTBEAT_EVERY {
            batches.push((&[], Vec::new()));
        }
        if batches.is_empty() {
            continue;
        }
        last = Instant::now();
        let batches = batches.into_iter().map(|(batch, withdrawn)| {
            heartbeat(&name, &*hooks, batch, withdrawn, &asked.withdrawals, &superseded)
        });
        let Some(answered) = stop.run_until_cancelled(join_all(batches)).await else { return };
        let failure = answered.into_iter().find_map(Result::err);
        if failing == failure.is_some() {
            continue;
        }
        failing = !failing;
        match failure {
            Some(error) => tracing::warn!(error, "heartbeats fail; sessions go on"),
            None => tracing::info!("heartbeats are answered again"),
        }
    }
}

async fn heartbeat<H: Hooks>(
    name: &Name,
    hooks: &H,
    sessions: &[Arc<Session>],
    withdrawn: Vec<Withdrawn>,
    withdrawals: &Withdrawals,
    superseded: &watch::Sender<bool>,
) -> Result<(), String> {
    let names = sessions.iter().map(|session| session.names.clone()).collect();
    let Name { gateway, revision } = name;
    let (gateway, revision) = (gateway.clone(), revision.clone());
    let heartbeat = GatewayHeartbeat { gateway, sessions: names, revision, withdrawn };
    match timeout(HEARTBEAT_TIMEOUT, hooks.gateway_heartbeat(&heartbeat)).await {
        Ok(Ok(orders)) => {
            if let Some(now) = orders.superseded {
                // Taken back if the control plane does: a deployment may reach it after the gateway, or be undone.
                superseded.send_if_modified(|before| std::mem::replace(before, now) != now);
            }
            withdrawals.confirm(&orders.withdrawn);
            for session in sessions {
                if let Some(SessionOrder::Stop { reason, retry }) = orders.sessions.get(session.id()) {
                    let (reason, retry) = (reason.clone(), *retry);
                    session.direct(SessionDirective::Stop(StopReason::Ordered { reason, retry }));
                }
            }
            Ok(())
        }
        Ok(Err(error)) => Err(error.told()),
        Err(_elapsed) => Err(format!("{} ({} s)", FaultKind::TimedOut, HEARTBEAT_TIMEOUT.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use headwater_domain::Timestamp;
    use headwater_domain::hooks::{
        GatewayOrders, PublishAnswer, PublishRequest, TranscoderHeartbeat, TranscoderOrder, UnpublishRequest,
    };
    use headwater_domain::ports::PortResult;

    use super::*;
    use crate::gateway::limits::Limits;

    /// Counts heartbeats; nothing else is asked here.
    #[derive(Debug, Default)]
    struct Counting(AtomicU64);

    impl Hooks for Counting {
        async fn publish(&self, _: &PublishRequest) -> PortResult<PublishAnswer> {
            unreachable!("nobody publishes")
        }

        async fn unpublish(&self, _: &UnpublishRequest) -> PortResult<()> {
            unreachable!("nobody published")
        }

        async fn gateway_heartbeat(&self, heartbeat: &GatewayHeartbeat) -> PortResult<GatewayOrders> {
            assert!(heartbeat.sessions.is_empty() && heartbeat.withdrawn.is_empty());
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(GatewayOrders::default())
        }

        async fn transcoder_heartbeat(&self, _: &TranscoderHeartbeat) -> PortResult<TranscoderOrder> {
            unreachable!("a gateway does not transcode")
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_gateway_without_sessions_asks_rarely_and_does_ask() {
        let hooks = Arc::new(Counting::default());
        let gateway =
            Gateway { region: "eu-west-1".parse().unwrap(), source: "http://192.0.2.3:8936".into() };
        let name = Name { gateway, revision: None };
        let registry = Arc::new(Registry::new(std::env::temp_dir(), Limits::default(), || Timestamp(0)));
        let asked = Asked { registry, withdrawals: Arc::default() };
        let stop = CancellationToken::new();
        let (superseded, _) = watch::channel(false);
        tokio::spawn(heartbeat_until(name, hooks.clone(), asked, superseded, stop.clone()));
        tokio::time::sleep(IDLE_HEARTBEAT_EVERY / 2).await;
        assert_eq!(hooks.0.load(Ordering::Relaxed), 0, "it was told when it started");
        tokio::time::sleep(Duration::from_secs(86_400)).await;
        let asked = hooks.0.load(Ordering::Relaxed);
        assert!((280..=289).contains(&asked), "{asked} in a day");
        stop.cancel();
    }
}
