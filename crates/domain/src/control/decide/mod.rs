//! Decisions: what a region's control plane writes next, and what it must do then.
//!
//! Every function takes what was read and returns the region's next [`ControlRecord`] if it changes. The caller writes it
//! conditionally and, having lost a race, reads and decides again.

mod hand_over;
mod heartbeat;
mod publish;
mod reconcile;
mod revalidate;
mod session;
mod standby;

pub use hand_over::{HandOverStep, MOVED_BY_OWNER, Move, TimelineEnd, hand_over, order_move, what_changes};
pub use heartbeat::{HeartbeatOutcome, heartbeat, record_heartbeat, resume_after, unread};
pub use publish::{Publish, Publisher, publish};
pub use reconcile::{MAX_FAILURES, Trigger, reconcile};
pub use revalidate::{Lapse, revalidate};
pub use session::{kick, session_order, stop, unpublish, withdraw};

use super::record::{ControlRecord, Gone, LeaseRecord};
use super::replicated_state::ReplicatedState;
use crate::ids::{BroadcastId, Lease, LeaseNumber, Nonce, Region, SessionId, StreamId};
use crate::time::Timestamp;

/// Why a broadcast has ended whose task has found its session's end, while its gateway has said nothing of it.
const LOST: &str = "the encoder's connection has ended";
/// And one of which nothing was heard.
const SILENT: &str = "neither gateway nor transcoder gave a sign of life any more";

/// A task to be started. `client_token` makes repeated calls one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartTask {
    /// For this stream,
    pub stream: StreamId,
    /// this broadcast,
    pub broadcast: BroadcastId,
    /// under this lease; it runs in the lease's region.
    pub lease: Lease,
    /// Whether it is a standby, which writes nothing until it is promoted.
    pub standby: bool,
}

/// What to write, then what to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// The region's next control record.
    pub record: ControlRecord,
    /// The task to start once the control record is written.
    pub start: Option<StartTask>,
}

/// Random bits for ids that a decision may need.
#[derive(Debug, Clone, Copy)]
pub struct Entropy {
    /// For a broadcast id.
    pub broadcast: u128,
    /// For a lease's nonce.
    pub nonce: u128,
}

/// A lease above all that are known of: also one of which only heartbeats have come yet.
fn grant(
    replicated: &ReplicatedState,
    broadcast: &BroadcastId,
    region: &Region,
    now: Timestamp,
    nonce: u128,
    failures: u32,
) -> LeaseRecord {
    let newest = replicated.leases_of(broadcast).map(|lease| lease.number.0).max();
    let number = LeaseNumber(newest.unwrap_or(0) + 1);
    let lease = Lease { number, region: region.clone(), nonce: Nonce::from_random(nonce) };
    let crossed = replicated.leases_of(broadcast).filter(|lease| lease.region != *region).max().cloned();
    LeaseRecord { lease, broadcast: broadcast.clone(), granted_at: now, crossed, failures, promotion: None }
}

impl ReplicatedState {
    fn told_gone(&self) -> bool {
        self.session().is_some_and(|session| self.gone_note(&session.id).is_some())
    }

    /// Why the publisher is lost: that its media was of no use, else what the gateway said, else what the task has found,
    /// else what silence tells.
    fn lost_reason(&self, now: Timestamp) -> &str {
        let Some(session) = self.session() else { return LOST };
        let said = self.gone_note(&session.id).map(|gone| &gone.reason);
        let given_up = || self.given_up(&session.id).map(|given_up| &given_up.reason);
        let found = || {
            let health = self.heartbeat().map(|heartbeat| &heartbeat.health);
            let of_it = health.filter(|health| health.session.as_ref() == Some(&session.id));
            of_it
                .filter(|health| health.source_lost_since.is_some())
                .and_then(|health| health.problem.as_ref())
        };
        let silence = if self.is_presumed_lost(now) { SILENT } else { LOST };
        given_up().or(said).or_else(found).map_or(silence, String::as_str)
    }

    fn gone_note(&self, session: &SessionId) -> Option<&Gone> {
        self.records.iter().filter_map(|record| record.gone.as_ref()).find(|gone| gone.session == *session)
    }
}
