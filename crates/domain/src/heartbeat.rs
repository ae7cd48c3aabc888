//! A transcoder's sign of life and how it fares, as stored.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::{BroadcastId, Lease, Region, SegmentNumber, SessionId, StreamId};
use crate::time::Timestamp;

/// How often a transcoder gives a sign of life.
pub const HEARTBEAT_EVERY: Duration = Duration::from_secs(2);
/// Without a sign of life for so long a transcoder counts as dead: 7 heartbeats, so that one slow hook is no death.
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
pub struct LeaseProgress {
    /// Their last segment.
    pub segment: SegmentNumber,
    /// Their last breaks, oldest first.
    pub breaks: Vec<Break>,
}

impl LeaseProgress {
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

/// A source that its transcoder cannot use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenUp {
    /// Why; the encoder is shown this.
    pub reason: String,
    /// Whether the same encoder with the same settings may do better on its next connection.
    pub retry: bool,
    /// Whether it is for what the source is, and not for a failure of ours: viewers are told the former only.
    #[serde(default)]
    pub is_source: bool,
}

/// How the preparation of a standby has come on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandbyHealth {
    /// Whether it has made a good segment in real time, of the source as it is: it can take over.
    pub ready: bool,
}

/// A holder has ended its last segment, so that its standby can go on behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quiesced {
    /// The standby it was told to hand over to.
    pub standby: Lease,
    /// Its last segment: closed and committed, like all before. It writes nothing until it is told.
    pub segment: SegmentNumber,
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
    /// Why it has given up that session's source, if it has; the encoder may still be sending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_up: Option<GivenUp>,
    /// Wall-clock time up to which media is committed: how late the broadcast is, whoever is slow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_until: Option<Timestamp>,
    /// When media was last committed: whether the broadcast flows, however late it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed_at: Option<Timestamp>,
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
    /// What is wrong with the source alone, for whoever watches: nothing of machines, stores or accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_problem: Option<String>,
    /// The last thing that went wrong, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Of a standby, until it is promoted: it writes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standby: Option<StandbyHealth>,
    /// That it has ended its last segment and waits for what becomes of its standby.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Quiesced>,
    /// When its process will be ended (SIGTERM), if it will. Until then it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaving_by: Option<Timestamp>,
}

impl Health {
    /// Of a process that has just started.
    pub fn starting() -> Self {
        Self {
            activity: Activity::Waiting,
            session: None,
            source_lost_since: None,
            given_up: None,
            segment: None,
            breaks: Vec::new(),
            media_until: None,
            committed_at: None,
            decode_errors: 0,
            mirror_lag: 0,
            fast_preset: false,
            renditions_dropped: 0,
            source_problem: None,
            problem: None,
            standby: None,
            held: None,
            leaving_by: None,
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

    /// When media last flowed. A task of an older version tells only how far its media reaches.
    pub fn flowed_at(&self) -> Option<Timestamp> {
        self.committed_at.or(self.media_until)
    }

    /// How far it has come, if it has committed anything.
    pub fn progress(&self) -> Option<LeaseProgress> {
        Some(LeaseProgress { segment: self.segment?, breaks: self.breaks.clone() })
    }
}

/// The latest heartbeat that one region's control plane took for a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The stream.
    pub stream: StreamId,
    /// Which region's control plane wrote it.
    pub region: Region,
    /// The broadcast.
    pub broadcast: BroadcastId,
    /// The lease that lives.
    pub lease: Lease,
    /// Fingerprint of the process that claimed the lease.
    pub fencing_token: String,
    /// When it was taken.
    pub at: Timestamp,
    /// How the transcoder fares.
    pub health: Health,
    /// How far others had come before, as far as their heartbeats were taken here: leases of this broadcast and the one before
    /// it, the newest of each region.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<Earlier>,
    /// Of a standby: since when it was heard of here without a break.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard_since: Option<Timestamp>,
}

/// How far one region's leases of a broadcast had come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    /// The broadcast.
    pub broadcast: BroadcastId,
    /// The region.
    pub region: Region,
    /// How far.
    pub progress: LeaseProgress,
}

impl Heartbeat {
    /// Whether its task writes nothing. Such a heartbeat is kept beside that of the lease that holds, in an item of its own.
    pub fn is_of_a_standby(&self) -> bool {
        self.health.standby.is_some()
    }

    /// How far leases have come that this region has heard of.
    pub fn lease_progress(&self) -> impl Iterator<Item = Earlier> {
        self.own().into_iter().chain(self.before.iter().cloned())
    }

    fn own(&self) -> Option<Earlier> {
        let (broadcast, region) = (self.broadcast.clone(), self.lease.region.clone());
        Some(Earlier { broadcast, region, progress: self.health.progress()? })
    }

    /// What of it the heartbeat of `next`, which takes its place, must keep.
    pub fn kept_for(&self, broadcast: &BroadcastId, next: &Lease) -> Vec<Earlier> {
        let mut before = self.before.clone();
        before.retain(|earlier| self.broadcast == *broadcast || self.broadcast == earlier.broadcast);
        if (broadcast, next) == (&self.broadcast, &self.lease) {
            return before;
        }
        let is_of_here =
            |one: &Earlier| (&one.broadcast, &one.region) == (&self.broadcast, &self.lease.region);
        if let Some(own) = self.own() {
            before.retain(|one| !is_of_here(one));
            before.push(own);
        } else if self.health.flowed_at().is_some() && !before.iter().any(is_of_here) {
            // Viewers have seen parts of a segment that was never closed: it has flowed, and has not come far.
            let progress = LeaseProgress { segment: SegmentNumber(0), breaks: Vec::new() };
            before.push(Earlier {
                broadcast: self.broadcast.clone(),
                region: self.lease.region.clone(),
                progress,
            });
        }
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::samples;

    #[test]
    fn breaks_are_counted_by_where_they_are() {
        let mut health = Health::starting();
        for (number, count) in [(10, 2), (11, 2), (14, 3), (15, 3), (16, 4)] {
            health.committed(SegmentNumber(number), count);
        }
        let progress = health.progress().unwrap();
        assert_eq!((progress.segment.0, progress.discontinuities()), (16, 4));
        let before = |number| progress.discontinuities_before(SegmentNumber(number));
        assert_eq!([9, 10, 11, 14, 15, 16, 17, 99].map(before), [0, 1, 2, 2, 3, 3, 4, 4]);
    }

    #[test]
    fn only_the_last_breaks_are_reported_and_each_at_once() {
        let mut health = Health::starting();
        let news: Vec<bool> =
            (0..20).map(|number| health.committed(SegmentNumber(number), number / 2)).collect();
        assert_eq!(news.iter().filter(|is_news| **is_news).count(), 10);
        let told: Vec<_> = health.breaks.iter().map(|one| one.segment.0).collect();
        assert_eq!(told, [12, 14, 16, 18]);
    }

    #[test]
    fn a_heartbeat_keeps_that_parts_were_shown_before_it() {
        let mut heartbeat = Heartbeat {
            stream: samples::stream_id(),
            region: samples::region_a(),
            broadcast: samples::broadcast(),
            lease: samples::lease(1),
            fencing_token: "process".into(),
            at: Timestamp(1),
            health: Health::starting(),
            before: Vec::new(),
            heard_since: None,
        };
        let kept = |heartbeat: &Heartbeat| {
            let kept = heartbeat.kept_for(&heartbeat.broadcast, &samples::lease(2));
            kept.into_iter().map(|earlier| earlier.progress.segment.0).collect::<Vec<_>>()
        };
        assert_eq!(kept(&heartbeat), [0; 0], "it has made nothing");
        heartbeat.health.committed_at = Some(Timestamp(1));
        assert_eq!(kept(&heartbeat), [0]);
        heartbeat.health.committed(SegmentNumber(7), 0);
        assert_eq!(kept(&heartbeat), [7]);
        // A successor that has only shown parts takes nothing away.
        heartbeat.before = heartbeat.kept_for(&heartbeat.broadcast, &samples::lease(2));
        (heartbeat.lease, heartbeat.health.segment) = (samples::lease(2), None);
        assert_eq!(heartbeat.kept_for(&heartbeat.broadcast, &samples::lease(3)), heartbeat.before);
    }

    #[test]
    fn a_heartbeat_keeps_how_far_those_before_it_had_come() {
        let lease = |number, region| Lease { region, ..samples::lease(number) };
        let (a, b) = (samples::region_a(), samples::region_b());
        let first = lease(1, a.clone());
        let mut heartbeat = Heartbeat {
            stream: samples::stream_id(),
            region: a.clone(),
            broadcast: samples::broadcast(),
            lease: first.clone(),
            fencing_token: "process".into(),
            at: Timestamp(1),
            health: Health::starting(),
            before: Vec::new(),
            heard_since: None,
        };
        let take = |heartbeat: &mut Heartbeat, next: Lease, segment: Option<u64>| {
            heartbeat.before = heartbeat.kept_for(&heartbeat.broadcast, &next);
            (heartbeat.lease, heartbeat.health) = (next, Health::starting());
            if let Some(number) = segment {
                heartbeat.health.committed(SegmentNumber(number), 0);
            }
        };
        take(&mut heartbeat, first, Some(7));
        assert!(heartbeat.before.is_empty(), "its own");
        take(&mut heartbeat, lease(2, b.clone()), Some(20));
        take(&mut heartbeat, lease(3, b.clone()), None);
        take(&mut heartbeat, lease(4, b.clone()), None);
        let reached = |heartbeat: &Heartbeat| -> Vec<_> {
            heartbeat.lease_progress().map(|it| (it.broadcast, it.region, it.progress.segment.0)).collect()
        };
        let broadcast = samples::broadcast();
        let known = [(broadcast.clone(), a, 7), (broadcast.clone(), b.clone(), 20)];
        assert_eq!(reached(&heartbeat), known);
        // Viewers of the broadcast before may still be there.
        let later = |ms| BroadcastId::new(&samples::stream_id(), broadcast.unix_ms() + ms, 1);
        for (ms, kept) in [(1, 2), (1, 2), (2, 0)] {
            heartbeat.before = heartbeat.kept_for(&later(ms), &lease(1, b.clone()));
            (heartbeat.broadcast, heartbeat.lease) = (later(ms), lease(1, b.clone()));
            assert_eq!(reached(&heartbeat).len(), kept);
        }
    }
}
