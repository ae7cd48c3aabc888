//! Who a task is to the control plane, in each of its heartbeats.

use headwater_domain::heartbeat::Health;
use headwater_domain::hooks::{Secret, TranscoderHeartbeat};
use headwater_domain::{BroadcastId, Lease};

/// A process's own secret: claims the lease with the first heartbeat.
pub fn new_fencing_token() -> Secret {
    Secret::new(format!("{:032x}", rand::random::<u128>()))
}

/// By what right a process works.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub(super) broadcast: BroadcastId,
    pub(super) lease: Lease,
    pub(super) claim: Secret,
    pub(super) fencing_token: Secret,
}

impl Claim {
    pub(super) fn heartbeat(&self, health: Health) -> TranscoderHeartbeat {
        TranscoderHeartbeat {
            stream: self.broadcast.stream(),
            broadcast: self.broadcast.clone(),
            lease: self.lease.clone(),
            claim: self.claim.clone(),
            fencing_token: self.fencing_token.clone(),
            health,
        }
    }
}
