//! The heartbeat loop: tells the health, brings the orders.

use std::sync::Arc;
use std::time::Duration;

use headwater_domain::beat::{Activity, BEAT_EVERY};
use headwater_domain::hooks::{Secret, TranscoderBeat, TranscoderOrder};
use headwater_domain::ports::Hooks;
use headwater_domain::{BroadcastId, Lease};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::vitals::Vitals;

/// While there is no media to work on, orders are asked for so often: a returning publisher should not wait.
const WAITING_BEAT: Duration = Duration::from_millis(500);
/// Without any answer for so long the task gives up: nobody can stop it any more, and it costs money.
const ABANDONED_AFTER: Duration = Duration::from_secs(300);

/// A task that leaves waits so long for an answer: to the beat under way, and to its goodbye.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// A process's own secret: claims the lease with the first heartbeat.
pub fn new_boot() -> Secret {
    Secret::new(format!("{:032x}", rand::random::<u128>()))
}

/// What the heartbeat loop needs to know.
pub(super) struct Beats<H> {
    pub(super) hooks: Arc<H>,
    pub(super) broadcast: BroadcastId,
    pub(super) lease: Lease,
    pub(super) claim: Secret,
    pub(super) boot: Secret,
    pub(super) vitals: Vitals,
}

impl<H: Hooks> Beats<H> {
    /// Beats until `done`; the newest order is in `orders`.
    pub(super) async fn run(self, orders: watch::Sender<Option<TranscoderOrder>>, done: CancellationToken) {
        let mut answered = Instant::now();
        loop {
            let beat = self.beat();
            let every = if beat.health.activity == Activity::Transcoding { BEAT_EVERY } else { WAITING_BEAT };
            // A beat under way is answered before the goodbye, or it could be taken for the newer one.
            let left = async {
                done.cancelled().await;
                tokio::time::sleep(ANSWER_WITHIN).await;
            };
            let answer = tokio::select! {
                answer = self.hooks.transcoder_beat(&beat) => answer,
                () = left => break,
            };
            match answer {
                Ok(order) => {
                    answered = Instant::now();
                    orders.send_if_modified(|current| {
                        let changed = current.as_ref() != Some(&order);
                        *current = Some(order);
                        changed
                    });
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "a heartbeat was not answered");
                    if answered.elapsed() > ABANDONED_AFTER {
                        let reason = "no heartbeat was answered for five minutes".into();
                        orders.send_replace(Some(TranscoderOrder::Stop { reason }));
                    }
                }
            }
            tokio::select! {
                () = done.cancelled() => break,
                () = self.vitals.rung() => {}
                () = tokio::time::sleep(every) => {}
            }
        }
        let last = self.beat();
        if last.health.activity == Activity::Leaving {
            // So that the next lease need not wait for our silence. The answer changes nothing.
            let _ = tokio::time::timeout(ANSWER_WITHIN, self.hooks.transcoder_beat(&last)).await;
        }
    }

    fn beat(&self) -> TranscoderBeat {
        TranscoderBeat {
            stream: self.broadcast.stream(),
            broadcast: self.broadcast.clone(),
            lease: self.lease.clone(),
            claim: self.claim.clone(),
            boot: self.boot.clone(),
            health: self.vitals.read(),
        }
    }
}
