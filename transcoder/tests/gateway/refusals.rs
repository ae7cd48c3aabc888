//! Who is not let in, or not let go on, and what they and the log are told.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use headwater_domain::hooks::DenyKind;
use headwater_rtmp::MediaKind::{Audio, Video};
use headwater_rtmp::amf::Value;
use headwater_rtmp::codec::FourCc;
use headwater_transcoder::gateway::Codecs;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;

use crate::hooks::Policy;
use crate::rtmp_client::{Publisher, picture};
use crate::support::*;

async fn refused_ffmpeg(rig: &Rig, args: &[&str]) -> String {
    let mut args = args.to_vec();
    let url = rig.rtmp_url();
    args.extend(["-f", "flv", &url]);
    let ffmpeg = output(&mut ffmpeg(&args)).await;
    assert!(!ffmpeg.status.success());
    String::from_utf8_lossy(&ffmpeg.stderr).into_owned()
}

const TEST_VIDEO: [&str; 5] = ["-re", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25:duration=20"];

#[tokio::test]
async fn ffmpeg_shows_why_its_key_is_refused() {
    for (kind, reason) in [
        (DenyKind::UnknownKey, "no stream has this key"),
        (DenyKind::RevokedKey, "this key was revoked"),
        (DenyKind::NoCapacity, "no transcoder can be started just now"),
    ] {
        let rig = rig_with(Policy::Deny(kind, reason), |_| {}).await;
        let shown = refused_ffmpeg(&rig, &TEST_VIDEO).await;
        assert!(shown.contains(reason), "{shown}");
        assert!(rig.hooks.record().unpublished.is_empty(), "there was no session");
        rig.leave().await;
    }
}

#[tokio::test]
async fn gstreamer_is_refused_visibly() {
    let rig = rig_with(Policy::Deny(DenyKind::UnknownKey, "no stream has this key"), |_| {}).await;
    let location = format!("location={}", rig.rtmp_url());
    let launch = "videotestsrc num-buffers=50 ! video/x-raw,width=160,height=90 ! x264enc ! flvmux streamable=true ! rtmp2sink";
    let args: Vec<&str> = launch.split_whitespace().chain([location.as_str()]).collect();
    let gst = output(Command::new("gst-launch-1.0").args(args)).await;
    let shown = String::from_utf8_lossy(&gst.stderr).into_owned();
    assert!(!gst.status.success() && shown.contains("NetStream.Publish.BadName"), "{shown}");
    rig.leave().await;
}

#[tokio::test]
async fn a_hook_without_answer_is_told_to_the_encoder() {
    for policy in [Policy::Hang, Policy::Fail(2)] {
        let rig = rig_with(policy, |limits| limits.hook_timeout = Duration::from_millis(300)).await;
        let shown = refused_ffmpeg(&rig, &TEST_VIDEO).await;
        assert!(shown.contains("cannot check stream keys just now"), "{shown}");
        let published = rig.hooks.record().published;
        assert_eq!(published.len(), 2, "asked twice");
        assert_eq!(published[0].session, published[1].session);
        assert!(
            published[0].asked_at.is_some() && published[0].asked_at == published[1].asked_at,
            "as one request"
        );
        // It may be granted all the same: heartbeats take it back, until the control plane knows of it.
        let names = |heartbeats: &[headwater_domain::hooks::GatewayHeartbeat]| -> Vec<bool> {
            let named = |heartbeat: &headwater_domain::hooks::GatewayHeartbeat| {
                heartbeat.withdrawn.iter().any(|withdrawn| withdrawn.session == published[0].session)
            };
            heartbeats.iter().map(named).collect()
        };
        rig.hooks.until(|record| names(&record.heartbeats).contains(&true)).await;
        rig.hooks.grant_late();
        let told = rig.hooks.record().heartbeats.len();
        rig.hooks.until(|record| record.heartbeats.len() > told).await;
        rig.leave().await;
    }
}

#[tokio::test]
async fn other_codecs_are_refused_by_name() {
    let rig = rig().await;
    let sound = ["-re", "-f", "lavfi", "-i", "sine=duration=20"];
    let cases: [(&[&str], &[&str], &str); 3] = [
        (&sound, &["-c:a", "libmp3lame", "-ar", "44100"], "MP3 audio"),
        (&TEST_VIDEO, &["-c:v", "flv1"], "Sorenson H.263 video"),
        (&sound, &["-c:a", "libspeex", "-ar", "16000", "-ac", "1"], "Speex audio"),
    ];
    for (n, (input, codec, name)) in cases.into_iter().enumerate() {
        let shown = refused_ffmpeg(&rig, &[input, codec].concat()).await;
        let text = format!("this stream sends {name}; set the encoder to H.264 video and AAC audio");
        assert!(shown.contains(&text), "{shown}");
        assert_eq!(rig.hooks.unpublish(n).await.reason, text);
    }
    rig.leave().await;
}

#[tokio::test]
async fn enhanced_codecs_are_refused_by_name() {
    let rig = rig().await;
    for (n, (kind, body, name)) in [
        (Video, &b"\x90vvc1\x01"[..], "vvc1 video"),
        (Video, b"\x90vp08\x01", "vp08 video"),
        (Audio, b"\x90OpusHead", "Opus audio"),
        (Audio, b"\x91ac-3\x0b\x77", "ac-3 audio"),
        (Video, b"\x96\x11hvc1\0", "multitrack"),
        (Audio, b"\x95\x11mp4a\0", "multitrack"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
        publisher.send(kind, 0, Bytes::from_static(body)).await;
        let heard = publisher.closed().await;
        assert!(heard.contains("NetStream.Publish.Rejected") && heard.contains(name), "{heard}");
        assert!(rig.hooks.unpublish(n).await.reason.contains(name));
    }
    rig.leave().await;
}

#[tokio::test]
async fn what_the_image_cannot_decode_is_neither_promised_nor_taken() {
    let rig = rig_configured(Policy::Allow, tempfile::tempdir().unwrap(), |config| {
        config.limits.drain_timeout = Duration::ZERO;
        config.codecs = Codecs::new([FourCc::AVC]);
    })
    .await;
    for (n, (body, name)) in [
        (&b"\x90hvc1\x01"[..], "HEVC (H.265) video"),
        (b"\x90av01\x81", "AV1 video"),
        (b"\x90vp09\x01", "vp09 video"),
        (b"\x1c\0\0\0\0\x01", "HEVC (H.265) video"),
    ]
    .into_iter()
    .enumerate()
    {
        let negotiates = vec![("capsEx".to_owned(), Value::Number(0.0))];
        let mut publisher = Publisher::ask(rig.gateway.rtmp_addr(), negotiates).await;
        publisher.hears("NetStream.Publish.Start").await;
        publisher.send(Video, 0, Bytes::from_static(body)).await;
        let heard = publisher.closed().await;
        assert!(heard.contains("NetStream.Publish.Rejected") && heard.contains(name), "{heard}");
        assert!(heard.contains("avc1") && !heard.contains("hvc1") && !heard.contains("av01"), "{heard}");
        assert!(rig.hooks.unpublish(n).await.reason.contains(name));
    }
    rig.leave().await;
}

#[tokio::test]
async fn media_that_nobody_could_decode_ends_with_a_clear_word() {
    let rig = rig().await;
    for kind in [Video, Audio] {
        let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
        for n in 0..200 {
            let body = if kind == Video { picture(n == 0, 10) } else { Bytes::from_static(&[0xaf]) };
            publisher.send(kind, n, body).await;
        }
        let heard = publisher.closed().await;
        assert!(heard.contains("no media that can be understood"), "{heard}");
    }
    rig.leave().await;
}

/// What a peer that sends `bytes` gets before it is closed.
async fn said_to(rig: &Rig, bytes: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(rig.gateway.rtmp_addr()).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    let mut heard = Vec::new();
    timeout(PATIENCE, socket.read_to_end(&mut heard)).await.expect("closed").ok();
    heard
}

#[tokio::test]
async fn who_does_not_speak_rtmp_is_closed_at_once() {
    let rig = rig_with(Policy::Allow, |limits| limits.handshake_timeout = Duration::from_secs(3_600)).await;
    for bytes in [&[0xee; 4_096][..], b"SSH-2.0-x\r\n", b"FLV\x01\x05\0\0\0\x09"] {
        assert_eq!(said_to(&rig, bytes).await, b"", "{bytes:?}");
    }
    let alert = said_to(&rig, b"\x16\x03\x01\x02\x00\x01").await;
    assert_eq!(alert[..5], [0x15, 3, 3, 0, 2], "a TLS alert");
    let mut garbage = vec![3];
    garbage.resize(1 + 2 * 1_536, 0);
    garbage.resize(8_192, 0xff);
    assert!(said_to(&rig, &garbage).await.len() <= 1 + 2 * 1_536, "handshake at most");
    // A load balancer's check: connect and close.
    drop(TcpStream::connect(rig.gateway.rtmp_addr()).await.unwrap());
    while rig.health().await["connections"] != 0 {
        tokio::task::yield_now().await;
    }
    assert!(rig.hooks.record().published.is_empty());
    rig.leave().await;
}

#[tokio::test]
async fn slow_handshakes_are_closed() {
    let rig = rig_with(Policy::Allow, |limits| limits.handshake_timeout = Duration::from_millis(200)).await;
    // Nothing; a part of C1; and all of the handshake but no command: the clock runs until publish.
    assert_eq!(said_to(&rig, b"").await, b"");
    assert_eq!(said_to(&rig, &[3; 100]).await.len(), 0);
    let mut hello = vec![3];
    hello.resize(1 + 2 * 1_536, 0);
    assert!(!said_to(&rig, &hello).await.is_empty());
    rig.leave().await;
}

#[tokio::test]
async fn silence_ends_a_session() {
    let rig = rig_with(Policy::Allow, |limits| limits.silence_timeout = Duration::from_millis(300)).await;
    let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    publisher.headers().await;
    publisher.gops(0, 1, 100).await;
    let heard = publisher.closed().await;
    assert!(
        heard.contains("NetConnection.Connect.Closed") && heard.contains("encoder sent nothing"),
        "{heard}"
    );
    let gone = rig.hooks.unpublish(0).await;
    assert!(gone.reason.starts_with("encoder sent nothing"), "{}", gone.reason);
    assert_eq!(rig.read(&gone.session.session, 0).await.cursors().len(), 6, "what came is kept");
    rig.leave().await;
}

#[tokio::test]
async fn too_much_bitrate_ends_a_session() {
    let rig = rig_with(Policy::Allow, |limits| limits.max_bitrate = 800_000).await;
    let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    publisher.headers().await;
    publisher.gops(0, 10, 50_000).await; // 2 MB, where ten seconds may have 1
    let heard = publisher.closed().await;
    assert!(heard.contains("bitrate is over 800 kbit/s"), "{heard}");
    assert_eq!(rig.hooks.unpublish(0).await.reason, "bitrate is over 800 kbit/s");
    rig.leave().await;
}

#[tokio::test]
async fn connections_are_bounded() {
    let rig = rig_with(Policy::Allow, |limits| limits.max_connections_per_ip = 2).await;
    let first = Publisher::start(rig.gateway.rtmp_addr()).await;
    let _second = Publisher::start(rig.gateway.rtmp_addr()).await;
    assert_eq!(said_to(&rig, b"").await, b"");
    assert_eq!(rig.health().await["connections"], 2);
    first.finish().await;
    while rig.health().await["connections"] != 1 {
        tokio::task::yield_now().await;
    }
    Publisher::start(rig.gateway.rtmp_addr()).await.finish().await;
    rig.leave().await;
}

#[tokio::test]
async fn sessions_are_bounded_and_the_control_plane_knows() {
    let rig = rig_with(Policy::Allow, |limits| limits.max_sessions = 1).await;
    let _first = Publisher::start(rig.gateway.rtmp_addr()).await;
    let shown = refused_ffmpeg(&rig, &TEST_VIDEO).await;
    assert!(shown.contains("the gateway is full"), "{shown}");
    let gone = rig.hooks.unpublish(0).await;
    assert_eq!((gone.session.order, gone.reason.as_str()), (2, "the gateway is full"));
    rig.leave().await;
}

#[derive(Debug, Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_key_reaches_the_log() {
    let captured = Captured::default();
    let writer = captured.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    // For the whole process: what other tests make the gateway say meanwhile must not hold the key either.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let rig = rig_with(Policy::Fail(2), |_| {}).await;
    let sent = sample(rig.dir.path(), 1).await;
    publish(&sent, &rig.rtmp_url()).await;
    publish(&sent, &format!("rtmp://{}/live/mistyped-secret?token=hush", rig.gateway.rtmp_addr())).await;
    publish(&sent, &format!("{}?token=hush", rig.rtmp_url())).await;
    let session = rig.hooks.unpublish(1).await.session.session;
    rig.read(&session, 0).await;
    let token = rig.token(&session);
    rig.leave().await;
    let log = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    assert!(
        log.contains("publishing") && log.contains("refused") && log.contains(stream_key().id().as_str()),
        "{log}"
    );
    let secret = stream_key_text().rsplit('-').next().unwrap().to_owned();
    for word in [secret.as_str(), "mistyped-secret", "hush", &token] {
        assert!(!log.contains(word), "{word} is in the log");
    }
}
