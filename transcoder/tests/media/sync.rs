//! Flash and beep at the same instants in the source must come out at the same instants, whatever the audio format.

use crate::support::flv::{self, FIRST_CURSOR, Flv};
use crate::support::{broken, check, collect, input, small, start, transcode};
use headwater_transcoder::media::{RenditionKind, Segment, StartPoint};

/// One flash and beep of 100 ms each second.
fn flashes(audio: &str, seconds: u32) -> Flv {
    flv::make(&format!(
        "-f lavfi -i color=black:s=320x180:r=30,drawbox=enable=lt(mod(t\\,1)\\,0.1):c=white:t=fill \
         -f lavfi -i aevalsrc=if(lt(mod(t\\,1)\\,0.1)\\,0.8*sin(2*PI*1000*t)):s=48000 -t {seconds} \
         -c:v libx264 -preset veryfast -pix_fmt yuv420p -g 60 -bf 3 -c:a aac -b:a 96k {audio}"
    ))
}

/// Times, in seconds of T, at which the picture turns white and the sound begins.
fn onsets(segments: &[Segment]) -> (Vec<f64>, Vec<f64>) {
    check::consistent(segments);
    let video = check::concatenated(segments, "180p");
    let times = check::packets(&video);
    let luma = check::luma(&video);
    assert_eq!(times.len(), luma.len());
    let white = |i: usize| luma[i] > 128;
    let flashes = (0..luma.len())
        .filter(|&i| white(i) && (i == 0 || !white(i - 1)))
        .map(|i| times[i].pts as f64 / 90_000.0)
        .collect();

    let audio = check::concatenated(segments, "audio");
    let first = check::packets(&audio)[0].pts as f64;
    let sound = check::sound(&audio);
    let mut beeps = Vec::new();
    let mut quiet_since = 0_usize;
    for (i, _) in sound.iter().enumerate().filter(|(_, s)| s.abs() > 0.2) {
        if beeps.is_empty() || i - quiet_since > 24_000 {
            beeps.push((first + i as f64) / 48_000.0);
        }
        quiet_since = i;
    }
    (flashes, beeps)
}

/// Pairs them; none may be 5 ms apart (the first beep has the encoder's pre-echo, the others are under 1 ms).
fn in_sync(segments: &[Segment], seconds: usize) {
    let (flashes, beeps) = onsets(segments);
    assert_eq!((flashes.len(), beeps.len()), (seconds, seconds), "{flashes:?} {beeps:?}");
    let offsets: Vec<f64> = flashes.iter().zip(&beeps).map(|(f, b)| (b - f) * 1_000.0).collect();
    assert!(offsets[0].abs() < 5.0 && offsets[1..].iter().all(|o| o.abs() < 1.0), "{offsets:?} ms");
}

#[test]
fn stereo_48k() {
    in_sync(&transcode(&flashes("-ac 2", 7)).segments, 7);
}

#[test]
fn mono_44k() {
    let out = transcode(&flashes("-ac 1 -ar 44100", 7));
    in_sync(&out.segments, 7);
    let kind = &out.segments[0].renditions.last().unwrap().kind;
    assert_eq!(*kind, RenditionKind::Audio { channels: 1, sample_rate: 48_000 });
}

#[test]
fn surround() {
    let out = transcode(&flashes("-ac 6", 7));
    in_sync(&out.segments, 7);
    let kind = &out.segments[0].renditions.last().unwrap().kind;
    assert_eq!(*kind, RenditionKind::Audio { channels: 2, sample_rate: 48_000 });
}

#[test]
fn behind_a_resume() {
    let source = flashes("-ac 2 -ar 44100", 9);
    let cut = source.filter(|t| t.millis < 5_500).bytes();
    let first = collect(broken(cut, FIRST_CURSOR), &small(), start()).unwrap();
    let (bytes, cursor) = source.serve(first.end.position.cursor);
    let second = collect(input(bytes, cursor), &small(), first.end.position.resume()).unwrap();
    let both: Vec<Segment> = first.segments.into_iter().chain(second.segments).collect();
    in_sync(&both, 9);
}

#[test]
fn a_sample_clock_that_is_off_is_followed() {
    // By the source's own timestamps its sound has 2 in 1,000 samples too few, or too many: 90 ms at the end.
    for thousandths in [998, 1_002] {
        let source = flashes("-ac 2", 45).retimed(|t| (u64::from(t.millis) * thousandths / 1_000) as u32);
        let out = transcode(&source);
        let (flashes, beeps) = onsets(&out.segments);
        assert_eq!((flashes.len(), beeps.len()), (45, 45));
        let worst = flashes.iter().zip(&beeps).map(|(f, b)| (b - f).abs()).fold(0.0, f64::max);
        assert!(worst < 0.040, "{worst} s");
        let stats = out.end.stats;
        assert!(stats.drift_samples > 2_000 && stats.silence_samples < 4_800, "{stats:?}");
    }
}

#[test]
fn sound_of_another_rate_and_with_other_channels_from_the_next_run_on() {
    let (first, second) = (flashes("-ac 2", 4), flashes("-ac 1 -ar 22050", 4));
    let one = transcode(&first);
    let at = one.end.position;
    let again = StartPoint::aligned(at.video_end.max(at.audio_end.time()), at.next_segment);
    let two = collect(input(second.bytes(), FIRST_CURSOR), &small(), again).unwrap();
    in_sync(&one.segments, 4);
    in_sync(&two.segments, 4);
    let kind = |segments: &[Segment]| segments[0].renditions.last().unwrap().kind.clone();
    assert_eq!(kind(&one.segments), RenditionKind::Audio { channels: 2, sample_rate: 48_000 });
    assert_eq!(kind(&two.segments), RenditionKind::Audio { channels: 1, sample_rate: 48_000 });
    assert_ne!(
        one.segments[0].renditions.last().unwrap().init,
        two.segments[0].renditions.last().unwrap().init
    );
}
