//! The timeline of a broadcast: which media exists, in order. Playlists are rendered from it.
//!
//! Entries are immutable and keyed by their lease; each is written after all its objects are stored. Leases are totally
//! ordered, and an entry of a higher lease replaces every entry of a lower one from its own number on.
//! Invariant: two regions that hold the same entries compute the same timeline.

use serde::{Deserialize, Serialize};

use crate::ids::{BroadcastId, Lease, Region, SegmentNumber, SessionId};
use crate::time::{MediaTime, Span, Timestamp};

/// Where broadcasts begin on their own time axis: room for decode times before the first presentation time.
pub const EPOCH: MediaTime = MediaTime::video(10 * 90_000);

/// A picture or a sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackKind {
    /// H.264 video.
    Video {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
        /// Frames per 1000 seconds.
        millifps: u32,
    },
    /// AAC audio.
    Audio {
        /// Channels.
        channels: u32,
    },
}

/// One rendition's part in an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryRendition {
    /// `720p`, `audio`: names the playlist and the folder.
    pub name: String,
    /// What it is.
    pub kind: TrackKind,
    /// RFC 6381 codecs string, from the bitstream.
    pub codecs: String,
    /// Bytes of the media object.
    pub bytes: u64,
    /// The encoder's bound in bits per second; with container overhead.
    pub max_bitrate: u64,
    /// Object path of the initialization section; may belong to an earlier lease with the very same bytes.
    pub init: String,
    /// Fingerprint of the initialization section.
    pub init_hash: String,
    /// Whether it is the source's own packets.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub copied: bool,
}

/// One partial segment of a low-latency broadcast, in all renditions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryPart {
    /// The video's exact stretch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<Span>,
    /// The audio's exact stretch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<Span>,
    /// Whether its video begins with an IDR (INDEPENDENT=YES).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub independent: bool,
    /// Whether its objects could not be stored (GAP=YES).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gap: bool,
    /// The lease that stored it, if a successor has taken over in mid-segment; else the entry's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
}

/// Where an entry's media came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourcePosition {
    /// The publisher's session.
    pub session: SessionId,
    /// The session's run of constant headers and time.
    pub run: u32,
    /// Broadcast time minus the run's time, in 1/90000 s.
    pub offset: i64,
    /// From where the gateway must serve to go on after this entry.
    pub cursor: u64,
}

/// One segment of the broadcast, in all renditions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The broadcast.
    pub broadcast: BroadcastId,
    /// Who wrote it.
    pub lease: Lease,
    /// Its media sequence number.
    pub number: SegmentNumber,
    /// When it was written.
    pub committed_at: Timestamp,
    /// Wall-clock time of its first frame (EXT-X-PROGRAM-DATE-TIME).
    pub program_date_time: Timestamp,
    /// Whether its media does not continue that of the entry before.
    pub discontinuity: bool,
    /// Discontinuities in the broadcast up to and including this entry.
    pub discontinuities: u64,
    /// Whether its objects could not be stored (EXT-X-GAP).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gap: bool,
    /// The video's exact stretch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<Span>,
    /// The audio's exact stretch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<Span>,
    /// What there is of it.
    pub renditions: Vec<EntryRendition>,
    /// Its partial segments, of a low-latency broadcast.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<EntryPart>,
    /// Whether more parts are to come: there is no segment yet, only its parts; spans and bytes are those of the parts.
    /// The same item is written again with each part, and closed at last.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
    /// Where it came from.
    pub source: SourcePosition,
}

/// How far an entry has come. Each write of the same item must be a greater one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Progress {
    /// So many parts.
    Parts(usize),
    /// The whole segment.
    Closed,
}

impl Entry {
    /// The stretch that counts for its length: video if there is any.
    pub fn span(&self) -> Option<Span> {
        self.video.or(self.audio)
    }

    /// Wall-clock time of its end.
    pub fn until(&self) -> Timestamp {
        self.program_date_time + self.span().map(|span| span.duration.to_duration()).unwrap_or_default()
    }

    /// The path of one rendition's media object: URL path at the edge and object key in both buckets.
    pub fn media_path(&self, rendition: &str) -> String {
        format!("{}/{rendition}/{}.m4s", media_prefix(&self.broadcast, &self.lease), self.number.0)
    }

    /// The path of one rendition's part, also of the next one that is not there yet.
    pub fn part_path(&self, rendition: &str, part: usize) -> String {
        let lease = self.parts.get(part).and_then(|part| part.lease.as_ref()).unwrap_or(&self.lease);
        part_path(&self.broadcast, lease, rendition, self.number, part)
    }

    /// How far it has come.
    pub fn progress(&self) -> Progress {
        if self.open { Progress::Parts(self.parts.len()) } else { Progress::Closed }
    }
}

/// The path of a part: `<region>/parts/<broadcast>/<lease>/<rendition>/<segment>.<part>.m4s`. Parts expire in a day.
pub fn part_path(
    broadcast: &BroadcastId,
    lease: &Lease,
    rendition: &str,
    number: SegmentNumber,
    part: usize,
) -> String {
    format!("{}/parts/{broadcast}/{lease}/{rendition}/{}.{part}.m4s", lease.region, number.0)
}

/// Folder of all objects that a lease writes: `<region>/media/<broadcast>/<lease>`.
pub fn media_prefix(broadcast: &BroadcastId, lease: &Lease) -> String {
    format!("{}/media/{broadcast}/{lease}", lease.region)
}

/// The path of a rendition's media playlist in low latency, where the answer may wait for media.
pub fn low_latency_path(region: &Region, broadcast: &BroadcastId, rendition: &str) -> String {
    format!("{region}/low-latency/{broadcast}/{rendition}.m3u8")
}

/// The path of a rendition's media playlist; `region` is asked first.
pub fn playlist_path(region: &Region, broadcast: &BroadcastId, rendition: &str) -> String {
    format!("{region}/playlists/{broadcast}/{rendition}.m3u8")
}

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
            copied: entry.renditions.iter().filter(|one| one.copied).map(|one| one.name.clone()).collect(),
            open: Vec::new(),
        }
    }
}

/// Segments that a takeover from another region leaves out beyond those that time tells of.
const TAKEOVER_MARGIN: u64 = 2;

/// Where a lease of `region` goes on after `line`, all that is seen there, resolved.
///
/// In one region that is right behind the last segment; if parts of the next one are out already, it is made anew and
/// goes on behind them. From the other region newer entries may be on their way still, so it goes on behind all that can
/// have been written by now; what turns out to be missing becomes EXT-X-GAP.
pub fn takeover(
    line: &[Entry],
    region: &Region,
    shortest: std::time::Duration,
    now: Timestamp,
) -> Option<ResumePoint> {
    let (last, before) = line.split_last()?;
    if last.lease.region != *region {
        // Its bucket may be gone for good with its region: no segment of ours may need anything from it.
        let mut point = ResumePoint { inits: Vec::new(), ..ResumePoint::after(last) };
        let unseen = now.since(last.committed_at).as_millis().div_ceil(shortest.as_millis().max(1));
        point.next.0 += u64::try_from(unseen).unwrap_or(u64::MAX / 2) + TAKEOVER_MARGIN;
        return Some(point);
    }
    if !last.open {
        return Some(ResumePoint::after(last));
    }
    let closed = before.last().filter(|closed| !closed.open && closed.number.next() == last.number)?;
    let by = |part: &EntryPart| EntryPart {
        lease: part.lease.clone().or(Some(last.lease.clone())),
        ..part.clone()
    };
    // A break in front of it stays one: its successor's segment follows the same one before.
    let open = if last.discontinuity { Vec::new() } else { last.parts.iter().map(by).collect() };
    Some(ResumePoint { open, ..ResumePoint::after(closed) })
}

/// Puts entries of several leases into the one order that viewers see, oldest first: from each number on, the highest
/// lease that wrote at or before it wins.
pub fn resolve(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.sort_by(|a, b| (&b.lease, b.number).cmp(&(&a.lease, a.number)));
    let mut line: Vec<Entry> = Vec::with_capacity(entries.len());
    for entry in entries {
        // Descending by lease, then number: `line` ends with the lowest number taken so far.
        if line.last().is_none_or(|lowest| entry.number < lowest.number) {
            line.push(entry);
        }
    }
    line.reverse();
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::samples;

    fn numbers(entries: &[Entry]) -> Vec<(u32, u64)> {
        entries.iter().map(|entry| (entry.lease.number.0, entry.number.0)).collect()
    }

    #[test]
    fn a_higher_lease_replaces_all_from_its_first_number_on() {
        let entries = vec![
            samples::entry(1, 0),
            samples::entry(1, 1),
            samples::entry(1, 2),
            samples::entry(1, 3),
            samples::entry(2, 2),
            samples::entry(3, 4),
        ];
        assert_eq!(numbers(&resolve(entries)), [(1, 0), (1, 1), (2, 2), (3, 4)]);
    }

    #[test]
    fn a_takeover_goes_on_behind_all_that_the_other_region_can_have_written() {
        let last = samples::entry(1, 7);
        let later = Timestamp(last.committed_at.0 + 4_001);
        let second = std::time::Duration::from_secs(2);
        let next = |region| takeover(std::slice::from_ref(&last), &region, second, later).unwrap().next;
        assert_eq!(next(samples::region_a()), SegmentNumber(8));
        assert_eq!(next(samples::region_b()), SegmentNumber(8 + 3 + 2));
    }

    #[test]
    fn a_takeover_from_the_other_region_needs_nothing_from_its_bucket() {
        let last = samples::entry(1, 7);
        let second = std::time::Duration::from_secs(1);
        let inits = |region| {
            takeover(std::slice::from_ref(&last), &region, second, last.committed_at).unwrap().inits.len()
        };
        assert_eq!((inits(samples::region_a()), inits(samples::region_b())), (2, 0));
    }

    #[test]
    fn a_takeover_makes_an_open_segment_anew_and_keeps_the_parts_that_are_out() {
        let part = |lease| EntryPart {
            video: samples::entry(1, 8).video,
            audio: None,
            independent: true,
            gap: false,
            lease,
        };
        let open = Entry { open: true, parts: vec![part(None)], ..samples::entry(1, 8) };
        let line = [samples::entry(1, 7), open.clone()];
        let second = std::time::Duration::from_secs(1);
        let point = takeover(&line, &samples::region_a(), second, open.committed_at).unwrap();
        assert_eq!((point.next, point.open), (SegmentNumber(8), vec![part(Some(samples::lease(1)))]));
        assert_eq!(takeover(&line[1..], &samples::region_a(), second, open.committed_at), None);
        assert_eq!(
            open.part_path("720p", 1),
            part_path(&open.broadcast, &open.lease, "720p", open.number, 1)
        );
    }

    proptest! {
        /// Whatever arrives, in whatever order: one order, strictly rising numbers, and the same in both regions.
        #[test]
        fn the_order_of_arrival_does_not_matter(mut writes in proptest::collection::vec((1u32..5, 0u64..20), 0..40), seed: u64) {
            writes.sort();
            writes.dedup();
            let entries: Vec<_> = writes.iter().map(|&(lease, number)| samples::entry(lease, number)).collect();
            let mut shuffled = entries.clone();
            shuffled.sort_by_key(|entry| (entry.number.0 ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let line = resolve(entries);
            prop_assert_eq!(numbers(&line), numbers(&resolve(shuffled)));
            prop_assert!(line.windows(2).all(|pair| pair[0].number < pair[1].number && pair[0].lease <= pair[1].lease));
        }
    }
}
