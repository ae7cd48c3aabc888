//! Enhanced RTMP from the socket to H.264: recorded encoders publish, the source link serves, the engine makes segments.

use std::io::{self, Read};
use std::ops::ControlFlow;

use bytes::{Buf, Bytes};
use headwater_domain::SessionId;
use headwater_rtmp::MediaKind::Video;
use headwater_transcoder::media::{Cancel, Made, Placement, RunEnd, RunInput, Segment, StartPoint, run};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::media_support::enhanced::{AV1, HEVC, VP9, recorded};
use crate::media_support::{check, small, start};
use crate::rtmp_client::{Publisher, picture};
use crate::support::*;

/// Pictures of each recording.
const PICTURES: usize = 150;

/// Sends what the encoder sent; as it did, waits to be allowed before it sends media.
async fn replay(rig: &Rig, capture: &[u8]) {
    let find = |from: usize, what: &[u8]| {
        from + capture[from..].windows(what.len()).position(|part| part == what).unwrap() + what.len()
    };
    let asked = find(find(0, b"\x02\0\x07publish"), b"\x02\0\x04live");
    let mut socket = TcpStream::connect(rig.gateway.rtmp_addr()).await.unwrap();
    socket.write_all(&capture[..asked]).await.unwrap();
    let started = b"NetStream.Publish.Start";
    let mut heard = Vec::new();
    while !heard.windows(started.len()).any(|text| text == started) {
        let count = timeout(PATIENCE, socket.read_buf(&mut heard)).await.expect("an answer").unwrap();
        assert!(count > 0, "{}", heard.escape_ascii());
    }
    for piece in capture[asked..].chunks(1_460) {
        socket.write_all(piece).await.unwrap();
    }
    socket.shutdown().await.unwrap();
    // A reset is an end too.
    timeout(PATIENCE, socket.read_to_end(&mut heard)).await.expect("the gateway closes").ok();
}

/// A response's body for the engine's thread.
struct Body(Incoming, Bytes, Handle);

impl Read for Body {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.1.is_empty() {
            match self.2.block_on(self.0.frame()) {
                Some(frame) => self.1 = frame.map_err(io::Error::other)?.into_data().unwrap_or_default(),
                None => return Ok(0),
            }
        }
        let count = self.1.len().min(buf.len());
        self.1.copy_to_slice(&mut buf[..count]);
        Ok(count)
    }
}

/// What the engine makes of the session after a cursor.
async fn transcode(rig: &Rig, session: &SessionId, after: u64, from: StartPoint) -> (Vec<Segment>, RunEnd) {
    let answer = rig.get(session, after).await;
    let first_cursor = answer.headers()["headwater-cursor"].to_str().unwrap().parse().unwrap();
    let reader = Box::new(Body(answer.into_body(), Bytes::new(), Handle::current()));
    tokio::task::spawn_blocking(move || {
        let mut segments = Vec::new();
        let sink = |made| {
            let Made::Segment(segment) = made else { panic!("a part") };
            segments.push(segment);
            ControlFlow::Continue(())
        };
        let end =
            run(RunInput { reader, first_cursor, pace: None }, &small(), from, sink, &Cancel::new()).unwrap();
        (segments, end)
    })
    .await
    .unwrap()
}

fn times(segments: &[Segment]) -> Vec<i64> {
    check::consistent(segments).iter().map(|packet| packet.pts).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_encoders_become_h264() {
    for (name, capture) in [("HEVC", HEVC), ("AV1", AV1), ("VP9", VP9)] {
        let rig = rig().await;
        // The engine reads while the encoder sends.
        let following = async {
            let session = rig.hooks.session(0).await;
            transcode(&rig, &session, 0, start()).await
        };
        let ((segments, end), ()) = tokio::join!(following, replay(&rig, capture));
        assert_eq!(times(&segments).len(), PICTURES, "{name}");
        assert_eq!((end.stats.video_errors, end.stats.audio_errors), (0, 0), "{name}");
        assert!(segments[0].renditions[0].codecs.starts_with("avc1."), "{name}");
        assert_eq!(rig.hooks.unpublish(0).await.reason, "encoder ended the stream");
        rig.leave().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_goes_on_behind_what_is_committed() {
    // The recorded GOPs of HEVC are open: an IDR picture, then two CRA pictures.
    for (name, capture) in [("HEVC", HEVC), ("AV1", AV1)] {
        let rig = rig().await;
        replay(&rig, capture).await;
        let session = rig.hooks.unpublish(0).await.session.session;
        let (whole, _) = transcode(&rig, &session, 0, start()).await;
        let expected = times(&whole);
        for (at, segment) in whole.iter().enumerate().take(whole.len() - 1) {
            rig.commit(&session, segment.cursor).await;
            let from = StartPoint {
                video_from: segment.video.unwrap().end,
                audio_from: segment.audio.unwrap().to,
                placement: Placement::Offset(segment.offset),
                next_segment: segment.number + 1,
                copied: false,
                parts: Vec::new(),
            };
            let (rest, end) = transcode(&rig, &session, segment.cursor, from).await;
            assert_eq!(end.stats.video_errors, 0, "{name}");
            let both: Vec<Segment> = whole[..=at].iter().cloned().chain(rest).collect();
            assert_eq!(times(&both), expected, "{name} after segment {at}");
        }
        rig.leave().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encoder_that_changes_its_codec_begins_a_run() {
    let rig = rig().await;
    let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    publisher.headers().await;
    publisher.gops(0, 1, 100).await;
    let hevc = recorded(HEVC);
    for tag in hevc.tags.iter().filter(|tag| tag.video).take(20) {
        publisher.send(Video, 1_000 + tag.millis, Bytes::copy_from_slice(tag.body())).await;
    }
    // Of the codec before, without its header: nothing that could be decoded.
    publisher.send(Video, 1_900, picture(true, 100)).await;
    publisher.finish().await;
    let session = rig.hooks.unpublish(0).await.session.session;
    let first = rig.read(&session, 0).await;
    let second = rig.read(&session, *first.cursors().last().unwrap()).await;
    assert_eq!((first.header("headwater-run"), second.header("headwater-run")), (1, 2));
    assert!(first.tags.iter().all(|tag| tag.kind != 9 || tag.body[0] & 0x80 == 0));
    assert_eq!(second.tags.iter().filter(|tag| tag.kind == 9).count(), 20, "its header, and its pictures");
    assert!(second.tags.iter().all(|tag| tag.kind != 9 || tag.body[0] & 0x80 != 0));
    rig.leave().await;
}
