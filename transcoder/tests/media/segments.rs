//! One run from beginning to end: what it produces, seen by ffprobe and ffmpeg.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use crate::support::flv::{self, FIRST_CURSOR};
use crate::support::{check, collect, input, small, start, transcode};
use headwater_transcoder::media::{
    Cancel, EndReason, EngineSettings, Made, Passthrough, RenditionKind, RunInput, run,
};

#[test]
fn aligned_segments_of_all_renditions() {
    let source = flv::clip("320x180", "30", 7.0, "-g 60 -bf 2");
    let out = transcode(&source);
    assert!(matches!(out.end.reason, EndReason::Ended), "{:?}", out.end);
    let packets = check::consistent(&out.segments);
    assert_eq!(packets.len(), 210);
    assert_eq!(packets[0].pts, 900_000);
    assert_eq!(out.segments.len(), 4);
    for segment in &out.segments[..3] {
        assert_eq!(segment.renditions.len(), 3);
        let seconds = segment.video.unwrap().duration().as_secs_f64();
        assert!((1.95..2.05).contains(&seconds), "{seconds}");
    }
    let stats = out.end.stats;
    assert_eq!((stats.decoded, stats.dropped, stats.video_errors, stats.audio_errors), (210, 0, 0, 0));
    assert_eq!(stats.encoded, 420);
}

#[test]
fn the_real_ladder() {
    let source = flv::clip("1280x720", "30", 4.2, "-g 250 -bf 3");
    let settings = EngineSettings { passthrough: Passthrough::NONE, ..EngineSettings::default() };
    let out = collect(input(source.bytes(), FIRST_CURSOR), &settings, start()).unwrap();
    let packets = check::consistent(&out.segments);
    assert_eq!(packets.len(), 126);
    let names: Vec<_> = out.segments[0].renditions.iter().map(|r| r.name.as_str()).collect();
    assert_eq!(names, ["720p", "480p", "360p", "audio"]);
    for segment in &out.segments[..2] {
        let seconds = segment.video.unwrap().duration().as_secs_f64();
        for r in &segment.renditions {
            let rate = (r.data.len() * 8) as f64 / seconds;
            assert!(rate <= f64::from(r.declared_bitrate), "{}: {rate} > {}", r.name, r.declared_bitrate);
        }
    }
    let kind = &out.segments[0].renditions[0].kind;
    assert_eq!(*kind, RenditionKind::Video { width: 1280, height: 720, frame_rate: 30.0 });
    assert_eq!(out.segments[0].renditions[0].codecs, "avc1.64001f");
}

/// Tells when the last byte was read.
struct Telling(io::Cursor<Vec<u8>>, SyncSender<()>);

impl Read for Telling {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.0.read(buf)?;
        if n == 0 {
            let _ = self.1.try_send(());
        }
        Ok(n)
    }
}

#[test]
fn a_slow_sink_slows_reading_down() {
    let source = flv::clip("160x90", "30", 45.0, "-g 60 -bf 0");
    let (tell, told) = sync_channel(1);
    let reader = Box::new(Telling(io::Cursor::new(source.bytes()), tell));
    let mut segments = Vec::new();
    let sink = |made| {
        let Made::Segment(segment) = made else { panic!("a part") };
        if segments.is_empty() {
            // The engine has all the time it wants and must not reach the end: its queues are full before.
            let waited = told.recv_timeout(Duration::from_secs(3));
            assert_eq!(waited, Err(RecvTimeoutError::Timeout));
        }
        segments.push(segment);
        ControlFlow::Continue(())
    };
    let input = RunInput { reader, first_cursor: FIRST_CURSOR, pace: None };
    let end = run(input, &small(), start(), sink, &Cancel::new()).unwrap();
    assert!(matches!(end.reason, EndReason::Ended));
    assert_eq!(check::consistent(&segments).len(), 45 * 30);
}
