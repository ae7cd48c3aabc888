//! Tells the control plane that sessions have ended, in the background and for as long as it makes sense.

use std::sync::Arc;
use std::time::Duration;

use headwater_domain::hooks::UnpublishRequest;
use headwater_domain::ports::Hooks;
use tokio::time::{sleep, timeout};

/// Pauses between attempts, in seconds: a minute in all, after which the control plane has noticed by the heartbeats
/// that the session is gone.
const PAUSES: [u64; 7] = [0, 1, 2, 4, 8, 15, 30];
/// For one attempt.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// Tells that a session has ended.
pub async fn send<H: Hooks>(hooks: Arc<H>, request: UnpublishRequest) {
    for pause in PAUSES {
        sleep(Duration::from_secs(pause)).await;
        match timeout(ATTEMPT_TIMEOUT, hooks.unpublish(&request)).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => {
                tracing::debug!(session = %request.session.session, error = error.told(), "unpublish hook failed")
            }
            Err(_) => {
                tracing::debug!(session = %request.session.session, "unpublish hook did not answer in time")
            }
        }
    }
    tracing::warn!(session = %request.session.session, "the control plane was not told that the session ended");
}
