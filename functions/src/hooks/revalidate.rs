//! May a session on air go on? Asked with each of its gateway's heartbeats.

use headwater_domain::control::decide::{self, Lapse};
use headwater_domain::hooks::{SessionOrder, SessionRef};
use headwater_domain::ports::{PortResult, StartTasks};

use super::{HookTable, HooksFunction};
use crate::commit::write_control_record;

impl<T: HookTable, C: StartTasks> HooksFunction<T, C> {
    /// Three reads: what is live and the stream side by side, then the session's key. A right that has lapsed is written
    /// down, once: for the transcoder, the playlists and the history, and for a gateway that asks again.
    pub(super) async fn session_order(&self, session: &SessionRef) -> PortResult<SessionOrder> {
        let (replicated, stream) = tokio::try_join!(
            self.table.replicated_state(&session.stream),
            self.table.stream(&session.stream)
        )?;
        let order = decide::session_order(&replicated, session);
        let current = replicated.session().filter(|current| current.id == session.session);
        let Some(current) = current.filter(|_| order == SessionOrder::Continue) else { return Ok(order) };
        let key = self.table.key(&session.stream, &current.key).await?;
        let now = self.context.now();
        match decide::revalidate(&replicated, current, stream.as_ref(), &key, now) {
            None => Ok(order),
            Some(lapse) => {
                self.close(session, &lapse).await?;
                Ok(SessionOrder::Stop { reason: lapse.reason().into(), retry: false })
            }
        }
    }

    async fn close(&self, session: &SessionRef, lapse: &Lapse) -> PortResult<()> {
        let end = !lapse.is_of_the_key() || !self.can_be_resumed(&session.stream).await?;
        let closed = write_control_record(&self.table, &session.stream, &self.context, |replicated, own| {
            replicated.session().filter(|current| current.id == session.session)?;
            let now = self.context.now();
            Some((decide::kick(replicated, own, |_| true, lapse.reason(), end, now)?, ()))
        });
        if closed.await?.is_some() {
            tracing::info!(stream = %session.stream, session = %session.session, reason = lapse.reason(), end, "a session on air has lost its right");
        }
        Ok(())
    }
}
