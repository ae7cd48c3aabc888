//! Real encoders publish over real sockets. They are part of the development setup: a missing one
//! fails the test.

use std::process::Command;

use crate::support::socket::{Decide, Outcome, run_against_server};
use headwater_rtmp::codec::{Codec, Inspector, MediaClass, VideoCodec};
use headwater_rtmp::{Event, RejectCode};

/// Seconds after which a stuck encoder is ended.
const PATIENCE: &str = "60";

const ACCEPT: Decide = |_| Ok(());

fn program(name: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args([PATIENCE, name]);
    command
}

fn ffmpeg(url: &str) -> Command {
    let mut command = program("ffmpeg");
    command.args(["-nostdin", "-hide_banner", "-loglevel", "info", "-f", "lavfi", "-i"]);
    command.args(["testsrc=size=160x120:rate=15:duration=2", "-f", "lavfi", "-i", "sine=duration=2"]);
    command.args(["-c:v", "libx264", "-preset", "ultrafast", "-g", "15", "-c:a", "aac", "-f", "flv", url]);
    command
}

fn gstreamer(sink: &str) -> Command {
    let mut command = program("gst-launch-1.0");
    let pipeline = format!(
        "videotestsrc num-buffers=30 ! video/x-raw,width=160,height=120,framerate=15/1 ! x264enc key-int-max=15 \
         bframes=0 tune=zerolatency ! h264parse ! flvmux name=mux streamable=true ! {sink} \
         audiotestsrc num-buffers=90 ! audio/x-raw,rate=44100 ! voaacenc ! aacparse ! mux."
    );
    command.args(pipeline.split_whitespace());
    command
}

struct Seen {
    key: Option<String>,
    query: Vec<(String, String)>,
    headers: usize,
    idrs: usize,
    frames: usize,
    last_time: u32,
    metadata: usize,
    unpublished: usize,
}

fn look_at(outcome: &Outcome) -> Seen {
    let mut inspector = Inspector::new();
    let mut seen = Seen {
        key: None,
        query: Vec::new(),
        headers: 0,
        idrs: 0,
        frames: 0,
        last_time: 0,
        metadata: 0,
        unpublished: 0,
    };
    for event in &outcome.events {
        match event {
            Event::PublishRequested(request) => {
                seen.key = Some(request.key.reveal().to_owned());
                seen.query.clone_from(&request.query);
            }
            Event::Media(media) => {
                seen.last_time = seen.last_time.max(media.timestamp);
                let info = inspector.inspect(media.kind, &media.payload).unwrap();
                match info.class {
                    MediaClass::SequenceHeader => seen.headers += 1,
                    MediaClass::RandomAccess(_) => {
                        assert_eq!(info.codec, Codec::Video(VideoCodec::Avc));
                        seen.idrs += 1;
                    }
                    MediaClass::Frames => seen.frames += 1,
                    MediaClass::Other => {}
                }
            }
            Event::Metadata(_) => seen.metadata += 1,
            Event::Unpublished { .. } => seen.unpublished += 1,
            _ => {}
        }
    }
    seen
}

fn assert_two_seconds(seen: &Seen) {
    assert_eq!(seen.headers, 2, "one sequence header each");
    assert_eq!(seen.idrs, 2, "15 pictures apart");
    assert!(seen.frames > 28 + 60, "{} frames", seen.frames);
    assert!((1_900..2_200).contains(&seen.last_time), "{} ms", seen.last_time);
    assert!(seen.metadata > 0, "GStreamer repeats it when tags change");
}

#[test]
fn ffmpeg_publishes() {
    let (output, outcome) =
        run_against_server(ACCEPT, |port| ffmpeg(&format!("rtmp://127.0.0.1:{port}/live/ab/cd?token=x%2Fy")));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(outcome.error, None);
    let seen = look_at(&outcome);
    assert_eq!(seen.key.as_deref(), Some("ab/cd"));
    assert_eq!(seen.query, [("token".to_owned(), "x/y".to_owned())]);
    assert_two_seconds(&seen);
    assert_eq!(seen.unpublished, 1);
    let work = outcome.stats.reader;
    assert!(work.chunks < work.messages + 20, "it adopts our chunk size after the first commands: {work:?}");
}

#[test]
fn gstreamer_rtmp2sink_publishes() {
    let (output, outcome) = run_against_server(ACCEPT, |port| {
        gstreamer(&format!("rtmp2sink location=rtmp://127.0.0.1:{port}/live/testkey"))
    });
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(outcome.error, None);
    let seen = look_at(&outcome);
    assert_eq!(seen.key.as_deref(), Some("testkey"));
    assert_two_seconds(&seen);
}

#[test]
fn gstreamer_rtmpsink_publishes() {
    let (output, outcome) = run_against_server(ACCEPT, |port| {
        gstreamer(&format!("rtmpsink location=rtmp://127.0.0.1:{port}/live/testkey"))
    });
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(outcome.error, None);
    let seen = look_at(&outcome);
    assert_eq!(seen.key.as_deref(), Some("testkey"));
    assert_two_seconds(&seen);
}

#[test]
fn ffmpeg_shows_why_a_publication_was_denied() {
    let deny: Decide = |_| Err((RejectCode::Denied, "stream key was revoked"));
    let (output, _) =
        run_against_server(deny, |port| ffmpeg(&format!("rtmp://127.0.0.1:{port}/live/testkey")));
    assert!(!output.status.success());
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(shown.contains("Server error: stream key was revoked"), "{shown}");
}

#[test]
fn ffmpeg_shows_that_the_application_is_unknown() {
    let (output, outcome) =
        run_against_server(ACCEPT, |port| ffmpeg(&format!("rtmp://127.0.0.1:{port}/other/testkey")));
    assert!(!output.status.success());
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(shown.contains("unknown application, use rtmp://host/live"), "{shown}");
    assert!(outcome.error.is_some());
}

#[test]
fn ffmpeg_accepts_our_digest_and_shows_that_playing_is_not_offered() {
    // Only as a player does FFmpeg verify the digests of S1 and S2.
    let (output, outcome) = run_against_server(ACCEPT, |port| {
        let mut command = program("ffmpeg");
        command.args(["-nostdin", "-hide_banner", "-i", &format!("rtmp://127.0.0.1:{port}/live/testkey")]);
        command.args(["-f", "null", "-"]);
        command
    });
    assert!(!output.status.success());
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(shown.contains("playing over RTMP is not offered"), "{shown}");
    assert!(outcome.events.iter().any(|event| matches!(event, Event::Connected(_))));
}

#[test]
fn librtmp_gives_up_when_denied() {
    let deny: Decide = |_| Err((RejectCode::Denied, "stream key was revoked"));
    let (output, outcome) = run_against_server(deny, |port| {
        gstreamer(&format!("rtmpsink location=rtmp://127.0.0.1:{port}/live/testkey"))
    });
    assert!(!output.status.success());
    assert!(!outcome.events.iter().any(|event| matches!(event, Event::Media(_))));
}

#[test]
fn gstreamer_is_told_why_a_publication_was_denied() {
    let deny: Decide = |_| Err((RejectCode::Denied, "stream key was revoked"));
    let (output, _) = run_against_server(deny, |port| {
        gstreamer(&format!("rtmp2sink location=rtmp://127.0.0.1:{port}/live/testkey"))
    });
    assert!(!output.status.success());
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(shown.contains("revoked"), "{shown}");
}
