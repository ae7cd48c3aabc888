//! What a task calls, and waits for: the hooks, buckets, the table, its gateway.

use futures::future::join_all;
use headwater_domain::SessionId;
use headwater_domain::heartbeat::Health;
use headwater_domain::hooks::{HeartbeatRequest, TranscoderHeartbeat};
use headwater_domain::paths::HookPath;
use headwater_domain::ports::{Commit, WriteTimeline};
use headwater_domain::timeline::Entry;
use headwater_task::timeline::{Object, ObjectKind};
use headwater_task::{Input, Upload};

use super::Task;
use crate::executor::{self, sleep};
use crate::simulation::{self, tell};
use crate::{calls, check, gateway, media, rng};

/// Tells the hooks how the task fares.
pub(super) async fn heartbeat(task: &Task, health: Health) -> Input {
    let heartbeat = TranscoderHeartbeat {
        claim: calls::signing().lease_claim(&task.broadcast.stream(), &task.broadcast, &task.lease),
        stream: task.broadcast.stream(),
        broadcast: task.broadcast.clone(),
        lease: task.lease.clone(),
        fencing_token: task.fencing_token.clone(),
        health,
    };
    if simulation::with(|sim| sim.tasks[&task.lease].deaf_until > executor::now()) {
        sleep(calls::ANSWER_WITHIN).await;
        return Input::Unanswered;
    }
    let heartbeat = HeartbeatRequest::Transcoder(heartbeat);
    let order = calls::ask_once(task.side, HookPath::Heartbeat, &heartbeat).await;
    order.map_or(Input::Unanswered, Input::Ordered)
}

/// Stores all objects side by side; initialization sections once.
pub(super) async fn upload(task: &Task, mirrors: bool, upload: Upload) -> Input {
    let stored = join_all(upload.objects.iter().map(|object| store(task, mirrors, object))).await;
    Input::Stored { upload: upload.id, is_lost: stored.contains(&false) }
}

async fn store(task: &Task, mirrors: bool, object: &Object) -> bool {
    let is_init = object.kind == ObjectKind::Init;
    if is_init && task.stored.borrow().contains(&object.path) {
        return true;
    }
    let is_stored = media::store(task.side, mirrors, &object.path, &task.table.writer).await;
    if is_init && is_stored {
        task.stored.borrow_mut().insert(object.path.clone());
    }
    is_stored
}

/// Puts an entry into the timeline.
pub(super) async fn commit(task: &Task, entry: Entry) -> Input {
    let answer = task.table.commit(&entry).await;
    if matches!(answer, Ok(Commit::Committed)) {
        check::media::committed(&entry);
        if !entry.open {
            let Entry { lease, number, discontinuities, gap, .. } = &entry;
            let gap = if *gap { " as a gap" } else { "" };
            tell(|| format!("{lease} commits {} ({discontinuities} breaks){gap}", number.0));
        }
    }
    Input::Committed(answer.map_err(|error| error.kind))
}

/// Tells the gateway up to where its media is safe, unless that is lost.
pub(super) async fn confirm(task: &Task, session: &SessionId, cursor: u64) -> Input {
    sleep(rng::between(1, 10)).await;
    if rng::chance(5) || !gateway::takes(task.side, session, &task.lease) {
        return Input::Unconfirmed;
    }
    gateway::change(task.side, session, |session| session.committed = cursor.max(session.committed));
    Input::Confirmed { problem: None }
}
