//! Takes back what was granted after its gateway had given it up.

use headwater_domain::SessionId;
use headwater_domain::control::decide;
use headwater_domain::hooks::Withdrawn;
use headwater_domain::ports::{PortResult, StartTasks};

use super::{HookTable, HooksFunction};
use crate::commit::write_control_record;

/// What the history says of such a session.
const REASON: &str = "its gateway had given the publish request up";

impl<T: HookTable, C: StartTasks> HooksFunction<T, C> {
    /// The session, if it had been granted. One read as long as it has not; who asks again finds it gone.
    pub(super) async fn take_back(&self, withdrawn: &Withdrawn) -> PortResult<Option<SessionId>> {
        let mut is_known = false;
        let written =
            write_control_record(&self.table, &withdrawn.stream, &self.context, |replicated, own| {
                is_known = replicated.knows(&withdrawn.session);
                let now = self.context.now();
                Some((decide::unpublish(replicated, own, &withdrawn.session, REASON, now)?, ()))
            });
        if written.await?.is_some() {
            tracing::info!(stream = %withdrawn.stream, session = %withdrawn.session, "a session that nobody waits for was taken back");
        }
        Ok(is_known.then(|| withdrawn.session.clone()))
    }
}
