//! Was the lease granted that a task speaks for?

use headwater_domain::hooks::TranscoderHeartbeat;
use http::StatusCode;

use super::HooksFunction;
use crate::reply::Problem;

impl<T, C> HooksFunction<T, C> {
    /// Refuses a task whose lease nobody has granted, before anything is read or written: an invented lease must get no
    /// source, fence nobody and leave no trace. It is told in the log, a bounded number of times, with how many were not.
    pub(super) fn check_claim(&self, heartbeat: &TranscoderHeartbeat) -> Result<(), Problem> {
        if self.signing.proves_lease(
            &heartbeat.claim,
            &heartbeat.stream,
            &heartbeat.broadcast,
            &heartbeat.lease,
        ) {
            return Ok(());
        }
        if let Some(withheld) = self.publish_guard.may_tell(self.context.now()) {
            tracing::warn!(stream = %heartbeat.stream, broadcast = %heartbeat.broadcast, lease = %heartbeat.lease, withheld, "a task claims a lease that was not granted");
        }
        let detail = "this deployment has not granted the lease; tasks are started by the control plane, with their claim";
        Err(Problem::new(StatusCode::FORBIDDEN, "lease-not-granted", "Lease not granted", detail))
    }
}
