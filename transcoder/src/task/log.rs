//! What the task reports, in the log.

use headwater_task::Report;

/// Tells people.
pub(super) fn log(report: Report) {
    match report {
        Report::ToldToStop { reason } => {
            tracing::info!(reason, "the control plane ordered the task to stop");
        }
        Report::Fenced => tracing::warn!("fenced: another lease has taken over"),
        Report::Ready => tracing::info!("the standby has made a segment in real time; it can take over"),
        Report::CannotRehearse { why } => tracing::error!(why, "the standby cannot transcode the source"),
        Report::Promoted => tracing::info!("the standby is promoted; it goes on"),
        Report::HandingOver { to } => {
            tracing::info!(%to, "the task hands over to a standby at the end of its segment");
        }
        Report::Quiesced { segment } => {
            tracing::info!(
                segment = segment.0,
                "the task has handed over; it writes nothing until it is told"
            );
        }
        Report::GoesOn => tracing::info!("the standby is withdrawn; the task goes on"),
        Report::HandedOver => tracing::info!("the standby goes on; the task leaves"),
        Report::SourceFound { session, lost } => {
            tracing::debug!(%session, "the source answers");
            if lost > 0 {
                tracing::warn!(lost, "the gateway no longer has everything");
            }
        }
        Report::SourceEnded { session } => tracing::info!(%session, "the session has ended"),
        Report::SourceLost { session } => tracing::debug!(%session, "the source is lost"),
        Report::LeftBehind { session } => {
            tracing::warn!(%session, "another session has replaced this one; it is left behind");
        }
        Report::Finishing { session } => {
            tracing::info!(%session, "the session's gateway is gone; what was read of it is finished");
        }
        Report::NotCopied { why } => tracing::info!(why, "the source is encoded anew"),
        Report::NotFinished { why } => {
            tracing::warn!(why, "what was read of a session whose gateway is gone cannot be finished");
        }
        Report::GaveUp { session, why } => {
            tracing::warn!(%session, reason = why.reason, "the source is given up");
        }
    }
}
