//! A transcoder's sign of life and how it fares, as stored.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::{BroadcastId, Lease, Region, SegmentNumber, SessionId, StreamId};
use crate::time::Timestamp;

/// How often a transcoder gives a sign of life.
pub const BEAT_EVERY: Duration = Duration::from_secs(2);
/// Without a sign of life for so long a transcoder counts as dead: 7 beats, so that one slow hook is no death.
pub const DEAD_AFTER: Duration = Duration::from_secs(15);

/// What a transcoder does just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// Started, has no source yet or waits for the publisher to come back.
    Waiting,
    /// Reads a source and makes segments.
    Transcoding,
    /// Was told to leave (SIGTERM) and finishes what it has.
    Leaving,
}

/// How a transcoder fares; rides on its heartbeats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// What it does.
    pub activity: Activity,
    /// The session it reads or read last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// Since when that session's source has been ended or out of reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_lost_since: Option<Timestamp>,
    /// The last segment it committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<SegmentNumber>,
    /// Wall-clock time up to which media is committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_until: Option<Timestamp>,
    /// Frames and packets that could not be decoded.
    #[serde(default)]
    pub decode_errors: u64,
    /// Segments that wait for their mirror copy.
    #[serde(default)]
    pub mirror_lag: u64,
    /// Whether encoders work with less care than they should, because the machine is too slow.
    #[serde(default)]
    pub fast_preset: bool,
    /// Renditions that are left out for that reason.
    #[serde(default)]
    pub renditions_dropped: u8,
    /// The last thing that went wrong, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl Health {
    /// Of a process that has just started.
    pub fn starting() -> Self {
        Self {
            activity: Activity::Waiting,
            session: None,
            source_lost_since: None,
            segment: None,
            media_until: None,
            decode_errors: 0,
            mirror_lag: 0,
            fast_preset: false,
            renditions_dropped: 0,
            problem: None,
        }
    }
}

/// The latest heartbeat that one region's control plane took for a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// The stream.
    pub stream: StreamId,
    /// Which region's control plane wrote it.
    pub region: Region,
    /// The broadcast.
    pub broadcast: BroadcastId,
    /// The lease that lives.
    pub lease: Lease,
    /// Fingerprint of the process that claimed the lease.
    pub boot: String,
    /// When it was taken.
    pub at: Timestamp,
    /// How the transcoder fares.
    pub health: Health,
}
