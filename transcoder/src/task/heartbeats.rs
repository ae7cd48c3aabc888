//! The heartbeat loop: tells the health, brings the orders.

use std::sync::Arc;
use std::time::Duration;

use headwater_domain::heartbeat::{Activity, HEARTBEAT_EVERY};
use headwater_domain::hooks::{Secret, TranscoderHeartbeat, TranscoderOrder};
use headwater_domain::ports::Hooks;
use headwater_domain::{BroadcastId, Lease};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::health_reporter::HealthReporter;

/// While there is no media to work on, orders are asked for so often: a returning publisher should not wait.
const WAITING_HEARTBEAT: Duration = Duration::from_millis(500);
/// Without any answer for so long the task gives up: nobody can stop it any more, and it costs money.
const ABANDONED_AFTER: Duration = Duration::from_secs(300);

/// A task that leaves waits so long for an answer: to the heartbeat under way, and to its goodbye.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// A process's own secret: claims the lease with the first heartbeat.
pub fn new_fencing_token() -> Secret {
    Secret::new(format!("{:032x}", rand::random::<u128>()))
}

/// What the heartbeat loop needs to know.
pub(super) struct Heartbeats<H> {
    pub(super) hooks: Arc<H>,
    pub(super) broadcast: BroadcastId,
    pub(super) lease: Lease,
    pub(super) claim: Secret,
    pub(super) fencing_token: Secret,
    pub(super) health_reporter: HealthReporter,
}

impl<H: Hooks> Heartbeats<H> {
    /// Sends heartbeats until `done`; the newest order is in `orders`.
    pub(super) async fn run(self, orders: watch::Sender<Option<TranscoderOrder>>, done: CancellationToken) {
        let mut answered = Instant::now();
        loop {
            let heartbeat = self.heartbeat();
            let every = if heartbeat.health.activity == Activity::Transcoding {
                HEARTBEAT_EVERY
            } else {
                WAITING_HEARTBEAT
            };
            // A heartbeat under way is answered before the goodbye, or it could be taken for the newer one.
            let left = async {
                done.cancelled().await;
                tokio::time::sleep(ANSWER_WITHIN).await;
            };
            let answer = tokio::select! {
                answer = self.hooks.transcoder_heartbeat(&heartbeat) => answer,
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
                () = self.health_reporter.notified() => {}
                () = tokio::time::sleep(every) => {}
            }
        }
        let last = self.heartbeat();
        if last.health.activity == Activity::Leaving {
            // So that the next lease need not wait for our silence. The answer changes nothing.
            let _ = tokio::time::timeout(ANSWER_WITHIN, self.hooks.transcoder_heartbeat(&last)).await;
        }
    }

    fn heartbeat(&self) -> TranscoderHeartbeat {
        TranscoderHeartbeat {
            stream: self.broadcast.stream(),
            broadcast: self.broadcast.clone(),
            lease: self.lease.clone(),
            claim: self.claim.clone(),
            fencing_token: self.fencing_token.clone(),
            health: self.health_reporter.read(),
        }
    }
}
