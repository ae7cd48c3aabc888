//! Standbys, as the items of both regions tell of them: a lease above all known that prepares while another one holds.
//!
//! Only the control record of the holder's region says which standby there is, what was withdrawn and what was promoted
//! ([`super::decide::hand_over`]); all else here is how what it says is read.

use std::time::Duration;

use super::record::{MoveOrder, Standby, WithdrawnStandby};
use super::replicated_state::{ReplicatedState, START_PATIENCE};
use crate::heartbeat::{Activity, DEAD_AFTER, Heartbeat};
use crate::hooks::{HandoverOrder, TranscoderHeartbeat};
use crate::ids::{Lease, Region};
use crate::time::Timestamp;

/// A standby that was not heard of for so long is not handed over to, and a holder that has handed over to it goes on
/// itself: viewers wait meanwhile. A ready one gives a sign of life four times a second.
pub const HEARD_WITHIN: Duration = Duration::from_secs(3);

/// Standbys of one holder that may come to nothing in a row before its owner's order to move counts as failed.
pub const MAX_STANDBY_FAILURES: u32 = 5;

impl ReplicatedState {
    /// The standby of the lease that holds. One of a lease that no longer does is void: a higher one fences both.
    pub fn standby(&self) -> Option<&Standby> {
        let holder = self.lease()?;
        let of_its_region = self.records.iter().filter(|record| record.region == holder.lease.region);
        of_its_region
            .filter_map(|record| record.standby.as_ref())
            .find(|standby| standby.holder == holder.lease && standby.broadcast == holder.broadcast)
    }

    /// The last standby of the lease that holds that was withdrawn.
    pub fn withdrawn(&self) -> Option<&WithdrawnStandby> {
        let holder = self.lease()?;
        let withdrawn = self.records.iter().filter_map(|record| record.withdrawn.as_ref());
        withdrawn
            .filter(|standby| standby.holder == holder.lease && standby.broadcast == holder.broadcast)
            .max_by(|a, b| a.lease.cmp(&b.lease))
    }

    /// The owner's newest order to replace the lease that holds, unless nothing could be made of it.
    pub fn move_order(&self) -> Option<&MoveOrder> {
        let holder = self.lease()?;
        let orders = self.records.iter().filter_map(|record| record.move_order.as_ref());
        let order = orders
            .filter(|order| order.lease == holder.lease && order.broadcast == holder.broadcast)
            .max_by_key(|order| order.at)?;
        let has_failed = self
            .withdrawn()
            .is_some_and(|withdrawn| withdrawn.failures >= MAX_STANDBY_FAILURES && withdrawn.at >= order.at);
        (!has_failed).then_some(order)
    }

    /// Standbys of `broadcast` that are known of, also void ones and the last that was withdrawn.
    pub(super) fn standbys_of<'a>(
        &'a self,
        broadcast: &'a crate::ids::BroadcastId,
    ) -> impl Iterator<Item = &'a Lease> {
        self.records.iter().flat_map(move |record| {
            let standby = record.standby.as_ref().filter(|standby| standby.broadcast == *broadcast);
            let crossed = standby.and_then(|standby| standby.crossed.as_ref());
            let withdrawn = record.withdrawn.as_ref().filter(|standby| standby.broadcast == *broadcast);
            let (standby, withdrawn) =
                (standby.map(|standby| &standby.lease), withdrawn.map(|standby| &standby.lease));
            standby.into_iter().chain(crossed).chain(withdrawn)
        })
    }

    /// Whether `lease`, which neither holds nor is a standby, is over for good: a standby of its region beside it or above
    /// it was granted since.
    pub(super) fn is_past(&self, heartbeat: &TranscoderHeartbeat) -> bool {
        let lease = &heartbeat.lease;
        let mut standbys = self.standbys_of(&heartbeat.broadcast);
        standbys.any(|standby| standby.region == lease.region && standby >= lease)
    }

    /// Why nothing will come of `standby`, if that is known.
    pub fn standby_failure(&self, standby: &Standby, now: Timestamp) -> Option<String> {
        let Some(heartbeat) = self.heartbeat_of(&standby.lease) else {
            let late = now.since(standby.granted_at) > START_PATIENCE;
            return late.then(|| "its task has not come up".into());
        };
        if heartbeat.health.activity == Activity::Leaving {
            let why = heartbeat.health.problem.as_deref();
            return Some(why.map_or("its task has left".into(), |why| format!("its task has left: {why}")));
        }
        let is_silent = now.since(heartbeat.at) > DEAD_AFTER;
        is_silent.then(|| "nothing is heard of its task any more".into())
    }

    /// Whether `standby` can take over now: it has shown that it can, and is there.
    pub fn is_ready(&self, standby: &Standby, now: Timestamp) -> bool {
        self.heartbeat_of(&standby.lease).is_some_and(|heartbeat| {
            heartbeat.health.standby.is_some_and(|standby| standby.ready)
                && heartbeat.health.activity != Activity::Leaving
                && now.since(heartbeat.at) <= HEARD_WITHIN
        })
    }

    /// Whether the segment behind a closed one of `lease` may be its standby's, or is.
    pub fn hands_over(&self, lease: &Lease, now: Timestamp) -> bool {
        let promotion = self.lease().and_then(|holder| holder.promotion.as_ref());
        promotion.is_some_and(|promotion| promotion.from == *lease)
            || self.standby().is_some_and(|standby| standby.holder == *lease && self.is_ready(standby, now))
    }

    /// The last segment of the holder, if it has handed over to `standby`.
    pub(super) fn held_for(&self, standby: &Standby) -> Option<&crate::heartbeat::Quiesced> {
        // Whichever region took the word, it holds until the standby is decided about.
        let of_holder = self.heartbeats.iter().filter(|heartbeat| heartbeat.lease == standby.holder);
        of_holder
            .filter_map(|heartbeat| heartbeat.health.held.as_ref())
            .find(|held| held.standby == standby.lease)
    }

    /// Whether the lease that holds has come after the one of `heartbeat`, which had handed over.
    pub(super) fn has_handed_over(&self, heartbeat: &TranscoderHeartbeat) -> bool {
        let promotion = self.lease().and_then(|lease| lease.promotion.as_ref());
        heartbeat.health.held.is_some()
            && promotion.is_some_and(|promotion| promotion.from == heartbeat.lease)
    }

    /// Whether the holder of `heartbeat` has handed over to a standby of which nothing is known to have been decided.
    pub(super) fn holds(&self, heartbeat: &TranscoderHeartbeat) -> bool {
        let is_withdrawn =
            |lease: &Lease| self.withdrawn().is_some_and(|withdrawn| withdrawn.lease >= *lease);
        heartbeat.health.held.as_ref().is_some_and(|held| !is_withdrawn(&held.standby))
    }

    /// What the holder of `heartbeat` is told of its standbys by the API of the region `seen_in`. Only that of its own
    /// region has it hand over; a stored withdrawal counts wherever it is seen.
    pub fn handover_order(
        &self,
        heartbeat: &TranscoderHeartbeat,
        seen_in: &Region,
        now: Timestamp,
    ) -> Option<HandoverOrder> {
        let holder = self.lease().filter(|holder| holder.lease == heartbeat.lease)?;
        let can_go_on = |standby: &&Standby| {
            *seen_in == holder.lease.region
                && heartbeat.health.segment.is_some()
                && self.is_published(now)
                && self.is_ready(standby, now)
        };
        match self.standby().filter(can_go_on) {
            Some(standby) => Some(HandoverOrder::HandOver { to: standby.lease.clone() }),
            None => self.withdrawn().map(|it| HandoverOrder::GoOn { withdrawn: it.lease.clone() }),
        }
    }

    /// The same with a heartbeat that was stored since.
    #[must_use]
    pub fn with_heartbeat(mut self, heartbeat: Heartbeat) -> Self {
        let is_replaced = |old: &Heartbeat| {
            old.region == heartbeat.region && old.is_of_a_standby() == heartbeat.is_of_a_standby()
        };
        self.heartbeats.retain(|old| !is_replaced(old));
        self.heartbeats.push(heartbeat);
        self
    }
}
