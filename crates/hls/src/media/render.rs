//! Writes a checked window down: one String, allocated once.

use std::fmt::Write;

use super::{CurrentMap, PlaylistType, Window};
use crate::VERSION;

/// Upper bound of the lines that every playlist has once, in bytes (all numbers at their longest).
const HEADER_BYTES: usize = 256;

/// Upper bound of a segment's lines without its URIs, in bytes (all tags, all numbers at their longest).
const SEGMENT_BYTES: usize = 224;

pub(super) fn media(window: &Window) -> String {
    let mut out = String::with_capacity(upper_bound(window));
    // Writing to a String cannot fail.
    let _ = write_window(&mut out, window);
    out
}

fn upper_bound(window: &Window) -> usize {
    let uris: usize = window
        .segments
        .iter()
        .map(|segment| segment.uri.as_str().len() + segment.map.as_ref().map_or(0, |map| map.as_str().len()))
        .sum();
    HEADER_BYTES + SEGMENT_BYTES * window.segments.len() + uris
}

fn write_window(out: &mut String, window: &Window) -> std::fmt::Result {
    writeln!(out, "#EXTM3U\n#EXT-X-VERSION:{VERSION}")?;
    writeln!(out, "#EXT-X-TARGETDURATION:{}", window.target_duration.seconds())?;
    writeln!(out, "#EXT-X-MEDIA-SEQUENCE:{}", window.media_sequence)?;
    // Always there, also at 0: a player that joins without it cannot line up renditions once a break
    // has left the window (Apple authoring specification 8.14).
    writeln!(out, "#EXT-X-DISCONTINUITY-SEQUENCE:{}", window.discontinuity_sequence)?;
    match window.playlist_type {
        PlaylistType::Live => {}
        PlaylistType::Event => out.push_str("#EXT-X-PLAYLIST-TYPE:EVENT\n"),
        PlaylistType::Vod => out.push_str("#EXT-X-PLAYLIST-TYPE:VOD\n"),
    }
    if window.independent_segments {
        out.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
    }

    let mut map = CurrentMap::default();
    for segment in &window.segments {
        if segment.discontinuity {
            out.push_str("#EXT-X-DISCONTINUITY\n");
        }
        if let Some(init) = map.tag_due(segment) {
            writeln!(out, "#EXT-X-MAP:URI=\"{init}\"")?;
        }
        // On every segment that has one: wherever the window starts, its first has the time, and no player has
        // to add up durations. Repetition costs little once compressed.
        if let Some(moment) = segment.program_date_time {
            writeln!(out, "#EXT-X-PROGRAM-DATE-TIME:{moment}")?;
        }
        if segment.gap {
            out.push_str("#EXT-X-GAP\n");
        }
        writeln!(out, "#EXTINF:{},", segment.duration)?;
        if let Some(range) = segment.byte_range {
            writeln!(out, "#EXT-X-BYTERANGE:{}@{}", range.length, range.offset)?;
        }
        writeln!(out, "{}", segment.uri)?;
    }
    if window.ended {
        out.push_str("#EXT-X-ENDLIST\n");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ByteRange, MediaDuration, Segment, TargetDuration, WallClock};

    #[test]
    fn the_longest_possible_values_stay_within_the_preallocation() {
        let segment =
            Segment::new("s".parse().unwrap(), MediaDuration::new(86_400_000_000, 1_000_000).unwrap())
                .with_map("i".parse().unwrap())
                .at(WallClock::from_unix_ms(253_402_300_799_999).unwrap())
                .after_break(true)
                .lost(true)
                .within(ByteRange { length: 1, offset: u64::MAX - 1 });
        let window = |count| Window {
            target_duration: TargetDuration::from_seconds(86_400).unwrap(),
            media_sequence: u64::MAX - count as u64,
            discontinuity_sequence: u64::MAX,
            playlist_type: PlaylistType::Event,
            ended: true,
            independent_segments: true,
            segments: vec![segment.clone(); count],
        };
        for count in [1, 30, 1_000] {
            let window = window(count);
            let text = media(&window);
            assert!(text.len() <= upper_bound(&window), "{count} segments: {}", text.len());
        }
    }
}
