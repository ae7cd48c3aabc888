//! Where a new lease goes on.
//!
//! In one region that is exactly behind the last segment. Of the other region's entries the last ones may be on their
//! way still, so a lease goes on behind all that can have been written by now; what turns out to be missing becomes
//! EXT-X-GAP.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{EPOCH, Entry, EntryPart, SourcePosition, TrackKind, resolve};
use crate::ids::{Lease, Region, SegmentNumber, SessionId};
use crate::time::{MediaTime, Timestamp};

/// What a transcoder must know to go on exactly where the timeline ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResumePoint {
    /// Number of the next segment.
    pub next: SegmentNumber,
    /// Discontinuities so far.
    pub discontinuities: u64,
    /// End of the video, if the last entry had any.
    pub video_end: Option<MediaTime>,
    /// End of the audio, if the last entry had any.
    pub audio_end: Option<MediaTime>,
    /// Wall-clock time of that end.
    pub until: Timestamp,
    /// Where the source stands.
    pub source: SourcePosition,
    /// Initialization sections that may be referred to again: (rendition, object path, fingerprint). None after a gap:
    /// those that it names may not be stored; none of the other region.
    pub inits: Vec<(String, String, String)>,
    /// Names of the renditions with pictures that the broadcast has had of late: each goes on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Renditions that were the source's own packets.
    #[serde(default)]
    pub copied: Vec<String>,
    /// Parts of the next segment that viewers have seen already: it must be cut at the same instants, and go on behind
    /// them.
    #[serde(default)]
    pub open: Vec<EntryPart>,
}

impl ResumePoint {
    /// After `entry`.
    pub fn after(entry: &Entry) -> Self {
        Self {
            next: entry.number.next(),
            discontinuities: entry.discontinuities,
            video_end: entry.video.map(|span| span.end()),
            audio_end: entry.audio.map(|span| span.end()),
            until: entry.until(),
            source: entry.source.clone(),
            inits: entry
                .renditions
                .iter()
                .filter(|_| !entry.gap)
                .map(|rendition| {
                    (rendition.name.clone(), rendition.init.clone(), rendition.init_hash.clone())
                })
                .collect(),
            names: picture_names([entry]),
            copied: entry.renditions.iter().filter(|one| one.copied).map(|one| one.name.clone()).collect(),
            open: Vec::new(),
        }
    }
}

/// Names of renditions with pictures, the newest entry's first.
fn picture_names<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for one in entries.into_iter().flat_map(|entry| &entry.renditions) {
        if matches!(one.kind, TrackKind::Video { .. }) && !names.contains(&one.name) {
            names.push(one.name.clone());
        }
    }
    names
}

/// Segments that are left out beyond those that time tells of: for clocks that differ by a second, and one that was cut
/// short.
const MARGIN: u64 = 2;

/// Media that is so late when it is committed is no later than usual: segments, encoding, uploads.
const USUAL_LATENESS: Duration = Duration::from_secs(10);
/// Segments in a row that show how late a source is by itself.
const LATE_SEGMENTS: usize = 10;
/// If they have become so much less late, their task was catching up, and may have made more than time tells since.
const CATCHING_UP: Duration = Duration::from_secs(3);

/// How late the source itself is, beyond what is usual. An encoder at 0.9× is later with every second, for ever: media up to
/// now cannot have been written, and a hole for it would be minutes of gaps.
fn source_lateness(line: &[Entry]) -> Duration {
    let newest = &line[line.len().saturating_sub(LATE_SEGMENTS)..];
    let late = |entry: &Entry| entry.committed_at.since(entry.until());
    let (least, most) = (newest.iter().map(late).min(), newest.iter().map(late).max());
    let (Some(last), Some(least), Some(most)) = (newest.last().map(late), least, most) else {
        return Duration::ZERO;
    };
    if newest.len() < LATE_SEGMENTS || most.saturating_sub(last) > CATCHING_UP {
        return Duration::ZERO;
    }
    least.saturating_sub(USUAL_LATENESS)
}

/// A lease that takes over, and what is known where it asks.
#[derive(Debug, Clone)]
pub struct Takeover<'a> {
    /// The lease.
    pub lease: &'a Lease,
    /// What leases below it have written, as far as it is seen.
    pub written: Vec<Entry>,
    /// Leases of its broadcast that are known of, also if nothing of theirs is seen.
    pub known: Vec<&'a Lease>,
    /// Whose replica all this was read from: of its own region's leases everything is seen there.
    pub seen_in: &'a Region,
    /// When the broadcast began.
    pub began: Timestamp,
    /// Media of a segment, at least.
    pub shortest: Duration,
}

impl Takeover<'_> {
    /// Where it goes on; `None` if nothing is there to go on from.
    pub fn resume(self, now: Timestamp) -> Option<ResumePoint> {
        let line = resolve(self.written.clone());
        let late = source_lateness(&line);
        let mut point = match line.split_last() {
            None if self.may_be_unseen(None) => {
                self.behind(&ResumePoint::unseen(self.began), None, late, now)
            }
            None => return None,
            Some((last, _)) if self.may_be_unseen(Some(last)) => {
                self.behind(&ResumePoint::after(last), Some(&last.lease), late, now)
            }
            Some((last, before)) => self.exactly_behind(last, before)?,
        };
        // The last entry may lack some: a busy machine leaves renditions out, an encoder sends sound only.
        point.names = picture_names(line.iter().rev());
        if let Some(last) = line.last() {
            // What a lease that was replaced has shown beyond the end is never shown as something else again.
            let replaced = self.written.iter().filter(|entry| entry.lease != last.lease);
            if let Some(beyond) = replaced.map(|entry| entry.number).max().filter(|it| *it >= point.next) {
                point.next = beyond.next();
                point.open.clear();
            }
        }
        // Also what regions that knew nothing of each other have counted apart.
        let counted = self.written.iter().filter(|entry| entry.number < point.next);
        let counted = counted.map(|entry| entry.discontinuities).max().unwrap_or(0);
        point.discontinuities = point.discontinuities.max(counted);
        // The other region's bucket may be gone for good with its region: no segment may need anything from it.
        let own = format!("{}/", self.lease.region);
        point.inits.retain(|(_, path, _)| path.starts_with(&own));
        Some(point)
    }

    /// Whether entries behind `last` may have been written that are not seen here.
    fn may_be_unseen(&self, last: Option<&Entry>) -> bool {
        let is_of_here = |lease: &Lease| lease.region == *self.seen_in;
        let hidden = |lease: &&Lease| {
            *lease < self.lease && !is_of_here(lease) && last.is_none_or(|last| **lease > last.lease)
        };
        let goes_on = last.is_none_or(|last| is_of_here(&last.lease) && is_of_here(self.lease));
        !goes_on || self.known.iter().any(hidden)
    }

    /// Behind all that can have been made of the media since `point`, which is the end of the lease `after`, of a source
    /// that is `late`, each segment behind a break, so that the count of breaks does not go back either where those segments
    /// are seen.
    fn behind(
        &self,
        point: &ResumePoint,
        after: Option<&Lease>,
        late: Duration,
        now: Timestamp,
    ) -> ResumePoint {
        let unseen = now.since(point.until + late).as_millis().div_ceil(self.shortest.as_millis().max(1));
        // A lease between has left as much out, and has then made what its gateway had kept until it was up.
        let numbers = u64::from(self.lease.number.0.saturating_sub(after.map_or(1, |after| after.number.0)));
        let leases = numbers.saturating_sub(after.map_or(0, |after| self.in_a_row(after))).max(1);
        let hole = (u64::try_from(unseen).unwrap_or(u64::MAX >> 40) + MARGIN).saturating_mul(leases);
        let next = point.next.0 + hole;
        // How far back a lease between saw, and so how many breaks it has counted, is not known: not more than numbers.
        let discontinuities = if leases > 1 { next } else { point.discontinuities + hole };
        ResumePoint { next: SegmentNumber(next), discontinuities, open: Vec::new(), ..point.clone() }
    }

    /// Leases between `after` and this one that are known to be of the region of `after`: each has gone on exactly where
    /// the one before it ended, so what it has made is told by the time, and standbys that were withdrawn have made nothing.
    /// Only the replica of another region than theirs knows all others that there are.
    fn in_a_row(&self, after: &Lease) -> u64 {
        let between = |lease: &&&Lease| after.number < lease.number && lease.number < self.lease.number;
        let (of_it, others): (Vec<&Lease>, Vec<&Lease>) =
            self.known.iter().filter(between).copied().partition(|lease| lease.region == after.region);
        let is_alone = |lease: &&Lease| others.iter().all(|other| other.number != lease.number);
        let numbers: BTreeSet<_> = of_it.into_iter().filter(is_alone).map(|lease| lease.number).collect();
        if after.region == *self.seen_in { 0 } else { numbers.len() as u64 }
    }

    /// Right behind the last segment; if parts of the next one are out already, it is made anew and goes on behind them.
    fn exactly_behind(&self, last: &Entry, before: &[Entry]) -> Option<ResumePoint> {
        if !last.open {
            return Some(ResumePoint::after(last));
        }
        let closed = before.iter().rev().find(|entry| !entry.open);
        let point = match closed {
            Some(closed) => ResumePoint::after(closed),
            None if last.number == SegmentNumber(0) => return None,
            None => ResumePoint::unseen(self.began),
        };
        if closed.is_none() || point.next != last.number {
            // It was begun behind a hole: what it follows is too far back for it to be the same segment again.
            return Some(ResumePoint {
                next: last.number.next(),
                discontinuities: last.discontinuities,
                ..point
            });
        }
        let by = |part: &EntryPart| EntryPart {
            lease: part.lease.clone().or(Some(last.lease.clone())),
            ..part.clone()
        };
        // A break in front of it stays one: its successor's segment follows the same one before.
        let open = if last.discontinuity { Vec::new() } else { last.parts.iter().map(by).collect() };
        Some(ResumePoint { open, ..point })
    }
}

impl ResumePoint {
    /// Of a broadcast that somebody has begun to write, of which nothing is seen.
    fn unseen(began: Timestamp) -> Self {
        Self {
            next: SegmentNumber(0),
            discontinuities: 0,
            video_end: Some(EPOCH),
            audio_end: None,
            until: began,
            // No session: whatever is read is another one.
            source: SourcePosition { session: SessionId::from_random(0), run: 0, offset: 0, cursor: 0 },
            inits: Vec::new(),
            names: Vec::new(),
            copied: Vec::new(),
            open: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
