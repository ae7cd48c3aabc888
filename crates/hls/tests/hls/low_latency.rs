//! Low-latency playlists and delta updates, to the letter; the windows that are refused; and what a client that follows
//! them with deltas ends up with.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

use crate::common::{at, live, segment, ticks, uri};
use headwater_hls::{
    LowLatency, MediaPlaylist, OpenSegment, Part, PartProblem, PartTarget, PlaylistType, RenditionReport,
    Segment, Window, WindowError,
};
use proptest::collection::vec;
use proptest::prelude::*;

const PART: u64 = 45_000;

fn part(segment: u64, index: usize, duration: u64) -> Part {
    Part {
        uri: uri(&format!("/us-east-1/parts/b/7.us-east-1.k3jf9q2m/720p/{segment}.{index}.m4s")),
        duration: ticks(duration),
        independent: index == 0,
        gap: false,
    }
}

fn parts(segment: u64, durations: &[u64]) -> Vec<Part> {
    durations.iter().enumerate().map(|(index, duration)| part(segment, index, *duration)).collect()
}

/// A two-second segment in four parts.
fn in_parts(number: u64) -> Segment {
    segment(number).in_parts(parts(number, &[PART; 4]))
}

fn open(number: u64, durations: &[u64]) -> OpenSegment {
    OpenSegment {
        further_breaks: 0,
        map: segment(number).map,
        discontinuity: false,
        program_date_time: Some(at(2_000 * number)),
        parts: parts(number, durations),
    }
}

fn low(open: Option<OpenSegment>) -> LowLatency {
    LowLatency { part_target: PartTarget::from_millis(534).unwrap(), open, hint: None, reports: Vec::new() }
}

fn window(first: u64, segments: Vec<Segment>, low_latency: LowLatency) -> Window {
    Window { low_latency: Some(low_latency), ..live(first, segments) }
}

fn sample() -> Window {
    let reports = [("480p", Some(1)), ("audio", None)].map(|(name, last_part)| RenditionReport {
        uri: uri(&format!("/us-east-1/low-latency/b/{name}.m3u8")),
        last_segment: 17,
        last_part,
    });
    let low = LowLatency {
        hint: Some(part(17, 2, PART).uri),
        reports: reports.to_vec(),
        ..low(Some(open(17, &[46_800, 43_200])))
    };
    let mut segments: Vec<_> = (7..17).map(in_parts).collect();
    // The newest one was lost.
    segments[9].gap = true;
    segments[9].parts.iter_mut().for_each(|part| part.gap = true);
    window(7, segments, low)
}

#[test]
fn a_window_with_parts_at_its_end() {
    let playlist = MediaPlaylist::new(sample()).unwrap();
    assert_eq!(playlist.render(), include_str!("../snapshots/low_latency.m3u8"));
}

#[test]
fn a_delta_update_leaves_out_what_the_client_knows() {
    let playlist = MediaPlaylist::new(sample()).unwrap();
    assert_eq!(playlist.render_delta(), include_str!("../snapshots/low_latency_delta.m3u8"));
    let short = MediaPlaylist::new(window(7, (7..13).map(in_parts).collect(), low(None))).unwrap();
    assert_eq!(short.render_delta(), short.render(), "there is nothing to leave out");
    let plain = MediaPlaylist::new(live(0, (0..60).map(segment).collect())).unwrap();
    assert_eq!(plain.render_delta(), plain.render(), "nobody was told that they may ask");
}

#[test]
fn a_broadcast_that_has_just_begun_has_parts_only() {
    let text = MediaPlaylist::new(window(0, vec![], low(Some(open(0, &[PART]))))).unwrap().render();
    assert!(text.contains("#EXT-X-MEDIA-SEQUENCE:0\n") && !text.contains("#EXTINF"), "{text}");
    let map = text.find("#EXT-X-MAP").unwrap();
    assert!(map < text.find("#EXT-X-PART:").unwrap(), "{text}");
}

#[test]
fn windows_that_would_break_low_latency_players_are_refused() {
    let refusal = |window: Window| MediaPlaylist::new(window).unwrap_err();
    let with = |durations: &[u64]| window(3, vec![segment(3).in_parts(parts(3, durations))], low(None));
    let opened = |durations: &[u64]| window(3, vec![segment(3)], low(Some(open(4, durations))));
    let wrong = |index, part, problem| WindowError::Part { index, part, problem };

    // 534 ms is 48,060 ticks, 85 % of it 40,851.
    assert!(MediaPlaylist::new(with(&[48_060, 40_851, 1])).is_ok());
    assert_eq!(refusal(with(&[48_061])), wrong(0, 0, PartProblem::TooLong));
    assert_eq!(refusal(with(&[PART, 40_850, PART])), wrong(0, 1, PartProblem::TooShort));
    assert!(MediaPlaylist::new(opened(&[48_060, 40_851])).is_ok());
    let short = refusal(opened(&[PART, 40_850]));
    assert_eq!(short, wrong(1, 1, PartProblem::TooShort), "it may not be the last");
    assert_eq!(short.to_string(), "part 1 of segment 1: too short for one that is not the last");
    assert_eq!(refusal(opened(&[])), WindowError::OpenWithoutParts);

    let mut lost = with(&[PART]);
    lost.segments[0].parts[0].gap = true;
    assert_eq!(refusal(lost), wrong(0, 0, PartProblem::Gap));
    let mut bare = opened(&[PART]);
    bare.low_latency.as_mut().unwrap().open.as_mut().unwrap().map = None;
    assert_eq!(refusal(bare), WindowError::MapMissing { index: 1 });
    let mut timeless = opened(&[PART]);
    let of = timeless.low_latency.as_mut().unwrap().open.as_mut().unwrap();
    (of.discontinuity, of.program_date_time) = (true, None);
    assert_eq!(refusal(timeless), WindowError::DateTimeMissing { index: 1 });

    assert_eq!(refusal(Window { low_latency: None, ..with(&[PART]) }), WindowError::PartsOutOfPlace);
    assert_eq!(refusal(Window { ended: true, ..opened(&[PART]) }), WindowError::PartsOutOfPlace);
    let event = Window { playlist_type: PlaylistType::Event, ..opened(&[PART]) };
    assert_eq!(refusal(event), WindowError::PartsOutOfPlace);
    let slow = LowLatency { part_target: PartTarget::from_millis(2_001).unwrap(), ..low(None) };
    assert!(matches!(refusal(window(0, vec![segment(0)], slow)), WindowError::PartTarget(_)));
    assert_eq!(refusal(window(0, vec![], low(None))), WindowError::Empty);
}

/// Lines without the version, which a delta has its own of.
fn body(text: &str) -> Vec<String> {
    text.lines().filter(|line| !line.starts_with("#EXT-X-VERSION")).map(str::to_owned).collect()
}

/// What a client makes of a delta: segments that were skipped come from the playlist that it has (section 6.3.7).
fn merged(before: &MediaPlaylist, delta: &str) -> Vec<String> {
    let Some(skipped) = delta.lines().find_map(|line| line.strip_prefix("#EXT-X-SKIP:SKIPPED-SEGMENTS="))
    else {
        return body(delta);
    };
    let skipped: usize = skipped.parse().unwrap();
    assert!(delta.starts_with("#EXTM3U\n#EXT-X-VERSION:9\n"), "{delta}");
    let first: u64 = delta
        .lines()
        .find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:"))
        .map(|number| number.parse().unwrap())
        .unwrap();
    let known = before.window();
    let from = usize::try_from(first - known.media_sequence).unwrap();
    let kept = Window { segments: known.segments[from..from + skipped].to_vec(), ..known.clone() };
    let kept =
        MediaPlaylist::new(Window { media_sequence: first, low_latency: None, ..plain(kept) }).unwrap();
    let lines = body(&kept.render());
    let start = lines.iter().position(|line| line.contains("INDEPENDENT-SEGMENTS")).unwrap() + 1;
    let mut inserted = lines[start..].to_vec();
    let mut out = Vec::new();
    for line in body(delta) {
        if line.starts_with("#EXT-X-SKIP") { out.append(&mut inserted) } else { out.push(line) }
    }
    // The init is said again behind what was skipped; a client does not mind.
    let mut maps = 0;
    out.retain(|line| !line.starts_with("#EXT-X-MAP") || std::mem::replace(&mut maps, 1) == 0);
    out
}

fn plain(mut window: Window) -> Window {
    window.segments.iter_mut().for_each(|segment| segment.parts.clear());
    window
}

proptest! {
    /// A client that reloads at any pace within half the skip boundary has the whole playlist after every delta.
    #[test]
    fn deltas_add_up_to_the_playlist(first in 0..1_000_u64, size in 1..40_u64, steps in vec(0..4_u64, 1..20), part in 0..4_usize) {
        let make = |newest: u64| {
            let oldest = newest.saturating_sub(size).max(first);
            let open = Some(open(newest, &[PART; 4][..part])).filter(|_| part > 0);
            MediaPlaylist::new(window(oldest, (oldest..newest).map(in_parts).collect(), low(open))).unwrap()
        };
        let mut newest = first + 1;
        let mut known = make(newest);
        for step in steps {
            newest += step;
            let now = make(newest);
            let gone = now.window().media_sequence - known.window().media_sequence;
            if (gone as usize) < known.window().segments.len() {
                prop_assert_eq!(merged(&known, &now.render_delta()), body(&now.render()));
            }
            known = now;
        }
    }

    /// Parts stand in front of their segment, in order, and only at the end; a parser that knows nothing of them sees
    /// the same segments.
    #[test]
    fn who_does_not_know_parts_sees_the_segments(count in 1..40_u64, part in 0..4_usize) {
        let open = Some(open(count, &[PART; 4][..part])).filter(|_| part > 0);
        let text = MediaPlaylist::new(window(0, (0..count).map(in_parts).collect(), low(open))).unwrap().render();
        let (rest, read) = m3u8_rs::parse_media_playlist(text.as_bytes()).unwrap();
        prop_assert!(rest.is_empty());
        prop_assert_eq!(read.segments.len() as u64, count);
        for (number, segment) in read.segments.iter().enumerate() {
            let name = format!("/720p/{number}.m4s");
            prop_assert!(segment.uri.ends_with(&name));
            let listed: Vec<_> = segment.unknown_tags.iter().filter(|tag| tag.tag == "X-PART").collect();
            // Four seconds of six are behind the last three: it and the two before, and the one that ends right there.
            let behind = 2_000 * (count - 1 - number as u64) + 500 * part as u64;
            prop_assert_eq!(listed.len(), if behind <= 6_000 { 4 } else { 0 }, "{}", text);
            for (index, tag) in listed.iter().enumerate() {
                let name = format!("/{number}.{index}.m4s\"");
                prop_assert!(tag.rest.as_ref().unwrap().contains(&name));
            }
        }
        let name = format!("/720p/{count}.");
        let opened = text.lines().filter(|line| line.starts_with("#EXT-X-PART:") && line.contains(&name)).count();
        prop_assert_eq!(opened, part);
    }
}
