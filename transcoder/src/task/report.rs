//! What the task reports: to the log, and to heartbeats.

use headwater_domain::heartbeat::Activity;
use headwater_task::Report;

use super::health_reporter::HealthReporter;
use super::notes::About;

impl HealthReporter {
    /// Tells people.
    pub(super) fn report(&self, report: Report) {
        match report {
            Report::Waiting => self.update(|health| health.activity = Activity::Waiting),
            Report::ToldToStop { reason } => {
                tracing::info!(reason, "the control plane ordered the task to stop")
            }
            Report::Fenced => tracing::warn!("fenced: another lease has taken over"),
            Report::SourceFound { session, problem, lost } => {
                self.source_found(&session);
                self.source_problem(problem);
                if lost > 0 {
                    tracing::warn!(lost, "the gateway no longer has everything");
                    let text = format!("{lost} source messages were lost before they were read");
                    self.note(About::Loss, Some(text));
                }
            }
            Report::SourceEnded { session } => {
                tracing::info!(%session, "the session has ended");
                self.source_lost(&session, None);
            }
            Report::SourceLost { session, why } => self.source_lost(&session, Some(why)),
            Report::LeftBehind { session } => {
                tracing::warn!(%session, "another session has replaced this one; it is left behind");
            }
            Report::Finishing { session } => {
                tracing::info!(%session, "the session's gateway is gone; what was read of it is finished");
            }
            Report::DecodeErrors(errors) => self.update(|health| health.decode_errors += errors),
            Report::NotCopied { why } => tracing::info!(why, "the source is encoded anew"),
            Report::NotFinished { why } => {
                tracing::warn!(why, "what was read of a session whose gateway is gone cannot be finished");
            }
            Report::RunFailed { why } => self.note(About::Failure, Some(why)),
            Report::GaveUp { session, why } => self.give_up(&session, why),
        }
    }
}
