//! The gateway's heartbeat: asks the control plane whether its sessions may go on. No answer means that they may.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use headwater_domain::hooks::{Gateway, GatewayBeat, MAX_SESSIONS_PER_BEAT, SessionOrder};
use headwater_domain::ports::Hooks;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::registry::Registry;
use super::session::{Session, StopReason, Wish};

/// A revoked key has to end its session within 5 s, hook time included.
const BEAT_EVERY: Duration = Duration::from_secs(2);
/// For one heartbeat; the next one asks the same.
const BEAT_TIMEOUT: Duration = Duration::from_secs(5);

/// Gives signs of life until `stop`.
pub async fn beat_until<H: Hooks>(
    gateway: Gateway,
    hooks: Arc<H>,
    registry: Arc<Registry>,
    stop: CancellationToken,
) {
    let mut ticks = interval(BEAT_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let sessions = registry.live();
        let batches = sessions.chunks(MAX_SESSIONS_PER_BEAT).map(|batch| beat(&gateway, &*hooks, batch));
        let Some(answered) = stop.run_until_cancelled(join_all(batches)).await else { return };
        if sessions.is_empty() || failing == answered.contains(&false) {
            continue;
        }
        failing = !failing;
        if failing {
            tracing::warn!("heartbeats are not answered; sessions go on");
        } else {
            tracing::info!("heartbeats are answered again");
        }
    }
}

async fn beat<H: Hooks>(gateway: &Gateway, hooks: &H, sessions: &[Arc<Session>]) -> bool {
    let names = sessions.iter().map(|session| session.names.clone()).collect();
    let beat = GatewayBeat { gateway: gateway.clone(), sessions: names };
    match timeout(BEAT_TIMEOUT, hooks.gateway_beat(&beat)).await {
        Ok(Ok(orders)) => {
            for session in sessions {
                if let Some(SessionOrder::Stop { reason }) = orders.sessions.get(session.id()) {
                    session.wish(Wish::Stop(StopReason::Ordered(reason.clone())));
                }
            }
            true
        }
        Ok(Err(error)) => {
            tracing::debug!(kind = ?error.kind, source = %error.source, "heartbeat failed");
            false
        }
        Err(_) => false,
    }
}
