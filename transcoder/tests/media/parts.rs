//! Low latency: segments come in parts as well, which are the segment to the byte, none too long or too short.

use crate::support::check;
use crate::support::flv::{self, FIRST_CURSOR, Flv};
use crate::support::{Out, broken, collect, input, small, start};
use headwater_transcoder::media::{EndReason, EngineSettings, MediaTime, Part, Passthrough, Rung, Segment};

fn low() -> EngineSettings {
    EngineSettings { part_duration: Some(MediaTime::from_millis(500)), ..small() }
}

fn copying() -> EngineSettings {
    let ladder = vec![Rung::new("180p", 180, 1_000_000), Rung::new("90p", 90, 100_000)];
    EngineSettings { ladder: Some(ladder), passthrough: Passthrough::ALL, ..low() }
}

fn run(source: &Flv, settings: &EngineSettings) -> Out {
    let out = collect(input(source.bytes(), FIRST_CURSOR), settings, start()).unwrap();
    assert!(matches!(out.end.reason, EndReason::Ended), "{:?}", out.end.reason);
    out
}

/// Everything that must hold between parts and their segments.
fn add_up(segments: &[Segment], parts: &[Part]) {
    check::consistent(segments);
    for segment in segments {
        let mine: Vec<&Part> = parts.iter().filter(|part| part.number == segment.number).collect();
        assert!(mine.iter().enumerate().all(|(index, part)| part.index as usize == index));
        assert!(mine.iter().enumerate().all(|(index, part)| part.last == (index + 1 == mine.len())));
        for (index, rendition) in segment.renditions.iter().enumerate() {
            let joined: Vec<u8> = mine.iter().flat_map(|part| part.renditions[index].data.to_vec()).collect();
            assert_eq!(joined, rendition.data, "{} {}", rendition.name, segment.number);
            assert!(mine.iter().all(|part| part.renditions[index].init == rendition.init));
        }
        assert!(mine[0].independent);
        for pair in mine.windows(2) {
            assert_eq!(pair[0].video.map(|v| v.end), pair[1].video.map(|v| v.start));
            assert_eq!(pair[0].audio.map(|a| a.to), pair[1].audio.map(|a| a.from));
        }
        for part in &mine {
            for seconds in [part.video.map(|v| v.duration()), part.audio.map(|a| a.duration())] {
                let Some(seconds) = seconds.map(MediaTime::as_secs_f64) else { continue };
                assert!(seconds <= 0.534 && (part.last || seconds >= 0.454), "{} {seconds}", part.number);
            }
        }
    }
}

#[test]
fn encoded() {
    for rate in ["30", "25", "24000/1001", "60"] {
        let source = flv::clip("320x180", rate, 6.3, "-g 250 -bf 2");
        let out = run(&source, &low());
        add_up(&out.segments, &out.parts);
        assert_eq!(out.segments.len(), 4, "{rate}");
    }
}

#[test]
fn copied() {
    for x264 in
        ["-g 60 -bf 0", "-g 30 -bf 3 -x264-params b-pyramid=normal", "-g 60 -bf 2 -force_key_frames 0.7,3.1"]
    {
        let source = flv::clip("320x180", "30", 7.0, &format!("{x264} -sc_threshold 0"));
        let out = run(&source, &copying());
        add_up(&out.segments, &out.parts);
        assert!(out.segments[0].renditions[0].copied);
        let top = check::concatenated(&out.segments, "180p");
        assert_eq!(check::payloads(&top, "v:0"), check::payloads(&source.bytes(), "v:0"), "{x264}");
    }
}

#[test]
fn sound_alone() {
    let source = flv::clip("320x180", "30", 6.0, "-g 60").filter(|t| !t.video);
    for settings in [low(), copying()] {
        let out = run(&source, &settings);
        add_up(&out.segments, &out.parts);
        assert!(out.parts.len() >= 11, "{}", out.parts.len());
    }
}

#[test]
fn pictures_alone_and_rare() {
    let source = flv::clip("320x180", "30", 8.0, "-g 60 -bf 0").filter(|t| !t.audio);
    // Two pictures a second for a while.
    let rare = source.filter(|t| !(2_100..5_000).contains(&t.millis) || t.key || t.millis % 700 < 33);
    let out = run(&rare, &low());
    add_up(&out.segments, &out.parts);
    assert!(out.end.stats.repeated > 0);
}

/// Parts of the open segment are out when the task dies; its successor makes the segment anew, cut as it was, and what
/// follows the parts decodes without the successor's own beginning.
#[test]
fn a_successor_goes_on_behind_the_parts_that_are_out() {
    let source = flv::clip("320x180", "30", 9.0, "-g 60 -bf 2 -sc_threshold 0");
    for settings in [low(), copying()] {
        let whole = run(&source, &settings);
        let bytes = source.filter(|t| t.millis < 5_600).bytes();
        let first = collect(broken(bytes, FIRST_CURSOR), &settings, start()).unwrap();
        let position = first.end.position;
        let out: Vec<&Part> = first.parts.iter().filter(|p| p.number == position.next_segment).collect();
        assert!(!out.is_empty() && !out[out.len() - 1].last);
        let mut point = position.resume();
        point.parts = out.iter().map(|part| part.video.unwrap().end).collect();
        let (rest, cursor) = source.serve(position.cursor);
        let second = collect(input(rest, cursor), &settings, point).unwrap();
        let segments: Vec<Segment> = first.segments.iter().chain(&second.segments).cloned().collect();
        let spans =
            |segments: &[Segment]| segments.iter().map(|s| (s.number, s.video, s.audio)).collect::<Vec<_>>();
        assert_eq!(spans(&segments), spans(&whole.segments));
        add_up(&second.segments, &second.parts);
        // What a viewer has who saw the first one's parts and then the second one's.
        let seen: Vec<&Part> = first
            .parts
            .iter()
            .chain(
                second
                    .parts
                    .iter()
                    .filter(|p| (p.number, p.index as usize) >= (position.next_segment, out.len())),
            )
            .collect();
        for name in ["180p", "90p"] {
            let of = |part: &Part| part.renditions.iter().find(|r| r.name == name).unwrap().clone();
            let mut viewer = of(seen[0]).init.to_vec();
            seen.iter().for_each(|part| viewer.extend_from_slice(&of(part).data));
            check::decodes_cleanly(&viewer);
            let frames = |bytes: &[u8]| check::luma(bytes).len();
            assert_eq!(frames(&viewer), frames(&check::concatenated(&whole.segments, name)), "{name}");
        }
    }
}
