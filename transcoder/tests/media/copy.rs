//! Passthrough: the source's packets are the top rendition and the sound, to the byte, and every other rendition is cut
//! where they are; a source that is not fit for it is noticed before anything is wrong.

use crate::support::check;
use crate::support::flv::{self, FIRST_CURSOR, Flv};
use crate::support::{Out, broken, collect, input, start};
use headwater_transcoder::media::{
    EndReason, EngineSettings, Passthrough, Placement, Rung, Segment, StartPoint,
};

/// The source and a rung below it.
fn copying() -> EngineSettings {
    let ladder = vec![Rung::new("180p", 180, 1_000_000), Rung::new("90p", 90, 100_000)];
    EngineSettings { ladder: Some(ladder), passthrough: Passthrough::ALL, ..EngineSettings::default() }
}

fn run(source: &Flv) -> Out {
    collect(input(source.bytes(), FIRST_CURSOR), &copying(), start()).unwrap()
}

fn seconds(segments: &[Segment]) -> Vec<f64> {
    segments.iter().map(|s| (s.video.unwrap().duration().as_secs_f64() * 100.0).round() / 100.0).collect()
}

/// Copied, and exactly what the source is.
fn is_the_source(source: &Flv, out: &Out) {
    assert!(matches!(out.end.reason, EndReason::Ended), "{:?}", out.end.reason);
    let packets = check::consistent(&out.segments);
    let copied: Vec<_> = out.segments[0].renditions.iter().map(|r| (r.name.as_str(), r.copied)).collect();
    assert_eq!(copied, [("180p", true), ("90p", false), ("audio", true)]);
    let top = check::concatenated(&out.segments, "180p");
    assert_eq!(check::payloads(&top, "v:0"), check::payloads(&source.bytes(), "v:0"));
    assert_eq!(packets.len() as u64, out.end.stats.decoded);
    for r in out.segments.iter().flat_map(|s| s.renditions.iter().map(move |r| (s, r))) {
        let rate = (r.1.data.len() * 8) as f64 / r.0.video.unwrap().duration().as_secs_f64();
        assert!(rate <= f64::from(r.1.declared_bitrate), "{}: {rate}", r.1.name);
    }
}

#[test]
fn pictures_and_sound_are_the_source_s() {
    let source = flv::clip("320x180", "30", 8.0, "-g 60 -bf 0 -sc_threshold 0");
    let out = run(&source);
    is_the_source(&source, &out);
    assert_eq!(seconds(&out.segments), [2.0, 2.0, 2.0, 2.0]);
    let sound = check::concatenated(&out.segments, "audio");
    let theirs = check::payloads(&source.bytes(), "a:0");
    let ours = check::payloads(&sound, "a:0");
    assert!(
        theirs.windows(ours.len() - 2).any(|w| w == &ours[1..ours.len() - 1]),
        "{} {}",
        ours.len(),
        theirs.len()
    );
}

/// More than the demuxer looks at for the tracks: it then knows of the sound only what FLV says of all AAC.
#[test]
fn sound_behind_a_large_first_picture_is_copied() {
    let source = flv::clip("640x360", "30", 4.0, "-vf noise=alls=90:allf=t -g 60 -bf 0 -qp 12");
    let settings = EngineSettings { passthrough: Passthrough { video: false, audio: true }, ..copying() };
    let out = collect(input(source.bytes(), FIRST_CURSOR), &settings, start()).unwrap();
    let sound = out.segments[0].renditions.iter().find(|r| r.name == "audio").unwrap();
    assert!(sound.copied);
    let entry = sound.init.windows(4).position(|w| w == b"mp4a").unwrap() + 4;
    let rate = entry + 24; // ISO/IEC 14496-12, 12.2.3.2
    assert_eq!(u16::from_be_bytes([sound.init[rate], sound.init[rate + 1]]), 48_000);
    check::consistent(&out.segments);
}

#[test]
fn with_b_frames_and_short_gops() {
    let source =
        flv::clip("320x180", "30000/1001", 9.0, "-g 30 -bf 3 -sc_threshold 0 -x264-params b-pyramid=normal");
    let out = run(&source);
    is_the_source(&source, &out);
    assert!(seconds(&out.segments).iter().all(|s| *s <= 2.45));
}

#[test]
fn with_irregular_gops() {
    let source = flv::clip("320x180", "25", 9.0, "-g 50 -bf 2 -force_key_frames 0.4,1.2,3.0,3.3,6.6");
    let out = run(&source);
    is_the_source(&source, &out);
    assert!(seconds(&out.segments).iter().all(|s| *s <= 2.45));
}

#[test]
fn from_every_segment() {
    let source = flv::clip("320x180", "30", 9.0, "-g 45 -bf 2 -sc_threshold 0");
    let whole = run(&source);
    for cut in 1..whole.segments.len() - 1 {
        let millis = 700 + (whole.segments[cut].video.unwrap().end.ticks() / 90 - 10_000) as u32;
        let bytes = source.filter(|t| t.millis < millis).bytes();
        let first = collect(broken(bytes, FIRST_CURSOR), &copying(), start()).unwrap();
        assert!(matches!(first.end.reason, EndReason::Abrupt(_)));
        let (rest, cursor) = source.serve(first.end.position.cursor);
        let second = collect(input(rest, cursor), &copying(), first.end.position.resume()).unwrap();
        let both: Vec<Segment> = first.segments.into_iter().chain(second.segments).collect();
        check::consistent(&both);
        let top = check::concatenated(&both, "180p");
        assert_eq!(check::payloads(&top, "v:0"), check::payloads(&source.bytes(), "v:0"), "{cut}");
        let sound = |segments: &[Segment]| check::payloads(&check::concatenated(segments, "audio"), "a:0");
        assert_eq!(sound(&both), sound(&whole.segments), "{cut}");
    }
}

/// Found unfit before anything was handed out; encoded, all of it is there.
fn is_encoded_anew(source: &Flv, settings: EngineSettings, frames: usize) {
    let out = collect(input(source.bytes(), FIRST_CURSOR), &settings, start()).unwrap();
    assert!(matches!(out.end.reason, EndReason::NotCopyable { .. }), "{:?}", out.end.reason);
    assert!(out.segments.is_empty());
    let settings = EngineSettings { passthrough: Passthrough::NONE, ..settings };
    let (bytes, first) = source.serve(out.end.position.cursor);
    let again = collect(input(bytes, first), &settings, out.end.position.resume()).unwrap();
    assert_eq!(check::consistent(&again.segments).len(), frames);
    assert!(again.segments[0].renditions.iter().all(|r| !r.copied));
}

#[test]
fn key_frames_too_far_apart_are_encoded_anew() {
    is_encoded_anew(&flv::clip("320x180", "30", 6.0, "-g 250 -bf 2"), copying(), 180);
}

#[test]
fn open_gops_are_encoded_anew() {
    is_encoded_anew(
        &flv::clip("320x180", "25", 6.0, "-g 50 -bf 3 -x264-params open-gop=1:scenecut=0"),
        copying(),
        150,
    );
}

#[test]
fn what_costs_too_much_is_encoded_anew() {
    let ladder = vec![Rung::new("180p", 180, 200_000), Rung::new("90p", 90, 100_000)];
    let settings = EngineSettings { ladder: Some(ladder), ..copying() };
    is_encoded_anew(&flv::clip("320x180", "30", 5.0, "-g 60 -bf 0 -qp 4"), settings, 150);
}

/// Fit until here, and not from here on: what was handed out stays, what follows continues it exactly.
fn goes_on_encoded(source: &Flv, frames: usize) {
    let first = run(source);
    assert!(matches!(first.end.reason, EndReason::NotCopyable { .. }), "{:?}", first.end.reason);
    assert!(first.segments.len() >= 2);
    let settings = EngineSettings { passthrough: Passthrough::NONE, ..copying() };
    let (bytes, cursor) = source.serve(first.end.position.cursor);
    let second = collect(input(bytes, cursor), &settings, first.end.position.resume()).unwrap();
    let count = |segments: &[Segment]| segments.iter().map(|s| s.frames as usize).sum::<usize>();
    assert_eq!(count(&first.segments) + count(&second.segments), frames);
    assert_eq!(first.segments.last().unwrap().video.unwrap().end, second.segments[0].video.unwrap().start);
    check::consistent(&first.segments);
    check::consistent(&second.segments);
}

#[test]
fn gops_that_grow_end_the_copying() {
    goes_on_encoded(
        &flv::clip("320x180", "25", 12.0, "-g 250 -bf 2 -sc_threshold 0 -force_key_frames 1,2,3,4,5,6,7"),
        300,
    );
}

#[test]
fn damage_ends_the_copying() {
    let mut source = flv::clip("320x180", "30", 10.0, "-g 60 -bf 0 -sc_threshold 0");
    let damaged = source.tags.iter().position(|t| t.video && !t.header && t.millis > 5_500).unwrap();
    let bytes = &mut source.tags[damaged].bytes;
    let end = bytes.len() - 4;
    bytes[16..end].iter_mut().for_each(|b| *b ^= 0x5a);
    let first = run(&source);
    assert!(matches!(first.end.reason, EndReason::NotCopyable { .. }), "{:?}", first.end.reason);
    assert_eq!(seconds(&first.segments), [2.0, 2.0]);
}

/// The same with these NAL units before a picture's own.
fn with_units(source: &Flv, at: impl Fn(&flv::Tag) -> bool, units: &[u8]) -> Flv {
    let mut source = source.filter(|_| true);
    for tag in source.tags.iter_mut().filter(|tag| tag.video && !tag.header && at(tag)) {
        let body = tag.body();
        *tag = tag.with_body(&[&body[..5], units, &body[5..]].concat());
    }
    source
}

/// A foreign server in front sends them as they come; the gateway has them in the sequence header.
#[test]
fn parameter_sets_in_band_end_the_copying_only_if_they_are_others() {
    let source = flv::clip("320x180", "25", 12.0, "-g 50 -bf 0 -sc_threshold 0");
    let header = &source.tags.iter().find(|tag| tag.video && tag.header).unwrap().bytes;
    let avcc = &header[16..header.len() - 4];
    let length = usize::from(u16::from_be_bytes([avcc[6], avcc[7]]));
    let sps = [&[0, 0][..], &avcc[6..8 + length]].concat();
    let repeating = with_units(&source, |tag| tag.key, &sps);
    is_the_source(&repeating, &run(&repeating));
    // A picture parameter set of a number that no picture uses.
    let another = [0, 0, 0, 4, 0x68, 0b0001_0001, 0x4e, 0x80];
    goes_on_encoded(
        &with_units(&source, |tag| !tag.key && (5_500..5_600).contains(&tag.millis), &another),
        300,
    );
}

#[test]
fn a_source_above_or_beside_the_stream_s_ladder_is_encoded() {
    for size in ["640x360", "256x144"] {
        let source = flv::clip(size, "30", 4.0, "-g 60 -bf 0");
        let out = run(&source);
        assert!(matches!(out.end.reason, EndReason::Ended));
        assert!(out.segments[0].renditions.iter().all(|r| !r.copied || r.name == "audio"));
        check::consistent(&out.segments);
    }
}

#[test]
fn a_source_as_small_as_the_least_rung_is_copied_alone() {
    let source = flv::clip("320x180", "30", 4.0, "-g 60 -bf 0");
    let settings = EngineSettings { ladder: None, ..copying() };
    let out = collect(input(source.bytes(), FIRST_CURSOR), &settings, start()).unwrap();
    let names: Vec<_> = out.segments[0].renditions.iter().map(|r| (r.name.as_str(), r.copied)).collect();
    assert_eq!(names, [("180p", true), ("audio", true)]);
    check::consistent(&out.segments);
}

#[test]
fn sound_of_another_rate_is_encoded() {
    let source = flv::make(
        "-f lavfi -i testsrc2=size=320x180:rate=30 -f lavfi -i sine=frequency=440:sample_rate=44100 -t 5 \
         -c:v libx264 -preset veryfast -pix_fmt yuv420p -g 60 -bf 0 -c:a aac -ac 2 -b:a 96k",
    );
    let out = run(&source);
    let copied: Vec<_> = out.segments[0].renditions.iter().map(|r| r.copied).collect();
    assert_eq!(copied, [true, false, false]);
    check::consistent(&out.segments);
}

#[test]
fn missing_sound_is_silence_of_the_same_kind() {
    let source = flv::clip("320x180", "30", 8.0, "-g 60 -bf 0 -sc_threshold 0");
    let holes = source.filter(|t| !t.audio || t.header || !(3_000..4_000).contains(&t.millis));
    let out = run(&holes);
    check::consistent(&out.segments);
    let sound = check::sound(&check::concatenated(&out.segments, "audio"));
    let rms = |from: usize, to: usize| {
        let part = &sound[from * 48..to * 48];
        (part.iter().map(|x| x * x).sum::<f32>() / part.len() as f32).sqrt()
    };
    assert!(rms(2_000, 2_900) > 0.05 && rms(3_100, 3_900) < 0.001 && rms(4_100, 5_000) > 0.05);
    assert!(out.end.stats.silence_samples >= 46 * 1_024);
}

/// An hour of clocks that drift apart, without waiting for it: the sound stays within 40 ms of where it belongs.
#[test]
fn a_drifting_sound_clock_is_followed() {
    // 20 s in which the sound's clock runs 1 % fast: what a bad crystal does in five hours.
    let source = flv::clip("320x180", "30", 20.0, "-g 60 -bf 0 -sc_threshold 0");
    let drifting = source.retimed(|t| if t.audio { (f64::from(t.millis) * 1.01) as u32 } else { t.millis });
    let out = run(&drifting);
    check::consistent(&out.segments);
    assert!(out.end.stats.drift_samples >= 8 * 1_024, "{:?}", out.end.stats);
    let steady = run(&source);
    assert_eq!((steady.end.stats.drift_samples, steady.end.stats.silence_samples), (0, 0));
}

#[test]
fn what_the_encoder_claims_is_not_needed_to_go_on() {
    let source = flv::clip("320x180", "25", 9.0, "-g 50 -bf 2 -sc_threshold 0");
    let whole = run(&source);
    let bare = source.filter(|t| t.bytes[0] != 18);
    let (rest, cursor) = bare.serve(whole.segments[1].cursor);
    let point = StartPoint {
        video_from: whole.segments[1].video.unwrap().end,
        audio_from: whole.segments[1].audio.unwrap().to,
        placement: Placement::Offset(whole.segments[1].offset),
        next_segment: whole.segments[1].number + 1,
        copied: false,
        parts: Vec::new(),
    };
    let rest = collect(input(rest, cursor), &copying(), point).unwrap();
    let inits = |segment: &Segment| segment.renditions.iter().map(|r| r.init.clone()).collect::<Vec<_>>();
    assert_eq!(inits(&rest.segments[0]), inits(&whole.segments[2]));
}
