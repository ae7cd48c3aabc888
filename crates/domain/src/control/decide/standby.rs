//! What a control record says once a standby is promoted or withdrawn, and which one may follow a holder that is dead.

use crate::control::{ControlRecord, LeaseRecord, Promotion, ReplicatedState, Standby, WithdrawnStandby};
use crate::time::Timestamp;

/// `standby` will never be promoted.
pub(super) fn withdrawn(
    own: &ControlRecord,
    standby: &Standby,
    reason: &str,
    now: Timestamp,
) -> ControlRecord {
    let withdrawn = WithdrawnStandby {
        lease: standby.lease.clone(),
        broadcast: standby.broadcast.clone(),
        holder: standby.holder.clone(),
        at: now,
        reason: reason.into(),
        failures: standby.failures.saturating_add(1),
    };
    ControlRecord { version: own.version + 1, standby: None, withdrawn: Some(withdrawn), ..own.clone() }
}

/// `record`, in which `standby` holds from now on.
pub(super) fn promoted(
    replicated: &ReplicatedState,
    record: &ControlRecord,
    standby: &Standby,
    failures: u32,
    now: Timestamp,
) -> ControlRecord {
    let promotion = Promotion { from: standby.holder.clone(), at: now, flowed_at: replicated.flowed_at() };
    let lease = LeaseRecord {
        lease: standby.lease.clone(),
        broadcast: standby.broadcast.clone(),
        granted_at: standby.granted_at,
        crossed: standby.crossed.clone(),
        failures,
        promotion: Some(promotion),
    };
    ControlRecord { lease: Some(lease), standby: None, ..record.clone() }
}

/// The standby that takes the place of a holder that is dead: ready or not, it will be up before another one that would be
/// started now, from the same image.
pub(super) fn successor<'a>(
    replicated: &'a ReplicatedState,
    own: &ControlRecord,
    now: Timestamp,
) -> Option<&'a Standby> {
    let standby = replicated.standby().filter(|standby| own.standby.as_ref() == Some(*standby))?;
    replicated.standby_failure(standby, now).is_none().then_some(standby)
}
