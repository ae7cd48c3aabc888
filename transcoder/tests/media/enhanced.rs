//! HEVC, AV1 and VP9 as Enhanced RTMP brings them: decoded and laddered to H.264, resumed exactly, and refused clearly.

use crate::support::enhanced::{AV1, HEVC, VP9, enhanced, recorded};
use crate::support::flv::{self, FIRST_CURSOR, Flv, Tag};
use crate::support::{broken, check, collect, input, small, start, transcode};
use headwater_transcoder::media::{EndReason, ErrorKind, MediaError, RenditionKind, Segment, StartPoint};

const CAPTURES: [(&str, &[u8]); 3] = [("HEVC", HEVC), ("AV1", AV1), ("VP9", VP9)];

fn times(segments: &[Segment]) -> Vec<i64> {
    check::consistent(segments).iter().map(|p| p.pts).collect()
}

#[test]
fn every_picture_in_its_place() {
    // What the recorded encoders were given.
    let original = transcode(&flv::clip("160x90", "25", 6.0, "-g 50 -bf 2"));
    let pictures = check::luma(&check::concatenated(&original.segments, "90p"));
    for (name, capture) in CAPTURES {
        let out = transcode(&recorded(capture));
        assert!(matches!(out.end.reason, EndReason::Ended), "{name}: {:?}", out.end);
        let times = times(&out.segments);
        assert_eq!(times.len(), 150, "{name}");
        assert!(
            times.windows(2).all(|pair| (3_600 - 90..=3_600 + 90).contains(&(pair[1] - pair[0]))),
            "{name}"
        );
        let stats = out.end.stats;
        assert_eq!((stats.decoded, stats.video_errors, stats.audio_errors), (150, 0, 0), "{name}");
        assert!(stats.silence_samples < 5_000, "{name}: {stats:?}");
        let kind = RenditionKind::Video { width: 160, height: 90, frame_rate: 25.0 };
        assert_eq!(out.segments[0].renditions[0].kind, kind, "{name}");
        assert_eq!(out.segments[0].renditions.last().unwrap().name, "audio");
        let shown = check::luma(&check::concatenated(&out.segments, "90p"));
        let apart = shown.iter().zip(&pictures).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(apart <= 4, "{name}: {apart}");
    }
}

/// Breaks the source off and takes it up from the cursor; the result must be the uninterrupted one.
fn survives_breaks(name: &str, source: &Flv) {
    let expected = times(&transcode(source).segments);
    for millis in [2_100, 3_000, 4_300, 5_700] {
        let mut cut = source.filter(|t| t.millis < millis).bytes();
        cut.truncate(cut.len() - 7);
        let first = collect(broken(cut, FIRST_CURSOR), &small(), start()).unwrap();
        assert!(matches!(first.end.reason, EndReason::Abrupt(_)), "{name}: {:?}", first.end);
        let (bytes, cursor) = source.serve(first.end.position.cursor);
        let rest = collect(input(bytes, cursor), &small(), first.end.position.resume()).unwrap();
        assert_eq!((rest.end.stats.video_errors, rest.end.stats.repeated), (0, 0), "{name}");
        let both: Vec<Segment> = first.segments.into_iter().chain(rest.segments).collect();
        assert_eq!(times(&both), expected, "{name} broken at {millis}");
    }
}

#[test]
fn a_break_is_taken_up_exactly() {
    for (name, capture) in CAPTURES {
        survives_breaks(name, &recorded(capture));
    }
}

#[test]
fn a_break_between_a_picture_and_what_leads_it_is_taken_up_exactly() {
    // Without sound, the cursor of a cut at 2 s is the CRA picture's whose leading pictures are shown from 2 s on.
    survives_breaks("HEVC", &recorded(HEVC).filter(|t| !t.audio));
}

#[test]
fn h264_and_aac_in_the_enhanced_form_are_what_they_are_in_the_classic() {
    let classic = flv::clip("320x180", "30000/1001", 5.0, "-g 45 -bf 3");
    let (a, b) = (transcode(&classic), transcode(&enhanced(&classic)));
    assert_eq!(b.end.stats.video_errors + b.end.stats.audio_errors, 0);
    check::same_media(&a.segments, &b.segments);
    assert_eq!(
        a.segments.iter().map(|s| s.cursor).collect::<Vec<_>>(),
        b.segments.iter().map(|s| s.cursor).collect::<Vec<_>>()
    );
    // One track may be in the one form and the other in the other.
    let rewritten = enhanced(&classic);
    let pairs = rewritten.tags.iter().zip(&classic.tags);
    let mixed = Flv { tags: pairs.map(|(e, c)| if c.video { c } else { e }.clone()).collect() };
    check::same_media(&a.segments, &transcode(&mixed).segments);
}

#[test]
fn mono_at_another_rate_and_sound_alone() {
    let source = flv::make("-f lavfi -i sine=frequency=440:sample_rate=44100 -t 4.5 -c:a aac -ac 1");
    let out = transcode(&enhanced(&source));
    let kind = &out.segments[0].renditions[0].kind;
    assert_eq!(*kind, RenditionKind::Audio { channels: 1, sample_rate: 48_000 });
    check::same_media(&out.segments, &transcode(&source).segments);
}

#[test]
fn hevc_in_the_form_of_codec_id_12() {
    let source = recorded(HEVC);
    let rewrite = |tag: &Tag| {
        let body = tag.body();
        if !tag.video {
            return tag.clone();
        }
        let (key, packet) = (body[0] & 0x70, body[0] & 15);
        let (time, data) = match packet {
            1 => (&body[5..8], &body[8..]),
            _ => (&[0; 3][..], &body[5..]),
        };
        tag.with_body(&[&[key | 12, u8::from(packet != 0)][..], time, data].concat())
    };
    let classic = Flv { tags: source.tags.iter().map(rewrite).collect() };
    check::same_media(&transcode(&classic).segments, &transcode(&source).segments);
}

#[test]
fn what_is_not_media_is_passed_over() {
    let source = recorded(HEVC);
    let expected = transcode(&source);
    let at = source.tags.iter().position(|t| t.video && !t.header).unwrap() + 40;
    let mut odd = source.clone();
    let model = odd.tags.iter().find(|t| t.video && t.header).unwrap().clone();
    // Metadata, end of sequence, a seek command, several tracks in one, a message that is cut short, and the header again.
    for body in [
        &b"\xd4hvc1\x02\x00\x09colorInfo"[..],
        b"\x92hvc1",
        b"\xd0\x00",
        b"\x96\x01hvc1\x00",
        b"\x91hvc1\x00",
        model.body(),
    ] {
        let tag = Tag { header: true, ..model.with_body(body) };
        odd.tags.insert(at, tag);
    }
    // A modifier in front (nanoseconds of time).
    for tag in odd.tags.iter_mut().filter(|t| t.video && !t.header).step_by(3) {
        let body = tag.body();
        let modified = [&[body[0] & 0xf0 | 7, 2, 1, 2, 3, body[0] & 15][..], &body[1..]].concat();
        *tag = tag.with_body(&modified);
    }
    let out = transcode(&odd);
    check::same_media(&out.segments, &expected.segments);
}

#[test]
fn another_header_ends_the_run_cleanly() {
    let (hevc, av1) = (recorded(HEVC), recorded(AV1));
    let both = hevc.then(&av1, 3_000);
    let out = transcode(&both);
    assert!(matches!(out.end.reason, EndReason::Ended), "{:?}", out.end);
    assert_eq!(times(&out.segments).len(), 75);
    let at = out.end.position;
    let next = both.tags.iter().find(|t| t.key && t.cursor > at.cursor).unwrap();
    let (rest, first) = both.serve(next.cursor);
    let rest =
        collect(input(rest, first), &small(), StartPoint::aligned(at.video_end, at.next_segment)).unwrap();
    assert_eq!(times(&rest.segments).len(), 150);
}

#[test]
fn times_above_24_and_below_0_bits() {
    let late = recorded(HEVC).retimed(|t| if t.header { 0 } else { t.millis + 0x7f00_0000 });
    assert_eq!(times(&transcode(&late).segments).len(), 150);
    // A first picture that claims to be shown before time 0.
    let mut early = recorded(HEVC);
    let first = early.tags.iter_mut().find(|t| t.video && !t.header).unwrap();
    let body = [&first.body()[..5], &[0xff, 0xf0, 0x00], &first.body()[8..]].concat();
    *first = first.with_body(&body);
    assert_eq!(times(&transcode(&early).segments).len(), 150);
}

#[test]
fn a_codec_without_decoder_is_named() {
    let mut source = recorded(HEVC).filter(|t| !t.audio);
    for tag in source.tags.iter_mut().filter(|t| t.video) {
        let body = [&tag.body()[..1], b"vvc1", &tag.body()[5..]].concat();
        *tag = tag.with_body(&body);
    }
    let error = collect(input(source.bytes(), FIRST_CURSOR), &small(), start()).err().unwrap();
    assert!(matches!(error, MediaError::UnsupportedCodec { track: "video", .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::Source);
}

#[test]
fn damage_is_counted_and_survived() {
    for (name, capture) in CAPTURES {
        let mut source = recorded(capture);
        for (i, tag) in source.tags.iter_mut().enumerate().filter(|(_, t)| !t.header) {
            let end = tag.bytes.len() - 4;
            if i % 23 == 0 && end > 60 {
                tag.bytes[40..60].iter_mut().for_each(|b| *b = b.wrapping_mul(31).wrapping_add(7));
            }
        }
        let out = transcode(&source);
        check::consistent(&out.segments);
        let seconds: f64 = out.segments.iter().map(|s| s.video.unwrap().duration().as_secs_f64()).sum();
        assert!((5.5..6.5).contains(&seconds), "{name}: {seconds} {:?}", out.end);
    }
}

#[test]
fn a_run_that_is_cut_anywhere_ends() {
    let whole = recorded(HEVC).filter(|t| t.millis < 1_500).bytes();
    for at in (0..4_000).step_by(97).chain((4_000..whole.len()).step_by(1_009)) {
        let cut = whole[..at].to_vec();
        match collect(input(cut.clone(), FIRST_CURSOR), &small(), start()) {
            Ok(out) => assert!(!matches!(out.end.reason, EndReason::Abrupt(_)), "{at}: {:?}", out.end),
            Err(error) => assert!(matches!(error, MediaError::NoMedia), "{at}: {error}"),
        }
        match collect(broken(cut, FIRST_CURSOR), &small(), start()) {
            Ok(out) => assert!(matches!(out.end.reason, EndReason::Abrupt(_)), "{at}: {:?}", out.end),
            Err(error) => panic!("{at}: {error}"),
        }
    }
}
