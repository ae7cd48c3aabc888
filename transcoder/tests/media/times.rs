//! Times that encoders get wrong, and pictures that pause: every picture that was sent is shown, and the grid of segments
//! holds.

use crate::support::flv::{self, FIRST_CURSOR, Flv};
use crate::support::{Out, check, collect, input, small, start};
use headwater_transcoder::media::{
    EndReason, EngineSettings, MediaTime, Passthrough, Problem, Problems, Rung, Segment,
};

/// One small rendition beside the source, if that may be one.
fn settings(copied: bool, low_latency: bool) -> EngineSettings {
    EngineSettings {
        ladder: Some(vec![Rung::new("90p", 90, 400_000), Rung::new("72p", 72, 100_000)]),
        passthrough: if copied { Passthrough::ALL } else { Passthrough::NONE },
        part_duration: low_latency.then_some(MediaTime::from_millis(500)),
        ..EngineSettings::default()
    }
}

/// What the caller does: goes on where a run ended, encoding if the source cannot be copied, until the source is over.
fn to_its_end(source: &Flv, mut settings: EngineSettings) -> Vec<Out> {
    let mut outs = vec![collect(input(source.bytes(), FIRST_CURSOR), &settings, start()).unwrap()];
    while outs.len() < 6 {
        let end = &outs[outs.len() - 1].end;
        match end.reason {
            EndReason::Ended => return outs,
            EndReason::NotCopyable { .. } => settings.passthrough = Passthrough::NONE,
            EndReason::TracksChanged => {}
            ref other => panic!("{other:?}"),
        }
        let (bytes, first) = source.serve(end.position.cursor);
        let point = end.position.resume();
        outs.push(collect(input(bytes, first), &settings, point).unwrap());
    }
    panic!("it never ends: {:?}", outs.iter().map(|out| &out.end).collect::<Vec<_>>());
}

/// Pictures of the source that are shown, repeated ones not counted.
fn shown(outs: &[Out]) -> u32 {
    outs.iter().flat_map(|out| &out.segments).map(|s| s.frames - s.repeated).sum()
}

fn longest(segments: &[Segment]) -> f64 {
    let spans =
        segments.iter().filter_map(|s| s.video.map(|v| v.duration()).or(s.audio.map(|a| a.duration())));
    spans.map(MediaTime::as_secs_f64).fold(0.0, f64::max)
}

fn set_composition(source: &mut Flv, picture: usize, millis: i32) {
    let tag = source.tags.iter_mut().filter(|t| t.video && !t.header).nth(picture).unwrap();
    tag.bytes[13..16].copy_from_slice(&millis.to_be_bytes()[1..]);
}

/// Any one composition time of a source costs no picture, wherever it stands: the source's own packets or encoded, in
/// whole segments or in parts.
#[test]
fn one_damaged_composition_time_costs_nothing() {
    let forms = [
        "-g 25 -bf 0",
        "-g 25 -bf 2 -sc_threshold 0 -x264-params b-pyramid=normal",
        "-g 50 -bf 3 -x264-params open-gop=1",
    ];
    let values = [-8_388_608, -60_000, -500, -41, 39, 120, 700, 2_500, 9_000, 11_000, 8_388_607];
    let mut which = 0;
    for form in forms {
        let source =
            flv::clip("160x90", "25", 4.0, &format!("-preset ultrafast {form}")).filter(|t| !t.audio);
        for position in [0, 1, 2, 3, 24, 25, 26, 27, 49, 50, 98, 99] {
            // Each position meets a few values and all ways; each value all positions over the forms.
            for _ in 0..3 {
                let value = values[which % values.len()];
                let (copied, low_latency) = (which % 2 == 0, which / 2 % 2 == 0);
                which += 1;
                let mut damaged = source.clone();
                set_composition(&mut damaged, position, value);
                let outs = to_its_end(&damaged, settings(copied, low_latency));
                let case =
                    format!("{form}, picture {position}: {value} ms, copied {copied}, parts {low_latency}");
                // Its own, where a run begins anew and it seems to lie before that.
                assert!((99..=100).contains(&shown(&outs)), "{case}: {}", shown(&outs));
                let all: Vec<Segment> = outs.iter().flat_map(|out| out.segments.clone()).collect();
                assert!(longest(&all) < 2.5, "{case}");
                assert!(outs.iter().all(|out| out.end.stats.refused == 0), "{case}");
                if which % 5 == 0 {
                    outs.iter()
                        .filter(|out| !out.segments.is_empty())
                        .for_each(|out| drop(check::consistent(&out.segments)));
                }
            }
        }
    }
}

#[test]
fn damaged_composition_times_everywhere_end_nothing() {
    let mut source = flv::clip("160x90", "25", 8.0, "-preset ultrafast -g 25 -bf 0");
    for picture in 0..200 {
        let value = [0, 9_000, 0, -9_000, 0, 8_388_607, 0][picture * 31 % 7];
        set_composition(&mut source, picture, value);
    }
    let problems = Problems::default();
    let settings = EngineSettings { problems: problems.clone(), ..settings(true, false) };
    let outs = to_its_end(&source, settings);
    assert_eq!(shown(&outs), 200);
    assert_eq!(problems.worst(), Some(Problem::PictureTimes));
    assert!(problems.worst().unwrap().sentence().contains("B-frames"));
}

/// A camera that pauses while the sound goes on: its last picture is shown on, and it is back with its first one.
#[test]
fn pictures_that_pause_are_shown_again_at_once() {
    for (gop, copied) in [(100, false), (50, false), (100, true), (50, true)] {
        let source =
            flv::clip("160x90", "25", 16.0, &format!("-g {gop} -keyint_min {gop} -sc_threshold 0 -bf 0"));
        let back = source.tags.iter().find(|t| t.key && t.millis >= 9_000).unwrap().millis;
        let source = source.filter(|t| t.header || t.audio || !(4_000..back).contains(&t.millis));
        let sent = source.tags.iter().filter(|t| t.video && !t.header).count() as u32;
        let outs = to_its_end(&source, settings(copied, false));
        assert_eq!(shown(&outs), sent, "{gop} {copied}");
        let all: Vec<Segment> = outs.iter().flat_map(|out| out.segments.clone()).collect();
        assert!(longest(&all) < 2.5, "{gop} {copied}");
        // Renditions of pictures are there all the time.
        assert!(all.iter().all(|s| s.renditions.len() >= 2 && s.video.is_some()), "{gop} {copied}");
        assert!(outs.len() <= 2, "{gop} {copied}");
        check::consistent(&outs.last().unwrap().segments);
    }
}

#[test]
fn a_pause_is_told_while_it_lasts() {
    let source = flv::clip("160x90", "25", 12.0, "-g 50 -bf 0");
    for (until, expected) in [(9_000, None), (20_000, Some(Problem::NoPictures))] {
        let paused = source.filter(|t| t.header || t.audio || !(3_000..until).contains(&t.millis));
        let problems = Problems::default();
        let settings = EngineSettings { problems: problems.clone(), ..small() };
        let out = collect(input(paused.bytes(), FIRST_CURSOR), &settings, start()).unwrap();
        check::consistent(&out.segments);
        assert_eq!(problems.worst(), expected);
    }
    let silent = source.filter(|t| !t.audio || t.millis < 3_000);
    let problems = Problems::default();
    let settings = EngineSettings { problems: problems.clone(), ..small() };
    collect(input(silent.bytes(), FIRST_CURSOR), &settings, start()).unwrap();
    assert_eq!(problems.worst(), Some(Problem::NoSound));
}

/// Slides: a picture every five seconds beside sound, key frames or not.
#[test]
fn sparse_pictures_are_all_shown() {
    for keys in [true, false] {
        let g = if keys { 1 } else { 250 };
        let source = flv::clip("160x90", "25", 26.0, &format!("-g {g} -keyint_min {g} -bf 0"));
        // Every picture of such a source needs only the one before it that was sent, for all are the same encoder's.
        let slides = flv::make(&format!(
            "-f lavfi -i testsrc2=size=160x90:rate=1/5 -t 25 -c:v libx264 -pix_fmt yuv420p -g {g} -bf 0 -tune zerolatency"
        ));
        let mut tags: Vec<_> =
            slides.tags.iter().chain(source.tags.iter().filter(|t| t.audio)).cloned().collect();
        tags.sort_by_key(|t| (!t.header, t.millis));
        for (i, tag) in tags.iter_mut().filter(|t| !t.header).enumerate() {
            tag.cursor = FIRST_CURSOR + i as u64;
            tag.bytes[8..11].copy_from_slice(&(tag.cursor as u32).to_be_bytes()[1..]);
        }
        for low_latency in [false, true] {
            let outs = to_its_end(&Flv { tags: tags.clone() }, settings(false, low_latency));
            assert_eq!(
                (shown(&outs), outs.len()),
                (5, 1),
                "keys: {keys} {:?}",
                outs.iter().map(|o| &o.end).collect::<Vec<_>>()
            );
            let segments = &outs[0].segments;
            assert!(longest(segments) < 2.5 && segments.len() >= 12, "{}", segments.len());
            assert!(segments.iter().all(|s| s.video.is_some()));
            check::consistent(segments);
        }
    }
}

/// A task that dies while the last picture is shown on has a successor that shows it on.
#[test]
fn a_successor_goes_on_showing_the_last_picture() {
    let source = flv::clip("160x90", "25", 14.0, "-g 50 -bf 0")
        .filter(|t| t.header || t.audio || !(3_000..12_000).contains(&t.millis));
    let whole = collect(input(source.bytes(), FIRST_CURSOR), &settings(false, false), start()).unwrap();
    let cut = source.filter(|t| t.millis < 9_000).bytes();
    let first = collect(crate::support::broken(cut, FIRST_CURSOR), &settings(false, false), start()).unwrap();
    let (bytes, cursor) = source.serve(first.end.position.cursor);
    let point = first.end.position.resume();
    let second = collect(input(bytes, cursor), &settings(false, false), point).unwrap();
    let both: Vec<Segment> = first.segments.into_iter().chain(second.segments).collect();
    let spans = |s: &[Segment]| s.iter().map(|s| (s.number, s.video, s.audio)).collect::<Vec<_>>();
    assert_eq!(spans(&both), spans(&whole.segments));
    check::consistent(&both);
}

/// Sound that goes on behind the last picture: no segment gets longer than it may, and all of it is heard.
#[test]
fn sound_outlasts_pictures() {
    for (copied, low_latency) in [(false, false), (true, false), (false, true), (true, true)] {
        for last in [6_200, 7_000, 7_900] {
            let source = flv::clip("160x90", "25", 9.7, "-g 50 -bf 0 -sc_threshold 0")
                .filter(|t| t.header || t.audio || t.millis < last);
            let outs = to_its_end(&source, settings(copied, low_latency));
            let all: Vec<Segment> = outs.iter().flat_map(|out| out.segments.clone()).collect();
            assert!(longest(&all) < 2.5, "{last} {copied} {low_latency}: {}", longest(&all));
            let parts = outs.iter().flat_map(|out| &out.parts).filter_map(|part| part.video);
            let part = parts.map(|video| video.duration().as_secs_f64()).fold(0.0, f64::max);
            assert!(part <= 0.534, "{last} {copied}: {part}");
            let heard = all.last().unwrap().audio.unwrap().to.time().as_secs_f64() - 10.0;
            assert!(heard > 9.3, "{last} {copied} {low_latency}: {heard}");
        }
    }
}

/// A camera that is switched on, or a radio that shows its first picture: it is shown from its first key frame on.
#[test]
fn pictures_that_come_late_are_shown_from_the_first_on() {
    for (from, copied) in [(5_000, false), (6_000, false), (6_040, true), (8_000, true)] {
        let source = flv::clip("160x90", "25", 12.0, "-g 25 -keyint_min 25 -sc_threshold 0 -bf 0");
        let first = source.tags.iter().find(|t| t.key && t.millis >= from).unwrap().millis;
        let source = source.filter(|t| t.header || t.audio || t.millis >= first);
        let sent = source.tags.iter().filter(|t| t.video && !t.header).count() as u32;
        let outs = to_its_end(&source, settings(copied, false));
        assert_eq!((shown(&outs), outs.len()), (sent, 2), "{from} {copied}");
        let starts = outs[1].segments[0].video.unwrap().start;
        assert!(starts >= outs[0].end.position.video_end, "{from} {copied}");
        outs.iter().for_each(|out| drop(check::consistent(&out.segments)));
    }
}

/// Frames of sound that share timestamps, as capture buffers that are stamped once: none is lost, nothing is silent.
#[test]
fn sound_in_bursts_is_continuous() {
    for (rate, passthrough) in
        [(48_000, Passthrough::ALL), (48_000, Passthrough::NONE), (44_100, Passthrough::NONE)]
    {
        let source = flv::make(&format!(
            "-f lavfi -i color=s=64x36:r=10 -f lavfi -i sine=frequency=440:sample_rate={rate} -t 8 \
             -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 20 -bf 0 -c:a aac -b:a 64k"
        ));
        for step in [100, 200, 400, 500] {
            let bursts =
                source.retimed(|t| if t.audio && !t.header { t.millis / step * step } else { t.millis });
            let settings =
                EngineSettings { passthrough: Passthrough { video: false, ..passthrough }, ..small() };
            let out = collect(input(bursts.bytes(), FIRST_CURSOR), &settings, start()).unwrap();
            check::consistent(&out.segments);
            let stats = out.end.stats;
            let what = format!("{rate} {passthrough:?} {step}: {stats:?}");
            assert!(stats.silence_samples < 6_000 && stats.overlap_samples < 6_000, "{what}");
            assert!(stats.drift_samples < 4_000, "{what}");
        }
    }
}
