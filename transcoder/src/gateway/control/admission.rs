//! Asks the control plane whether an encoder may publish, and puts a refusal into RTMP's words.

use headwater_domain::hooks::{DenyKind, PublishAnswer, PublishRequest};
use headwater_domain::ports::Hooks;
use headwater_rtmp::RejectCode;
use tokio::time::{Duration, Instant, timeout_at};

use crate::gateway::log_throttle::{LogThrottle, ThrottledLine};

/// What an encoder is told then.
const NO_ANSWER: &str = "the service cannot check stream keys just now, please try again";

/// A refusal as the encoder will see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// RTMP status.
    pub code: RejectCode,
    /// A sentence for the person at the encoder.
    pub reason: String,
}

/// The hook's answer, or that there is none within `limit`: a failed or slow first attempt is repeated once. The
/// session's id makes it the same request.
pub async fn ask<H: Hooks>(
    hooks: &H,
    request: &PublishRequest,
    limit: Duration,
    log_throttle: &LogThrottle,
) -> Result<PublishAnswer, Refused> {
    let began = Instant::now();
    for deadline in [began + limit.mul_f64(0.6), began + limit] {
        match timeout_at(deadline, hooks.publish(request)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => {
                if let Some(withheld) = log_throttle.take(ThrottledLine::Unanswered) {
                    tracing::warn!(session = %request.session, error = error.told(), withheld, "publish hook failed");
                }
            }
            Err(_) => {
                if let Some(withheld) = log_throttle.take(ThrottledLine::Unanswered) {
                    tracing::warn!(session = %request.session, withheld, "publish hook did not answer in time");
                }
            }
        }
    }
    Err(unanswered())
}

/// How a request is refused that nobody can decide.
pub fn unanswered() -> Refused {
    Refused { code: RejectCode::Failed, reason: NO_ANSWER.to_owned() }
}

/// The RTMP status for a denial. `Denied` makes OBS give up at once; after the others it tries again.
pub fn code_for(kind: DenyKind) -> RejectCode {
    match kind {
        DenyKind::UnknownKey | DenyKind::AlreadyPublishing | DenyKind::TooManyAttempts => RejectCode::BadName,
        DenyKind::RevokedKey | DenyKind::ExpiredKey | DenyKind::StreamDeleted => RejectCode::Denied,
        DenyKind::NoCapacity | DenyKind::TooLate => RejectCode::Failed,
    }
}
