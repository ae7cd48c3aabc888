//! What becomes of a stream's standby: looked at with every heartbeat of its tasks, by their own region's API alone.

use headwater_domain::control::ReplicatedState;
use headwater_domain::control::decide::{self, HandOverStep, TimelineEnd};
use headwater_domain::hooks::TranscoderHeartbeat;
use headwater_domain::ports::{PortResult, StartTasks};
use headwater_domain::timeline::{Entry, resolve};

use super::heartbeat::RESUME_ENTRIES;
use super::{HookTable, HooksFunction};
use crate::commit::{note_not_started, own_record, start_task, write_control_record};

impl<T: HookTable, C: StartTasks> HooksFunction<T, C> {
    /// Grants, promotes or withdraws a standby, if that is to be done; whether it was. What is to be done is seen in what was
    /// read for the heartbeat anyway, so that ordinary ones cost nothing more.
    pub(super) async fn hand_over(
        &self,
        heartbeat: &TranscoderHeartbeat,
        replicated: &ReplicatedState,
    ) -> PortResult<bool> {
        let context = &self.context;
        if heartbeat.lease.region != context.region {
            return Ok(false);
        }
        let own = own_record(replicated, &heartbeat.stream, &context.region);
        let (now, entropy) = (context.now(), context.entropy());
        let end = match decide::hand_over(replicated, &own, TimelineEnd::Unread, now, entropy) {
            None => return Ok(false),
            Some(HandOverStep::ReadTimeline) => Some(self.timeline_end(heartbeat).await?),
            Some(HandOverStep::Write(_)) => None,
        };
        let written = write_control_record(&self.table, &heartbeat.stream, context, |replicated, own| {
            // Read before the control record that is decided by. Its holder has written nothing since that entry if it says,
            // in what is read now, that the entry is its last.
            let end = end.as_ref().map_or(TimelineEnd::Unread, |last| TimelineEnd::Read(last.as_ref()));
            match decide::hand_over(replicated, own, end, context.now(), context.entropy())? {
                HandOverStep::Write(next) => {
                    let told = decide::what_changes(own, &next.record);
                    Some((next.record, (told, next.start)))
                }
                // Things have changed since: the next heartbeat is a moment away.
                HandOverStep::ReadTimeline => None,
            }
        });
        let Some((told, start)) = written.await? else { return Ok(false) };
        tracing::info!(stream = %heartbeat.stream, broadcast = %heartbeat.broadcast, "{told}");
        let Some(task) = start else { return Ok(true) };
        if let Err(not_started) = start_task(&self.tasks, &task).await {
            note_not_started(&self.table, task, not_started, context).await?;
        }
        Ok(true)
    }

    /// The last entry of the heartbeat's broadcast, by a consistent read in the region where its task writes.
    async fn timeline_end(&self, heartbeat: &TranscoderHeartbeat) -> PortResult<Option<Entry>> {
        let entries = self.table.newest(&heartbeat.broadcast, RESUME_ENTRIES).await?;
        Ok(resolve(entries).pop())
    }
}
