//! What gateway and transcoder say to the control plane, and its answers. These types *are* the wire format (JSON).
//!
//! `POST /hooks/publish`, `/hooks/unpublish`, `/hooks/heartbeat`; IAM-signed. A denied publish is an answer, not an
//! error: it carries the reason that the encoder will show.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::heartbeat::Health;
use crate::ids::{BroadcastId, Lease, Region, SegmentNumber, SessionId, StreamId};
use crate::stream::TranscodeSettings;
use crate::time::Timestamp;
use crate::timeline::ResumePoint;

/// Text that must never be shown: `Debug` hides it and there is no `Display`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// What is sent by who has none.
    fn none() -> Self {
        Self(String::new())
    }

    /// The secret itself. Every call is a place to look at.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(****)")
    }
}

/// Who a gateway is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gateway {
    /// The region it stands in; its transcoders run there.
    pub region: Region,
    /// Base URL of its source link, as a transcoder of that region reaches it: `http://10.0.1.5:8936`.
    pub source: String,
}

/// An encoder wants to publish.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PublishRequest {
    /// Who asks.
    pub gateway: Gateway,
    /// The session it will be if allowed. A repeated request with the same id is the same request.
    pub session: SessionId,
    /// RTMP app as the encoder sent it, for messages.
    pub app: String,
    /// The stream key as the encoder sent it.
    pub key: Secret,
    /// The encoder's address, for the log.
    pub address: String,
    /// The query string of the publish URL.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// When the gateway first asked; the same with each repetition. From it and the session's id both regions make the same
    /// broadcast and the same lease, and a request that comes much later is refused: nobody waits for the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
}

/// A publish request is granted at most so long after it was first made. Gateways wait for eight seconds; their clocks and
/// those of the hooks differ by less than the rest.
pub const GRANT_WITHIN: Duration = Duration::from_secs(10);

/// Why a publish is refused. The gateway maps each to an RTMP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DenyKind {
    /// No such key (or not well-formed).
    UnknownKey,
    /// The key was revoked.
    RevokedKey,
    /// The key's time is over.
    ExpiredKey,
    /// Another publisher is live and the stream's policy is `reject`.
    AlreadyPublishing,
    /// The stream was deleted.
    StreamDeleted,
    /// No transcoder can be started now.
    NoCapacity,
    /// Too many guesses: nobody has looked at the key.
    TooManyAttempts,
    /// The request has come so late that its gateway has given it up.
    TooLate,
}

impl DenyKind {
    /// Whether the key was right all the same.
    pub fn proves_key(self) -> bool {
        matches!(self, Self::AlreadyPublishing | Self::NoCapacity)
    }
}

/// The answer to [`PublishRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum PublishAnswer {
    /// Go ahead.
    Allow {
        /// The stream that the key opens.
        stream: StreamId,
        /// The broadcast that the session belongs to.
        broadcast: BroadcastId,
        /// The session's order among the stream's sessions; goes into its [`SessionRef`].
        order: u64,
    },
    /// Refuse, and tell the encoder why.
    Deny {
        /// What kind of refusal.
        kind: DenyKind,
        /// A sentence for the person at the encoder.
        reason: String,
    },
}

/// A session as a gateway names it afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRef {
    /// The session.
    pub session: SessionId,
    /// Its stream.
    pub stream: StreamId,
    /// Its broadcast.
    pub broadcast: BroadcastId,
    /// Its order among the stream's sessions.
    pub order: u64,
}

/// A session has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnpublishRequest {
    /// Who says so.
    pub gateway: Gateway,
    /// Which session.
    #[serde(flatten)]
    pub session: SessionRef,
    /// Why, for people: "encoder closed the connection".
    pub reason: String,
}

/// A sign of life.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "one lives for as long as it takes to write or read it")]
pub enum HeartbeatRequest {
    /// From a gateway, for all its sessions at once.
    Gateway(GatewayHeartbeat),
    /// From a transcoder, for its lease.
    Transcoder(TranscoderHeartbeat),
}

/// A gateway asks whether its sessions may go on. It writes nothing. A gateway without sessions has nothing to ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayHeartbeat {
    /// Who asks.
    pub gateway: Gateway,
    /// Its sessions, at most [`MAX_SESSIONS_PER_HEARTBEAT`].
    pub sessions: Vec<SessionRef>,
    /// Which deployment of the gateway it is; the control plane of the same deployment has the same text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Sessions that the gateway asked for and has given up without an answer: should one be granted all the same, it is
    /// taken back. They count for [`MAX_SESSIONS_PER_HEARTBEAT`], too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withdrawn: Vec<Withdrawn>,
}

/// A publish request that its gateway has given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawn {
    /// The session that it would have been.
    pub session: SessionId,
    /// Its stream, as its key names it.
    pub stream: StreamId,
}

/// Sessions in one gateway heartbeat; each costs the hook one or two reads, and it has 30 s.
pub const MAX_SESSIONS_PER_HEARTBEAT: usize = 200;

/// What a gateway is to do with a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum SessionOrder {
    /// Go on.
    Continue,
    /// Close the encoder's connection and say why.
    Stop {
        /// A sentence for the person at the encoder.
        reason: String,
        /// Whether the encoder should connect again: what is wrong may be better then.
        #[serde(default)]
        retry: bool,
    },
}

/// The answer to [`GatewayHeartbeat`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GatewayOrders {
    /// One order for each session asked for.
    pub sessions: BTreeMap<SessionId, SessionOrder>,
    /// Whether a deployment has replaced this gateway, so that it should no longer hold out against being stopped.
    /// `None`: whoever answers cannot tell (the peer's control plane, or a revision is not known), so it is as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded: Option<bool>,
    /// Those of the withdrawn sessions that had been granted, and are taken back now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withdrawn: Vec<SessionId>,
}

/// A transcoder says that it lives and how it fares.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TranscoderHeartbeat {
    /// Its stream.
    pub stream: StreamId,
    /// Its broadcast.
    pub broadcast: BroadcastId,
    /// The lease it works under.
    pub lease: Lease,
    /// Proves that the control plane has granted the lease; the task was started with it.
    #[serde(default = "Secret::none")]
    pub claim: Secret,
    /// Made at random when the process starts and shown to nobody else. The first one that comes with a lease claims
    /// it; from then on it is the lease's token.
    pub fencing_token: Secret,
    /// How it fares.
    pub health: Health,
}

/// Where a transcoder finds its media.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The session to read.
    pub session: SessionId,
    /// `<gateway source>/sources/<session>`; the committed cursor goes to `<url>/committed`.
    pub url: String,
    /// Bearer token for it.
    pub token: Secret,
}

/// What a lease must go on behind, although it has gone on elsewhere: the other region's leases, of which it knew nothing,
/// have written so far, and viewers have seen it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResumeAfter {
    /// The next segment has a higher number,
    pub segment: SegmentNumber,
    /// and counts no fewer discontinuities.
    pub discontinuities: u64,
}

/// What a holder is told of its standbys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandoverOrder {
    /// End the open segment at its next boundary, commit all, say so ([`crate::heartbeat::Quiesced`]), and write nothing then.
    HandOver {
        /// The standby that is to go on.
        to: Lease,
    },
    /// Whoever hands over to this standby, or to one below it, goes on itself: they will never be promoted. Nothing else
    /// lets a holder go on that has handed over, no silence and no other answer.
    GoOn {
        /// The standby that was withdrawn last.
        withdrawn: Lease,
    },
}

/// What a transcoder is to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum TranscoderOrder {
    /// Read this source and extend the timeline.
    Transcode {
        /// The media.
        source: Source,
        /// Sessions before that one, oldest first, of which this lease has read nothing: they are read to their ends first.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        earlier: Vec<Source>,
        /// How to transcode.
        settings: Box<TranscodeSettings>,
        /// Where the timeline stands, for the first run of a lease; `None` if nothing was committed yet.
        resume: Option<Box<ResumePoint>>,
        /// When the broadcast began.
        started_at: Timestamp,
        /// What the other region has written beyond this lease's last segment.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resume_after: Option<ResumeAfter>,
        /// What becomes of its standby, if there is or was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        handover: Option<HandoverOrder>,
    },
    /// To a standby: read this source from its live edge, transcode it as if it were to be written, and write nothing.
    Rehearse {
        /// The media; the token lets it be read, not committed.
        source: Source,
        /// How to transcode.
        settings: Box<TranscodeSettings>,
        /// When the broadcast began.
        started_at: Timestamp,
    },
    /// To a holder that has handed over: it is not decided who goes on. Write nothing, ask again.
    Hold,
    /// To a holder that has handed over: its standby goes on. Write nothing more and leave.
    HandedOver,
    /// No publisher now: stay and ask again.
    Wait,
    /// The broadcast is over: finish and leave.
    Stop {
        /// For the task's log.
        reason: String,
    },
    /// Another lease has taken over: drop everything at once.
    Fenced,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_behind_the_key_s_check_proves_it() {
        let proves = [DenyKind::AlreadyPublishing, DenyKind::NoCapacity];
        let others = [
            DenyKind::UnknownKey,
            DenyKind::RevokedKey,
            DenyKind::ExpiredKey,
            DenyKind::StreamDeleted,
            DenyKind::TooManyAttempts,
        ];
        assert!(proves.into_iter().all(DenyKind::proves_key));
        assert!(!others.into_iter().any(DenyKind::proves_key));
    }
}
