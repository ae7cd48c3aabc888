//! Frame rates and clocks: every picture is shown when the source says, whatever the steps between them are.

use crate::support::flv::{self, Flv};
use crate::support::{Out, check, collect, input, small, transcode};
use headwater_transcoder::media::{EndReason, RenditionKind, StartPoint};

fn times(out: &Out) -> Vec<i64> {
    check::consistent(&out.segments).iter().map(|p| p.pts).collect()
}

/// When pictures are to be shown, in 1/90000 s from the first, by the source's tags.
fn source_times(source: &Flv) -> Vec<i64> {
    let mut shown: Vec<i64> = source
        .tags
        .iter()
        .filter(|t| t.video && !t.header)
        .map(|t| {
            let composition = i32::from_be_bytes([0, t.bytes[13], t.bytes[14], t.bytes[15]]);
            i64::from(t.millis) + i64::from(composition)
        })
        .collect();
    shown.sort_unstable();
    shown.iter().map(|at| (at - shown[0]) * 90).collect()
}

fn shown_as_the_source_says(source: &Flv, out: &Out) {
    let times = times(out);
    let from_first: Vec<i64> = times.iter().map(|at| at - times[0]).collect();
    assert_eq!(from_first, source_times(source));
    assert_eq!((out.end.stats.dropped, out.end.stats.repeated), (0, 0));
}

#[test]
fn rates_of_film_and_of_television() {
    for (rate, exact, frames) in [
        ("24000/1001", 24_000.0 / 1_001.0, 168),
        ("30000/1001", 30_000.0 / 1_001.0, 210),
        ("60000/1001", 60_000.0 / 1_001.0, 420),
    ] {
        let source = flv::clip("160x90", rate, f64::from(frames) / exact, "-g 75 -bf 3");
        let out = transcode(&source);
        assert_eq!(source_times(&source).len(), frames as usize);
        shown_as_the_source_says(&source, &out);
        let RenditionKind::Video { frame_rate, .. } = out.segments[0].renditions[0].kind else { panic!() };
        assert!((frame_rate - exact).abs() < 0.001, "{frame_rate}");
        for segment in &out.segments[..out.segments.len() - 1] {
            let seconds = segment.video.unwrap().duration().as_secs_f64();
            assert!((seconds - 2.0).abs() < 1.1 / exact, "{rate}: {seconds}");
        }
    }
}

#[test]
fn pictures_that_come_at_no_fixed_rate() {
    // Of 60 pictures a second some seconds have all, some every twelfth, and the rest are picked without rule.
    let all = flv::make(
        "-f lavfi -i testsrc2=size=160x90:rate=60 -f lavfi -i sine=sample_rate=48000 -t 9 \
         -vf select='if(eq(mod(floor(t),3),0),1,if(eq(mod(floor(t),3),1),not(mod(n,12)),lt(random(7),0.4)))' \
         -vsync vfr -c:v libx264 -preset veryfast -pix_fmt yuv420p -g 60 -bf 2 -c:a aac",
    );
    let out = transcode(&all);
    let steps: std::collections::BTreeSet<_> =
        source_times(&all).windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps.len() > 5, "{steps:?}");
    shown_as_the_source_says(&all, &out);
}

#[test]
fn a_picture_a_second() {
    let source = flv::clip("160x90", "1", 9.0, "-g 2 -bf 0");
    let out = transcode(&source);
    assert_eq!(times(&out).len() as u64, 9 + out.end.stats.repeated);
    assert!(out.segments.iter().all(|s| s.video.unwrap().duration().as_secs_f64() < 2.5));
}

#[test]
fn times_near_the_end_of_31_bits() {
    let source = flv::clip("160x90", "25", 5.0, "-g 50 -bf 2");
    let late = source.retimed(|t| if t.header { 0 } else { t.millis + 0x7fff_0000 });
    let (now, then) = (transcode(&source), transcode(&late));
    assert_eq!(times(&then), times(&now));
}

#[test]
fn no_picture_is_lost_where_the_clock_jumps() {
    for ahead in [true, false] {
        let source = flv::clip("160x90", "25", 8.0, "-g 25 -bf 0").retimed(|t| match t.millis {
            m if m < 4_000 => m,
            m if ahead => m + 3_600_000,
            m => m - 3_500,
        });
        let out = transcode(&source);
        assert!(matches!(out.end.reason, EndReason::TimestampJump), "{:?}", out.end);
        let at = out.end.position;
        // A gateway begins a run there.
        let run = source.filter(|t| t.header || t.cursor >= at.cursor);
        let from = StartPoint::aligned(at.video_end.max(at.audio_end.time()), at.next_segment);
        let rest = collect(input(run.bytes(), at.cursor), &small(), from).unwrap();
        assert!(matches!(rest.end.reason, EndReason::Ended), "{:?}", rest.end);
        assert_eq!((times(&out).len(), times(&rest).len()), (100, 100), "ahead: {ahead}");
        assert!(rest.segments[0].video.unwrap().start >= at.video_end);
    }
}
