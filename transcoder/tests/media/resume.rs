//! A run that breaks off and is taken up again from the segment's cursor: no source frame lost or shown twice.

use std::ops::ControlFlow;

use crate::support::check::{self, Packet};
use crate::support::flv::{self, FIRST_CURSOR, Flv};
use crate::support::{Out, broken, collect, input, small, start, transcode};
use headwater_transcoder::media::{
    Cancel, EndReason, EngineSettings, Made, MediaTime, Placement, RunEnd, RunInput, Rung, Segment,
    StartPoint, feed, run,
};

fn resume(source: &Flv, end: &RunEnd) -> Out {
    let (bytes, first) = source.serve(end.position.cursor);
    collect(input(bytes, first), &small(), end.position.resume()).unwrap()
}

fn times(packets: &[Packet]) -> Vec<i64> {
    packets.iter().map(|p| p.pts).collect()
}

/// Breaks the source off after `millis` and takes it up from the cursor; the result must be the uninterrupted one.
fn survives_a_break(source: &Flv, millis: u32) {
    let whole = transcode(source);
    let expected = times(&check::consistent(&whole.segments));

    let mut cut = source.filter(|t| t.millis < millis).bytes();
    cut.truncate(cut.len() - 7);
    let first = collect(broken(cut, FIRST_CURSOR), &small(), start()).unwrap();
    assert!(matches!(first.end.reason, EndReason::Abrupt(_)), "{:?}", first.end);
    assert!(!first.segments.is_empty());
    let second = resume(source, &first.end);
    assert!(matches!(second.end.reason, EndReason::Ended));

    let both: Vec<Segment> = first.segments.into_iter().chain(second.segments).collect();
    assert_eq!(times(&check::consistent(&both)), expected);
    let spans = |s: &[Segment]| s.iter().map(|s| (s.number, s.video, s.audio)).collect::<Vec<_>>();
    assert_eq!(spans(&both), spans(&whole.segments));
    // The sound is the same up to a splice of a millisecond.
    let (a, b) = (&check::concatenated(&whole.segments, "audio"), &check::concatenated(&both, "audio"));
    assert_eq!(check::sound(a).len(), check::sound(b).len());
}

#[test]
fn without_b_frames() {
    survives_a_break(&flv::clip("320x180", "30", 8.0, "-g 60 -bf 0"), 5_300);
}

#[test]
fn with_b_frames_and_an_odd_gop() {
    survives_a_break(
        &flv::clip("320x180", "30000/1001", 8.0, "-g 47 -bf 3 -x264-params b-pyramid=normal"),
        5_300,
    );
}

#[test]
fn with_one_idr_in_ten_seconds() {
    survives_a_break(&flv::clip("320x180", "25", 9.0, "-g 250 -bf 3"), 6_900);
}

#[test]
fn with_open_gops() {
    survives_a_break(&flv::clip("320x180", "25", 9.0, "-g 50 -bf 3 -x264-params open-gop=1"), 6_900);
}

#[test]
fn from_every_segment() {
    taken_up_from_every_segment("-g 73 -bf 2");
}

#[test]
fn from_every_segment_of_short_gops() {
    // A cursor a packet too late would start behind the next IDR.
    taken_up_from_every_segment("-g 1");
    taken_up_from_every_segment("-g 3 -bf 2");
}

fn taken_up_from_every_segment(x264: &str) {
    let source = flv::clip("320x180", "30", 6.5, x264);
    let whole = transcode(&source);
    let expected = times(&check::consistent(&whole.segments));
    for (i, segment) in whole.segments.iter().enumerate().take(whole.segments.len() - 1) {
        let point = StartPoint {
            video_from: segment.video.unwrap().end,
            audio_from: segment.audio.unwrap().to,
            placement: Placement::Offset(segment.offset),
            next_segment: segment.number + 1,
            copied: false,
            parts: Vec::new(),
        };
        let (bytes, first) = source.serve(segment.cursor);
        let rest = collect(input(bytes, first), &small(), point).unwrap();
        let both: Vec<Segment> = whole.segments[..=i].iter().cloned().chain(rest.segments).collect();
        assert_eq!(times(&check::consistent(&both)), expected, "after segment {i}");
    }
}

/// Ends the run behind the segment that is open when the sink has had `count` pieces.
fn handed_over(source: &Flv, settings: &EngineSettings, count: usize) -> (Vec<Segment>, RunEnd) {
    let (cancel, mut segments, mut pieces) = (Cancel::new(), Vec::new(), 0);
    let sink = |made| {
        pieces += 1;
        if pieces == count {
            cancel.end_segment();
        }
        if let Made::Segment(segment) = made {
            segments.push(segment);
        }
        ControlFlow::Continue(())
    };
    let end = run(input(source.bytes(), FIRST_CURSOR), settings, start(), sink, &cancel).unwrap();
    (segments, end)
}

#[test]
fn handed_over_in_mid_segment_a_successor_makes_what_one_run_would_have() {
    let source = flv::clip("320x180", "30", 8.0, "-g 60 -bf 2");
    for part_duration in [None, Some(MediaTime::from_millis(500))] {
        let settings = EngineSettings { part_duration, ..small() };
        let whole = collect(input(source.bytes(), FIRST_CURSOR), &settings, start()).unwrap();
        // In parts the run is asked behind the first part of the second segment: that one is finished.
        let parts = whole.parts.iter().filter(|part| part.number == whole.segments[0].number).count();
        let (asked, made) = if part_duration.is_some() { (parts + 2, 2) } else { (1, 1) };
        let (mut segments, end) = handed_over(&source, &settings, asked);
        assert!(matches!(end.reason, EndReason::Finished), "{end:?}");
        assert_eq!(segments.len(), made);
        let (bytes, first) = source.serve(end.position.cursor);
        let rest = collect(input(bytes, first), &settings, end.position.resume()).unwrap();
        segments.extend(rest.segments);
        let expected = times(&check::consistent(&whole.segments));
        assert_eq!(times(&check::consistent(&segments)), expected);
        let spans = |s: &[Segment]| s.iter().map(|s| (s.number, s.video, s.audio)).collect::<Vec<_>>();
        assert_eq!(spans(&segments), spans(&whole.segments));
    }
}

#[test]
fn finishing_a_live_source_cuts_where_a_successor_continues() {
    let source = flv::clip("320x180", "30", 8.0, "-g 60 -bf 3");
    // With B-frames there is no such place: the successor makes the open segment.
    let settings = EngineSettings { ladder: Some(vec![Rung::new("180p", 180, 300_000)]), ..small() };
    let whole = collect(input(source.bytes(), FIRST_CURSOR), &settings, start()).unwrap();
    let expected = times(&check::consistent(&whole.segments));
    let (pipe, reader) = feed(4);
    let live = source.filter(|t| t.millis < 5_300).bytes();
    let cancel = Cancel::new();
    let mut segments = Vec::new();
    // The source stays open: segments must come while it is live, and a cancel must be noticed while it is silent.
    let sent = std::thread::spawn(move || {
        for chunk in live.chunks(1_400) {
            pipe.send(Some(Ok(bytes::Bytes::copy_from_slice(chunk)))).unwrap();
        }
        pipe
    });
    let mut sent = Some(sent);
    let mut pipe = None;
    let sink = |made| {
        let Made::Segment(segment) = made else { panic!("a part") };
        segments.push(segment);
        if segments.len() == 2 {
            pipe = sent.take().map(|s| s.join().unwrap());
            cancel.finish();
        }
        ControlFlow::Continue(())
    };
    let live_input = RunInput { reader: Box::new(reader), first_cursor: FIRST_CURSOR, pace: None };
    let end = run(live_input, &settings, start(), sink, &cancel).unwrap();
    assert!(matches!(end.reason, EndReason::Finished));
    assert_eq!(segments.len(), 3);
    assert!(segments[2].video.unwrap().duration().as_secs_f64() > 0.8);
    let (bytes, first) = source.serve(end.position.cursor);
    let rest = collect(input(bytes, first), &settings, end.position.resume()).unwrap();
    segments.extend(rest.segments);
    assert_eq!(times(&check::consistent(&segments)), expected);
}

#[test]
fn aborting_hands_out_nothing_more() {
    let source = flv::clip("320x180", "30", 8.0, "-g 60 -bf 3");
    let mut handed = 0;
    let sink = |_| {
        handed += 1;
        ControlFlow::Break(())
    };
    let end = run(input(source.bytes(), FIRST_CURSOR), &small(), start(), sink, &Cancel::new()).unwrap();
    assert!(matches!(end.reason, EndReason::Aborted));
    assert_eq!((handed, end.position.next_segment), (1, 2));
}
