//! The timeline of a broadcast: which media exists, in order. Playlists are rendered from it.
//!
//! Entries are immutable and keyed by their number and lease; each is written after all its objects are stored. Leases
//! are totally ordered, and of a number's entries the highest lease's is shown.
//! Invariant: two regions that hold the same entries compute the same timeline.

use serde::{Deserialize, Serialize};

mod discontinuity;
mod gaps;
mod rendition;
mod takeover;
mod window;

pub use discontinuity::{DiscontinuityCounts, breaks_shown};
pub use gaps::{Gap, MAX_GAP_NUMBERS};
pub use rendition::{PICTURES, SOUND, Wanted, span_for};
pub use takeover::{ResumePoint, Takeover};
pub use window::{after_long_gap, in_window, latest_of_each_number, numbers, window_bounds};

use crate::ids::{BroadcastId, Lease, Region, SegmentNumber, SessionId};
use crate::paths::{self, PartPath};
use crate::retention::Retention;
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
    /// How long its objects are kept: where they lie says the same.
    #[serde(default, skip_serializing_if = "Retention::is_recorded")]
    pub retention: Retention,
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
        let named = self.rendition(rendition);
        let retention = named.map(|one| one.retention).unwrap_or_default();
        paths::media_path(&self.broadcast, &self.lease, retention, rendition, self.number)
    }

    /// Whether all its media is for the running broadcast only.
    pub fn is_unrecorded(&self) -> bool {
        !self.renditions.is_empty() && !self.renditions.iter().any(|one| one.retention.is_recorded())
    }

    /// The path of one rendition's part, also of the next one that is not there yet.
    pub fn part_path(&self, rendition: &str, part: usize) -> String {
        let lease = self.parts.get(part).and_then(|part| part.lease.as_ref()).unwrap_or(&self.lease);
        paths::part_path(&self.broadcast, lease, rendition, self.number, part)
    }

    /// Whether it says that a part is stored.
    pub fn stores(&self, path: &PartPath) -> bool {
        let is_stored = self.renditions.iter().any(|one| one.name == path.rendition.as_str()) && !self.gap;
        let names_it = self.parts.get(path.part).is_some_and(|part| {
            part.lease.as_ref().unwrap_or(&self.lease) == &path.lease && self.number == path.number
        });
        is_stored && names_it
    }

    /// How far it has come.
    pub fn progress(&self) -> Progress {
        if self.open { Progress::Parts(self.parts.len()) } else { Progress::Closed }
    }
}

/// Entries that have not been replaced within their own region, by number, the highest lease first: a lease goes on right
/// behind those of its region, so what they write there later, it has made itself.
pub fn in_force(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.sort_by(|a, b| (&b.lease, b.number).cmp(&(&a.lease, a.number)));
    // Descending by lease, then number: what each region's higher leases have begun with.
    let mut begun: Vec<(Region, SegmentNumber)> = Vec::with_capacity(2);
    entries.retain(|entry| {
        let Some((_, from)) = begun.iter_mut().find(|(region, _)| *region == entry.lease.region) else {
            begun.push((entry.lease.region.clone(), entry.number));
            return true;
        };
        let is_before = entry.number < *from;
        *from = entry.number.min(*from);
        is_before
    });
    entries.sort_by_key(|entry| entry.number);
    entries
}

/// Puts entries of several leases into the one order that viewers see, oldest first: each number is the highest lease's
/// that wrote it. Two regions that knew nothing of each other have both written, so what the lower lease wrote beyond the
/// higher one's end is shown until that one goes on behind it; nothing that was shown is taken back.
pub fn resolve(entries: Vec<Entry>) -> Vec<Entry> {
    let mut line = in_force(entries);
    line.dedup_by_key(|entry| entry.number);
    for index in 1..line.len() {
        // It goes on with its own lease's media, not with what is shown before it.
        let goes_on_elsewhere = line[index].lease < line[index - 1].lease;
        line[index].discontinuity |= goes_on_elsewhere;
    }
    line
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::testing::samples;

    fn numbers(entries: &[Entry]) -> Vec<(u32, u64)> {
        entries.iter().map(|entry| (entry.lease.number.0, entry.number.0)).collect()
    }

    #[test]
    fn an_entry_ends_where_its_pictures_or_else_its_sound_does() {
        let entry = samples::entry(1, 0);
        let (video, audio) = (entry.video.unwrap(), entry.audio.unwrap());
        let end = |entry: &Entry| entry.until().since(entry.program_date_time);
        let whole = |duration: Duration| Duration::from_millis(u64::try_from(duration.as_millis()).unwrap());
        assert_eq!(end(&entry), whole(video.duration.to_duration()));
        assert!(end(&entry) >= Duration::from_secs(1));
        let sound = Entry { video: None, ..entry.clone() };
        assert_eq!(end(&sound), whole(audio.duration.to_duration()));
        assert_eq!(end(&Entry { video: None, audio: None, ..entry }), Duration::ZERO);
    }

    #[test]
    fn an_entry_says_which_parts_are_stored() {
        let path = PartPath {
            broadcast: samples::broadcast(),
            lease: samples::lease(1),
            rendition: "720p".parse().unwrap(),
            number: SegmentNumber(7),
            part: 2,
        };
        let part = |lease| EntryPart { video: None, audio: None, independent: false, gap: false, lease };
        let parts = vec![part(None), part(None), part(None)];
        let entry = Entry { open: true, parts, ..samples::entry(1, 7) };
        assert!(entry.stores(&path));
        assert!(!entry.stores(&PartPath { part: 3, ..path.clone() }));
        assert!(!entry.stores(&PartPath { rendition: "90p".parse().unwrap(), ..path.clone() }));
        assert!(!Entry { gap: true, ..entry.clone() }.stores(&path));
        let adopted = Entry { parts: vec![part(Some(samples::lease(1))); 3], ..samples::entry(2, 7) };
        assert!(adopted.stores(&path), "a successor names its predecessor's parts");
        assert!(!Entry { lease: samples::lease(2), ..entry }.stores(&path));
    }

    #[test]
    fn in_one_region_a_higher_lease_replaces_all_from_its_first_number_on() {
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
    fn what_the_other_region_wrote_beyond_it_stays_behind_a_break() {
        let of_b = |number| {
            let entry = samples::entry(2, number);
            Entry { lease: Lease { region: samples::region_b(), ..entry.lease.clone() }, ..entry }
        };
        let entries =
            vec![samples::entry(1, 0), of_b(3), of_b(4), of_b(5), samples::entry(3, 1), samples::entry(3, 3)];
        let line = resolve(entries);
        assert_eq!(numbers(&line), [(1, 0), (3, 1), (3, 3), (2, 4), (2, 5)]);
        let breaks: Vec<_> = line.iter().map(|entry| entry.discontinuity).collect();
        assert_eq!(breaks, [false, false, false, true, false]);
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
