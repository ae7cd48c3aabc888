//! Entries in parts, as a transcoder in low latency writes them.

use crate::ids::Lease;
use crate::testing::samples;
use crate::time::{MediaTime, Span};
use crate::timeline::{Entry, EntryPart};

/// Frames of AAC that end at or before a point of video time (1/90000 s), in samples.
fn samples_until(ticks: u64) -> u64 {
    (ticks * 8 / 15) / 1_024 * 1_024
}

/// The first `count` parts of a segment, half a second each.
pub fn half_seconds(number: u64, count: u64) -> Vec<EntryPart> {
    let start = samples::entry(1, number).video.map_or(0, |span| span.start.ticks);
    let part = |index: u64| {
        let (from, to) = (start + index * 45_000, start + (index + 1) * 45_000);
        let (first, end) = (samples_until(from), samples_until(to));
        EntryPart {
            video: Some(Span { start: MediaTime::video(from), duration: MediaTime::video(45_000) }),
            audio: Some(Span { start: MediaTime::audio(first), duration: MediaTime::audio(end - first) }),
            independent: index == 0,
            gap: false,
            lease: None,
        }
    };
    (0..count).map(part).collect()
}

/// A segment of which so many parts are there.
pub fn open_entry(lease: &Lease, number: u64, parts: u64) -> Entry {
    let mut entry = closed_entry(lease, number);
    entry.parts.truncate(usize::try_from(parts).unwrap_or(usize::MAX));
    entry.open = true;
    entry.committed_at.0 = entry.program_date_time.0 + parts * 500 + 200;
    let cut = |span: Span, ticks: u64| Span { duration: MediaTime { ticks, ..span.duration }, ..span };
    let audio = entry.parts.iter().filter_map(|part| part.audio).map(|span| span.duration.ticks).sum();
    (entry.video, entry.audio) =
        (entry.video.map(|span| cut(span, parts * 45_000)), entry.audio.map(|span| cut(span, audio)));
    entry
}

/// A whole segment, made in four parts.
pub fn closed_entry(lease: &Lease, number: u64) -> Entry {
    Entry { lease: lease.clone(), parts: half_seconds(number, 4), ..samples::entry(1, number) }
}
