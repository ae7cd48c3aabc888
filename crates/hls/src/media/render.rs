//! Writes a checked window down: one String, allocated once.

use std::fmt::Write;

use super::{CurrentMap, LowLatency, PARTS_TARGETS, PlaylistType, SKIP_TARGETS, Window};
use crate::{DELTA_VERSION, Part, Segment, Uri, VERSION, WallClock};

/// Upper bound of the lines that every playlist has once, in bytes (all numbers at their longest).
const HEADER_BYTES: usize = 512;

/// Upper bound of a segment's lines without its URIs, in bytes (all tags, all numbers at their longest).
const SEGMENT_BYTES: usize = 224;

/// The tag of a break.
const BREAK: &str = "#EXT-X-DISCONTINUITY\n";

/// Upper bound of a part's or a report's line without its URI, in bytes.
const LINE_BYTES: usize = 96;

/// The playlist without its first `skipped` segments.
pub(super) fn media(window: &Window, skipped: usize) -> String {
    let mut out = String::with_capacity(upper_bound(window));
    // Writing to a String cannot fail.
    let _ = write_window(&mut out, window, skipped);
    out
}

fn upper_bound(window: &Window) -> usize {
    let length = |uri: &Uri| uri.as_str().len();
    let parts = |parts: &[Part]| parts.iter().map(|part| LINE_BYTES + length(&part.uri)).sum::<usize>();
    let breaks = |further: u64| BREAK.len() * usize::try_from(further).unwrap_or(usize::MAX / BREAK.len());
    let segment = |segment: &Segment| {
        let uris = length(&segment.uri) + segment.map.as_ref().map_or(0, length);
        SEGMENT_BYTES + uris + parts(&segment.parts) + breaks(segment.further_breaks)
    };
    let low = |low: &LowLatency| {
        let open = low.open.as_ref();
        let open = open.map_or(0, |one| {
            let init = one.map.as_ref().map_or(0, length);
            SEGMENT_BYTES + init + parts(&one.parts) + breaks(one.further_breaks)
        });
        let reports: usize = low.reports.iter().map(|report| LINE_BYTES + length(&report.uri)).sum();
        open + low.hint.as_ref().map_or(0, length) + reports
    };
    let segments: usize = window.segments.iter().map(segment).sum();
    HEADER_BYTES + segments + window.low_latency.as_ref().map_or(0, low)
}

fn write_window(out: &mut String, window: &Window, skipped: usize) -> std::fmt::Result {
    let version = if skipped > 0 { DELTA_VERSION } else { VERSION };
    writeln!(out, "#EXTM3U\n#EXT-X-VERSION:{version}")?;
    writeln!(out, "#EXT-X-TARGETDURATION:{}", window.target_duration.seconds())?;
    if let Some(low) = &window.low_latency {
        write_control(out, window, low)?;
    }
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
    if skipped > 0 {
        writeln!(out, "#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")?;
    }

    // Behind what was skipped the init is said again: it costs a line, and no client has to remember it.
    let mut map = CurrentMap::default();
    for segment in &window.segments[skipped..] {
        let due = map.tag_due(segment.discontinuity, segment.map.as_ref());
        let breaks = u64::from(segment.discontinuity) + segment.further_breaks;
        write_lead(out, breaks, due, segment.program_date_time)?;
        write_segment(out, segment)?;
    }
    if let Some(low) = &window.low_latency {
        write_end(out, low, &mut map)?;
    }
    if window.ended {
        out.push_str("#EXT-X-ENDLIST\n");
    }
    Ok(())
}

/// What a low-latency client may ask for and rely on (section 4.4.3.8).
fn write_control(out: &mut String, window: &Window, low: &LowLatency) -> std::fmt::Result {
    let seconds = u64::from(window.target_duration.seconds());
    writeln!(
        out,
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL={}.0,PART-HOLD-BACK={},HOLD-BACK={}.0",
        SKIP_TARGETS * seconds,
        low.part_target.hold_back(),
        PARTS_TARGETS * seconds
    )?;
    writeln!(out, "#EXT-X-PART-INF:PART-TARGET={}", low.part_target.duration())
}

/// The tags that stand before a segment's parts, because they count for those as well.
fn write_lead(
    out: &mut String,
    breaks: u64,
    map: Option<&Uri>,
    moment: Option<WallClock>,
) -> std::fmt::Result {
    for _ in 0..breaks {
        out.push_str(BREAK);
    }
    if let Some(init) = map {
        writeln!(out, "#EXT-X-MAP:URI=\"{init}\"")?;
    }
    // On every segment that has one: wherever the window starts, its first has the time, and no player has
    // to add up durations. Repetition costs little once compressed.
    if let Some(moment) = moment {
        writeln!(out, "#EXT-X-PROGRAM-DATE-TIME:{moment}")?;
    }
    Ok(())
}

fn write_segment(out: &mut String, segment: &Segment) -> std::fmt::Result {
    write_parts(out, &segment.parts)?;
    if segment.gap {
        out.push_str("#EXT-X-GAP\n");
    }
    writeln!(out, "#EXTINF:{},", segment.duration)?;
    if let Some(range) = segment.byte_range {
        writeln!(out, "#EXT-X-BYTERANGE:{}@{}", range.length, range.offset)?;
    }
    writeln!(out, "{}", segment.uri)
}

fn write_parts(out: &mut String, parts: &[Part]) -> std::fmt::Result {
    for part in parts {
        write!(out, "#EXT-X-PART:DURATION={},URI=\"{}\"", part.duration, part.uri)?;
        if part.independent {
            out.push_str(",INDEPENDENT=YES");
        }
        if part.gap {
            out.push_str(",GAP=YES");
        }
        out.push('\n');
    }
    Ok(())
}

fn write_end<'a>(out: &mut String, low: &'a LowLatency, map: &mut CurrentMap<'a>) -> std::fmt::Result {
    if let Some(open) = &low.open {
        let due = map.tag_due(open.discontinuity, open.map.as_ref());
        let breaks = u64::from(open.discontinuity) + open.further_breaks;
        write_lead(out, breaks, due, open.program_date_time)?;
        write_parts(out, &open.parts)?;
    }
    if let Some(hint) = &low.hint {
        writeln!(out, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{hint}\"")?;
    }
    for report in &low.reports {
        write!(out, "#EXT-X-RENDITION-REPORT:URI=\"{}\",LAST-MSN={}", report.uri, report.last_segment)?;
        if let Some(part) = report.last_part {
            write!(out, ",LAST-PART={part}")?;
        }
        out.push('\n');
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ByteRange, MediaDuration, OpenSegment, PartTarget, RenditionReport, Segment, TargetDuration,
    };

    #[test]
    fn the_longest_possible_values_stay_within_the_preallocation() {
        let longest = MediaDuration::new(86_400_000_000, 1_000_000).unwrap();
        let part = Part { uri: "p".parse().unwrap(), duration: longest, independent: true, gap: true };
        let moment = WallClock::from_unix_ms(253_402_300_799_999).unwrap();
        let segment = Segment::new("s".parse().unwrap(), longest)
            .with_map("i".parse().unwrap())
            .at(moment)
            .after_breaks(30)
            .lost(true)
            .within(ByteRange { length: 1, offset: u64::MAX - 1 })
            .in_parts(vec![part.clone(); 4]);
        let report =
            RenditionReport { uri: "r".parse().unwrap(), last_segment: u64::MAX, last_part: Some(u64::MAX) };
        let open = OpenSegment {
            map: segment.map.clone(),
            discontinuity: true,
            further_breaks: 30,
            program_date_time: Some(moment),
            parts: vec![part],
        };
        let low = LowLatency {
            part_target: PartTarget::from_millis(86_400_000).unwrap(),
            open: Some(open),
            hint: Some("h".parse().unwrap()),
            reports: vec![report; 6],
        };
        let window = |count| Window {
            target_duration: TargetDuration::from_seconds(86_400).unwrap(),
            media_sequence: u64::MAX - count as u64,
            discontinuity_sequence: u64::MAX,
            playlist_type: PlaylistType::Event,
            ended: true,
            independent_segments: true,
            segments: vec![segment.clone(); count],
            low_latency: Some(low.clone()),
        };
        for count in [1, 30, 1_000] {
            let window = window(count);
            for skipped in [0, count] {
                let text = media(&window, skipped);
                assert!(text.len() <= upper_bound(&window), "{count} segments: {}", text.len());
            }
        }
    }
}
