//! The gateway's heartbeat: asks the control plane whether its sessions may go on. No answer means that they may.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use headwater_domain::hooks::{Gateway, GatewayBeat, MAX_SESSIONS_PER_BEAT, SessionOrder, Withdrawn};
use headwater_domain::ports::Hooks;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::registry::Registry;
use super::session::{Session, StopReason, Wish};
use super::withdrawals::Withdrawals;

/// A revoked key has to end its session within 5 s, hook time included.
const BEAT_EVERY: Duration = Duration::from_secs(2);
/// For one heartbeat; the next one asks the same.
const BEAT_TIMEOUT: Duration = Duration::from_secs(5);

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
/// Without sessions there is nothing to ask: what is held for them (protection, too) is let go of anyway, and a gateway
/// that idles for a month would call a function a million times.
pub async fn beat_until<H: Hooks>(
    name: Name,
    hooks: Arc<H>,
    asked: Asked,
    superseded: watch::Sender<bool>,
    stop: CancellationToken,
) {
    let mut ticks = interval(BEAT_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let (sessions, withdrawn) = (asked.registry.live(), asked.withdrawals.next());
        let mut batches: Vec<_> =
            sessions.chunks(MAX_SESSIONS_PER_BEAT).map(|batch| (batch, Vec::new())).collect();
        if !withdrawn.is_empty() {
            batches.push((&[], withdrawn));
        }
        let is_idle = batches.is_empty();
        let batches = batches.into_iter().map(|(batch, withdrawn)| {
            beat(&name, &*hooks, batch, withdrawn, &asked.withdrawals, &superseded)
        });
        let Some(answered) = stop.run_until_cancelled(join_all(batches)).await else { return };
        if is_idle || failing == answered.contains(&false) {
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

async fn beat<H: Hooks>(
    name: &Name,
    hooks: &H,
    sessions: &[Arc<Session>],
    withdrawn: Vec<Withdrawn>,
    withdrawals: &Withdrawals,
    superseded: &watch::Sender<bool>,
) -> bool {
    let names = sessions.iter().map(|session| session.names.clone()).collect();
    let Name { gateway, revision } = name;
    let (gateway, revision) = (gateway.clone(), revision.clone());
    let beat = GatewayBeat { gateway, sessions: names, revision, withdrawn };
    match timeout(BEAT_TIMEOUT, hooks.gateway_beat(&beat)).await {
        Ok(Ok(orders)) => {
            if let Some(now) = orders.superseded {
                // Taken back if the control plane does: a deployment may reach it after the gateway, or be undone.
                superseded.send_if_modified(|before| std::mem::replace(before, now) != now);
            }
            withdrawals.settle(&orders.withdrawn);
            for session in sessions {
                if let Some(SessionOrder::Stop { reason, retry }) = orders.sessions.get(session.id()) {
                    let (reason, retry) = (reason.clone(), *retry);
                    session.wish(Wish::Stop(StopReason::Ordered { reason, retry }));
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
