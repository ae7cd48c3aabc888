//! What one region's control plane has decided for one stream.

use serde::{Deserialize, Serialize};

use crate::hooks::Gateway;
use crate::ids::{BroadcastId, KeyId, Lease, Region, SessionId, StreamId};
use crate::stream::StreamSettings;
use crate::time::Timestamp;

/// One region's word on one stream. Written whole, conditionally on `version`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlRecord {
    /// The stream.
    pub stream: StreamId,
    /// Whose word it is.
    pub region: Region,
    /// Counts its writes; 0 is "not written yet".
    pub version: u64,
    /// The newest session that this region accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionRecord>,
    /// The newest lease that this region granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<LeaseRecord>,
    /// The last session (of either region) that this region knows to be gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<Gone>,
    /// The last lease (of either region) that this region knows to be over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<LeaseOver>,
    /// The last session (of either region) that this region wants closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kick: Option<Kick>,
    /// The last broadcast (of either region) that this region declared over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
    /// The last session that this region found silent for long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspicion: Option<Suspicion>,
    /// The owner's last order to this region to stop the stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<StopOrder>,
    /// The lease that prepares to follow one of this region. Void as soon as another than its holder holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standby: Option<Standby>,
    /// The last standby of this region that will never be promoted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<WithdrawnStandby>,
    /// The owner's last order to this region to have another task go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub move_order: Option<MoveOrder>,
}

impl ControlRecord {
    /// A control record that was never written.
    pub fn empty(stream: StreamId, region: Region) -> Self {
        Self {
            stream,
            region,
            version: 0,
            session: None,
            lease: None,
            gone: None,
            over: None,
            kick: None,
            end: None,
            suspicion: None,
            stop: None,
            standby: None,
            withdrawn: None,
            move_order: None,
        }
    }
}

/// An accepted publisher connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// Its id.
    pub id: SessionId,
    /// Sessions of a stream count up; the highest holds.
    pub order: u64,
    /// The broadcast that it belongs to.
    pub broadcast: BroadcastId,
    /// When the broadcast began.
    pub started_at: Timestamp,
    /// Where its media is.
    pub gateway: Gateway,
    /// The key that opened it.
    pub key: KeyId,
    /// When that key expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_expires_at: Option<Timestamp>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// The stream's settings at that time; they hold for the session.
    pub settings: StreamSettings,
    /// Sessions of the broadcast before it, oldest first: a task that comes up late reads them too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<EarlierSession>,
}

/// Sessions before the current one that are remembered: an encoder that reconnects every half minute while a task takes
/// its two minutes to start.
const MAX_EARLIER_SESSIONS: usize = 4;

/// A session that another one has replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlierSession {
    /// Its id.
    pub id: SessionId,
    /// Where its media is.
    pub gateway: Gateway,
}

impl SessionRecord {
    /// What its successor in the same broadcast remembers.
    pub fn passed_on(&self) -> Vec<EarlierSession> {
        let own = EarlierSession { id: self.id.clone(), gateway: self.gateway.clone() };
        let dropped = (self.earlier.len() + 1).saturating_sub(MAX_EARLIER_SESSIONS);
        self.earlier.iter().skip(dropped).cloned().chain([own]).collect()
    }
}

/// A granted lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRecord {
    /// The lease.
    pub lease: Lease,
    /// The broadcast that it may extend.
    pub broadcast: BroadcastId,
    /// When it was granted.
    pub granted_at: Timestamp,
    /// The newest lease of the other region before it. The control record that granted that one may grant others since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crossed: Option<Lease>,
    /// Leases before it, in a row, that died without making media.
    #[serde(default)]
    pub failures: u32,
    /// How it came to hold, if it was a standby before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion: Option<Promotion>,
}

/// A standby has taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promotion {
    /// From this lease.
    pub from: Lease,
    /// When.
    pub at: Timestamp,
    /// When media had last flowed by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flowed_at: Option<Timestamp>,
}

/// A lease that may prepare, and not write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standby {
    /// The lease: above all that were known.
    pub lease: Lease,
    /// The broadcast that it may extend once it is promoted.
    pub broadcast: BroadcastId,
    /// The lease that holds, and that it is to follow.
    pub holder: Lease,
    /// When it was granted.
    pub granted_at: Timestamp,
    /// The newest lease of the other region before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crossed: Option<Lease>,
    /// Why, for people.
    pub reason: String,
    /// Standbys of the same holder before it, in a row, that came to nothing. They say nothing of the holder, and never
    /// end a broadcast.
    #[serde(default)]
    pub failures: u32,
}

/// A standby that will never be promoted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithdrawnStandby {
    /// Its lease.
    pub lease: Lease,
    /// Of which broadcast.
    pub broadcast: BroadcastId,
    /// The lease that it was to follow.
    pub holder: Lease,
    /// Since when.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
    /// Standbys of the same holder, in a row, that came to nothing, with this one.
    pub failures: u32,
}

/// The owner wants another task to go on, of the present image and size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveOrder {
    /// In this broadcast,
    pub broadcast: BroadcastId,
    /// in place of this lease's: the order is carried out as soon as another holds.
    pub lease: Lease,
    /// When the order was given.
    pub at: Timestamp,
}

/// Nothing is heard of a session's task any more, and nobody has said why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspicion {
    /// Which session.
    pub session: SessionId,
    /// When that was found.
    pub at: Timestamp,
}

/// The owner wants everything ended that was accepted before `at`, also what the region that took the order has not heard
/// of yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopOrder {
    /// When the order was given.
    pub at: Timestamp,
    /// Why; the encoder is shown this.
    pub reason: String,
}

/// A session is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// The session.
    pub session: SessionId,
    /// Since when.
    pub at: Timestamp,
    /// What the gateway said of it.
    pub reason: String,
}

/// A lease's task is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseOver {
    /// The lease.
    pub lease: Lease,
    /// Since when.
    pub at: Timestamp,
    /// What ECS or the sweep knows of its end.
    pub reason: String,
    /// Whether its task was not started because too many others were being.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub throttled: bool,
}

/// A session must be closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kick {
    /// The session.
    pub session: SessionId,
    /// Why; the encoder is shown this.
    pub reason: String,
}

/// A broadcast is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// The broadcast.
    pub broadcast: BroadcastId,
    /// When it ended.
    pub at: Timestamp,
    /// What history and API say of it.
    pub reason: String,
    /// Whether that is a failure of ours.
    #[serde(default)]
    pub failed: bool,
}
