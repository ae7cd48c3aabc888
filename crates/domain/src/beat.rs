//! A transcoder's sign of life and how it fares, as stored.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::{BroadcastId, Lease, Region, SegmentNumber, SessionId, StreamId};
use crate::time::Timestamp;

/// How often a transcoder gives a sign of life.
pub const BEAT_EVERY: Duration = Duration::from_secs(2);
/// Without a sign of life for so long a transcoder counts as dead: 7 beats, so that one slow hook is no death.
pub const DEAD_AFTER: Duration = Duration::from_secs(15);
/// Breaks that a transcoder tells of: that of a connection just lost, and some of the minutes before.
pub const MAX_BREAKS_TOLD: usize = 4;

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

/// A segment before which the count of discontinuities rose, and that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Break {
    /// The segment.
    pub segment: SegmentNumber,
    /// Discontinuities in the broadcast up to and including it.
    pub discontinuities: u64,
}

/// How far leases have come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// Their last segment.
    pub segment: SegmentNumber,
    /// Their last breaks, oldest first.
    pub breaks: Vec<Break>,
}

impl Reach {
    /// Discontinuities up to the last segment.
    pub fn discontinuities(&self) -> u64 {
        self.breaks.last().map_or(0, |last| last.discontinuities)
    }

    /// Discontinuities before segment `number`, at least: each segment has one at most.
    pub fn discontinuities_before(&self, number: SegmentNumber) -> u64 {
        let counted = |one: &Break| match one.segment.0.checked_sub(number.0) {
            Some(ahead) => one.discontinuities.saturating_sub(ahead + 1),
            None => one.discontinuities,
        };
        self.breaks.iter().map(counted).max().unwrap_or(0)
    }
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
    /// The last breaks it committed, oldest first; the first segment counts as one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breaks: Vec<Break>,
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
            breaks: Vec::new(),
            media_until: None,
            decode_errors: 0,
            mirror_lag: 0,
            fast_preset: false,
            renditions_dropped: 0,
            problem: None,
        }
    }

    /// `segment` is committed; whether it stands behind a break that is to be told at once.
    pub fn committed(&mut self, segment: SegmentNumber, discontinuities: u64) -> bool {
        self.segment = Some(segment);
        if self.breaks.last().is_some_and(|last| last.discontinuities >= discontinuities) {
            return false;
        }
        if self.breaks.len() == MAX_BREAKS_TOLD {
            self.breaks.remove(0);
        }
        self.breaks.push(Break { segment, discontinuities });
        true
    }

    /// How far it has come, if it has committed anything.
    pub fn reach(&self) -> Option<Reach> {
        Some(Reach { segment: self.segment?, breaks: self.breaks.clone() })
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
    /// How far each region's leases had come before this one, as far as their beats were taken here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub before: BTreeMap<Region, Reach>,
}

impl Beat {
    /// How far leases have come that this region has heard of, and of which region they are.
    pub fn reaches(&self) -> impl Iterator<Item = (&Region, Reach)> {
        let own = self.health.reach().map(|reach| (&self.lease.region, reach));
        own.into_iter().chain(self.before.iter().map(|(region, reach)| (region, reach.clone())))
    }

    /// What of it the beat of another lease that takes its place must keep.
    pub fn kept_for(&self, next: &Lease) -> BTreeMap<Region, Reach> {
        let mut before = self.before.clone();
        if self.lease != *next {
            before.extend(self.health.reach().map(|reach| (self.lease.region.clone(), reach)));
        }
        before
    }
}
