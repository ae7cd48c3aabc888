//! Sources that are odd, damaged or hostile: segments stay right, ends are clean, errors are clear.

use crate::support::flv::{self, FIRST_CURSOR, Flv};
use crate::support::{Out, check, collect, input, small, start, transcode};
use headwater_transcoder::media::{
    EndReason, EngineSettings, ErrorKind, MediaError, MediaTime, Passthrough, Placement, Problem, Problems,
    RenditionKind, RunEnd, StartPoint,
};

fn names(out: &Out) -> Vec<&str> {
    out.segments[0].renditions.iter().map(|r| r.name.as_str()).collect()
}

fn size(out: &Out, index: usize) -> (u32, u32) {
    match out.segments[0].renditions[index].kind {
        RenditionKind::Video { width, height, .. } => (width, height),
        RenditionKind::Audio { .. } => panic!("no pictures"),
    }
}

fn fails(bytes: &[u8]) -> MediaError {
    match collect(input(bytes.to_vec(), 1), &small(), start()) {
        Ok(Out { end: RunEnd { reason: EndReason::Barren(error), .. }, segments, .. })
            if segments.is_empty() =>
        {
            error
        }
        Ok(out) => panic!("{:?}", out.end),
        Err(error) => error,
    }
}

/// What the caller does when a run ends and the source goes on.
fn go_on(source: &Flv, out: &Out) -> Out {
    let at = out.end.position;
    let (bytes, first) = source.serve(at.cursor);
    collect(input(bytes, first), &small(), at.resume()).unwrap()
}

/// Also what was wrong at its end.
fn with_problems(source: &Flv) -> (Out, Problems) {
    let problems = Problems::default();
    let settings = EngineSettings { problems: problems.clone(), ..small() };
    (collect(input(source.bytes(), FIRST_CURSOR), &settings, start()).unwrap(), problems)
}

fn av(secs: f64) -> Flv {
    flv::clip("320x180", "30", secs, "-g 30 -bf 2")
}

#[test]
fn pictures_alone() {
    let out = transcode(&av(7.0).filter(|t| !t.audio));
    assert_eq!(check::consistent(&out.segments).len(), 210);
    assert_eq!(names(&out), ["180p", "90p"]);
    assert!(out.segments.iter().all(|s| s.audio.is_none()));
}

#[test]
fn sound_alone() {
    let source = av(7.0).filter(|t| !t.video);
    let out = transcode(&source);
    let packets = check::consistent(&out.segments);
    assert_eq!(names(&out), ["audio"]);
    assert_eq!(packets[0].pts, 468 * 1024);
    assert!((325..=331).contains(&packets.len()), "{}", packets.len());
    assert!(out.segments.iter().all(|s| s.video.is_none()));
    // And a successor goes on at the sample.
    let segment = &out.segments[1];
    let point = StartPoint {
        video_from: segment.audio.unwrap().to.time(),
        audio_from: segment.audio.unwrap().to,
        placement: Placement::Offset(segment.offset),
        next_segment: segment.number + 1,
        copied: false,
        parts: Vec::new(),
    };
    let (bytes, first) = source.serve(segment.cursor);
    let rest = collect(input(bytes, first), &small(), point).unwrap();
    let both: Vec<_> = out.segments[..2].iter().cloned().chain(rest.segments).collect();
    assert_eq!(check::consistent(&both).len(), packets.len());
}

#[test]
fn sound_that_goes_away_becomes_silence() {
    let out = transcode(&av(10.0).filter(|t| !t.audio || t.millis < 3_000));
    assert_eq!(check::consistent(&out.segments).len(), 300);
    assert!(out.end.stats.silence_samples > 300_000);
    let sound = check::sound(&check::concatenated(&out.segments, "audio"));
    assert!(sound[96_000..140_000].iter().any(|s| s.abs() > 0.05));
    assert!(sound[160_000..400_000].iter().all(|s| s.abs() < 0.01));
}

#[test]
fn sound_with_a_gap_comes_back_in_its_place() {
    let out = transcode(&av(9.0).filter(|t| !t.audio || !(3_000..4_500).contains(&t.millis)));
    check::consistent(&out.segments);
    let silence = out.end.stats.silence_samples;
    assert!((70_000..76_000).contains(&silence), "{silence}");
}

#[test]
fn sound_that_comes_late_ends_the_run_and_the_next_has_it() {
    let source = av(10.0).filter(|t| !t.audio || t.millis > 5_000);
    let out = transcode(&source);
    assert!(matches!(out.end.reason, EndReason::TracksChanged), "{:?}", out.end);
    let before = check::consistent(&out.segments);
    let rest = go_on(&source, &out);
    assert!(matches!(rest.end.reason, EndReason::Ended));
    let after = check::consistent(&rest.segments);
    assert_eq!(before.len() + after.len(), 300);
    assert_eq!(names(&rest), ["180p", "90p", "audio"]);
}

#[test]
fn pictures_that_come_late_end_the_run_and_the_next_has_them() {
    let source = av(10.0).filter(|t| !t.video || t.header || t.millis >= 5_000);
    let out = transcode(&source);
    assert!(matches!(out.end.reason, EndReason::TracksChanged), "{:?}", out.end);
    assert_eq!(names(&out), ["audio"]);
    check::consistent(&out.segments);
    let rest = go_on(&source, &out);
    assert!(matches!(rest.end.reason, EndReason::Ended), "{:?}", rest.end);
    let shown = source.tags.iter().filter(|t| t.video && !t.header).count() as u64;
    assert_eq!(check::consistent(&rest.segments).len() as u64, shown + rest.end.stats.repeated);
    assert_eq!(names(&rest), ["180p", "90p", "audio"]);
}

#[test]
fn a_gap_of_pictures_is_bridged() {
    let out = transcode(&av(9.0).filter(|t| !t.video || !(3_000..5_000).contains(&t.millis)));
    let packets = check::consistent(&out.segments);
    assert_eq!(packets.len() as u64, 210 + out.end.stats.repeated);
    assert!(out.end.stats.repeated > 0);
    for segment in &out.segments {
        assert!(segment.video.unwrap().duration().as_secs_f64() < 2.5);
    }
}

#[test]
fn damaged_packets_are_skipped() {
    let mut source = av(8.0);
    for (i, tag) in source.tags.iter_mut().enumerate().filter(|(_, t)| !t.header) {
        let end = tag.bytes.len() - 4;
        if i % 23 == 0 && end > 60 {
            tag.bytes[40..60].iter_mut().for_each(|b| *b = b.wrapping_mul(31).wrapping_add(7));
        }
    }
    let out = transcode(&source);
    check::consistent(&out.segments);
    assert!(out.end.stats.decoded > 200, "{:?}", out.end);
}

#[test]
fn damaged_framing_never_hangs() {
    let whole = av(4.0).bytes();
    for step in [997, 4_999, 20_011, 90_001] {
        let mut bytes = whole.clone();
        for i in (5_000..bytes.len() - 30).step_by(step) {
            bytes[i..i + 24].iter_mut().for_each(|b| *b = b.wrapping_mul(31).wrapping_add(7));
        }
        if let Ok(out) = collect(input(bytes, FIRST_CURSOR), &small(), start()) {
            assert!(out.end.stats.decoded > 0);
        }
    }
}

#[test]
fn another_size_ends_the_run() {
    let source = av(3.0).then(&flv::clip("240x240", "30", 3.0, "-g 30 -bf 2"), 3_000);
    let out = transcode(&source);
    assert!(matches!(out.end.reason, EndReason::ParametersChanged), "{:?}", out.end);
    assert_eq!(check::consistent(&out.segments).len(), 90);
    let rest = go_on(&source, &out);
    assert_eq!(check::consistent(&rest.segments).len(), 90);
    assert_eq!(size(&rest, 0), (180, 180));
}

#[test]
fn a_smaller_source_goes_on_under_the_names_that_viewers_have() {
    let source = flv::clip("160x90", "25", 2.5, "-g 50 -bf 0");
    for passthrough in [Passthrough::ALL, Passthrough::NONE] {
        let names = ["720p", "360p"].map(str::to_owned).into();
        let settings = EngineSettings { ladder: None, passthrough, names, ..small() };
        let out = collect(input(source.bytes(), FIRST_CURSOR), &settings, start()).unwrap();
        assert_eq!(self::names(&out), ["720p", "360p", "audio"]);
        assert_eq!((size(&out, 0), size(&out, 1)), ((160, 90), (160, 90)));
        check::consistent(&out.segments);
    }
}

#[test]
fn a_phone_that_is_turned_ends_the_run() {
    let source = av(3.0).then(&flv::clip("180x320", "30", 3.0, "-g 30 -bf 2"), 3_000);
    let out = transcode(&source);
    assert!(matches!(out.end.reason, EndReason::ParametersChanged), "{:?}", out.end);
    let rest = go_on(&source, &out);
    assert_eq!((check::consistent(&out.segments).len(), check::consistent(&rest.segments).len()), (90, 90));
    assert_eq!((size(&out, 0), size(&rest, 0)), ((320, 180), (180, 320)));
}

#[test]
fn a_clock_that_jumps_ends_the_run() {
    for jump in [3_600_000, 1] {
        let source = av(6.0).retimed(|t| match t.millis {
            m if m < 4_000 => m,
            m if jump > 1 => m + jump,
            m => m - 3_500,
        });
        let out = transcode(&source);
        assert!(matches!(out.end.reason, EndReason::TimestampJump), "{:?}", out.end);
        check::consistent(&out.segments);
        let first =
            source.tags.iter().find(|t| !t.header && !(500..4_000).contains(&t.millis) && t.cursor > 0);
        assert!(first.is_some());
    }
}

#[test]
fn times_that_repeat_and_stumble() {
    let source = av(6.0).retimed(|t| match t.millis / 100 % 10 {
        3 if t.video => t.millis / 100 * 100,
        5 => t.millis.saturating_sub(60),
        _ => t.millis,
    });
    let out = transcode(&source);
    // None is lost: one whose time is not behind its predecessor's is shown a millisecond behind it.
    assert_eq!(check::consistent(&out.segments).len(), 180);
    assert!(out.end.stats.dropped == 0 && out.end.stats.retimed > 0, "{:?}", out.end);
}

#[test]
fn senseless_composition_times() {
    // One picture a minute ahead is shown in its place; pictures that stay there end the run.
    let shifted = |from: usize, to: usize| {
        let mut source = av(16.0).filter(|t| !t.audio);
        let media: Vec<_> = source.tags.iter_mut().filter(|t| !t.header).collect();
        for tag in media.into_iter().skip(from).take(to - from) {
            tag.bytes[13..16].copy_from_slice(&60_000_u32.to_be_bytes()[1..]);
        }
        transcode(&source)
    };
    let out = shifted(100, 101);
    assert!(matches!(out.end.reason, EndReason::Ended));
    assert_eq!((check::consistent(&out.segments).len(), out.end.stats.dropped), (480, 0));
    let out = shifted(100, 480);
    assert!(matches!(out.end.reason, EndReason::TimestampJump), "{:?}", out.end);
    // What lasts for half of the packets that are remembered is believed.
    assert!((100..=130).contains(&check::consistent(&out.segments).len()));
}

#[test]
fn while_all_pictures_break_the_last_is_shown() {
    let mut source = av(12.0);
    for tag in source.tags.iter_mut().filter(|t| t.video && !t.header && t.millis > 3_000) {
        let end = tag.bytes.len() - 4;
        tag.bytes[16..end].fill(0);
    }
    let (out, problems) = with_problems(&source);
    assert!(matches!(out.end.reason, EndReason::Ended), "{:?}", out.end);
    check::consistent(&out.segments);
    assert!(out.segments.iter().all(|s| s.renditions.len() == 3));
    assert_eq!(problems.worst(), Some(Problem::PicturesUndecodable));
}

#[test]
fn shorter_than_a_segment() {
    let source = av(1.2);
    let out = transcode(&source);
    assert_eq!((check::consistent(&out.segments).len(), out.segments.len()), (36, 1));
    let out = transcode(&source.filter(|t| !t.video));
    check::consistent(&out.segments);
    assert_eq!(out.segments.len(), 1);
    let out = transcode(&source.filter(|t| !t.audio));
    assert_eq!(check::consistent(&out.segments).len(), 36);
}

#[test]
fn a_run_of_a_few_pictures_is_read_once() {
    // A header that comes behind them ends it: whoever asks for what follows must not get them again.
    for count in 1..8 {
        let all = flv::clip("320x180", "25", 1.0, "-g 30 -bf 2").filter(|t| !t.audio);
        let last = all.tags.iter().filter(|t| !t.header).nth(count - 1).unwrap().cursor;
        let out = transcode(&all.filter(|t| t.header || t.cursor <= last));
        assert!(matches!(out.end.reason, EndReason::Ended), "{:?}", out.end);
        assert_eq!(out.end.position.cursor, last, "{count} pictures");
    }
}

#[test]
fn one_picture_that_the_decoder_holds_back_is_shown() {
    let out = transcode(&flv::clip("320x180", "25", 0.04, "-g 30 -bf 2").filter(|t| !t.audio));
    assert!(matches!(out.end.reason, EndReason::Ended), "{:?}", out.end);
    assert_eq!(check::consistent(&out.segments).len(), 1);
}

#[test]
fn portrait_tiny_odd_and_wide_pixels() {
    let out = transcode(&flv::clip("180x320", "25", 2.5, "-g 50"));
    check::consistent(&out.segments);
    assert_eq!((size(&out, 0), size(&out, 1)), ((180, 320), (90, 160)));

    let out = transcode(&flv::clip("64x36", "25", 2.5, "-g 50"));
    check::consistent(&out.segments);
    assert_eq!((names(&out), size(&out, 0)), (vec!["90p", "audio"], (64, 36)));

    let out = transcode(&flv::clip("240x180", "25", 2.5, "-g 50 -vf setsar=4/3"));
    check::consistent(&out.segments);
    assert_eq!(size(&out, 0), (320, 180));
}

#[test]
fn other_formats() {
    // Full range 4:4:4, 60 fps.
    let out = transcode(&flv::clip("320x180", "60", 2.5, "-g 60 -vf format=yuvj444p -pix_fmt yuvj444p"));
    assert_eq!(check::consistent(&out.segments).len(), 150);
    // Sorenson H.263 and MP3: what libavcodec decodes is welcome.
    let source = flv::make(
        "-f lavfi -i testsrc2=size=320x180:rate=25 -f lavfi -i sine=sample_rate=44100 -t 4 -c:v flv -c:a libmp3lame",
    );
    let out = transcode(&source);
    assert_eq!(check::consistent(&out.segments).len(), 100);
    assert_eq!(names(&out), ["180p", "90p", "audio"]);
}

#[test]
fn absurd_sizes_are_refused() {
    let source = flv::clip("5000x64", "10", 0.5, "-g 10");
    let error = fails(&source.bytes());
    assert!(matches!(error, MediaError::PictureSize { width: 5_000, height: 64, .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::Source);
}

#[test]
fn no_media_is_an_error() {
    let source = av(1.0);
    let headers = source.filter(|t| t.header).bytes();
    let noise: Vec<u8> = (0..200_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for bytes in [&[][..], &headers, &noise, b"FLV\x01\x05\0\0\0\x09\0\0\0\0", b"HTTP/1.1 404"] {
        assert!(matches!(fails(bytes), MediaError::NoMedia), "{} bytes", bytes.len());
    }
    let mut scrambled = source.filter(|t| !t.audio);
    for tag in scrambled.tags.iter_mut().filter(|t| !t.header) {
        let end = tag.bytes.len() - 4;
        tag.bytes[16..end].fill(0);
    }
    assert!(matches!(fails(&scrambled.bytes()), MediaError::Undecodable { .. }));
}

#[test]
fn a_late_first_picture_starts_the_timeline_late() {
    let source = av(4.0);
    let mut point = start();
    point.placement = Placement::Offset(MediaTime::from_secs(100));
    let out = collect(input(source.bytes(), FIRST_CURSOR), &small(), point).unwrap();
    check::consistent(&out.segments);
    assert!(out.segments[0].video.unwrap().start >= MediaTime::from_secs(100));
    assert!(out.end.stats.silence_samples < 48_000, "{:?}", out.end.stats);
}
