//! Odd sources: each is transcoded correctly or refused with a clear word, and none harms another stream.

use headwater_conformance::{Options, Profile, Tracks};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::hls::renditions;
use super::media::decodes_cleanly;
use super::support::{PATIENCE, Picture, Platform, Running, eventually, small};

#[tokio::test(flavor = "multi_thread")]
async fn sound_without_picture_and_picture_without_sound_play() {
    let platform = Platform::start().await;
    for (video, audio, tracks, expected) in
        [(true, false, Tracks::Pictures, vec!["180p", "90p"]), (false, true, Tracks::Sound, vec!["audio"])]
    {
        let stream = platform.create(small()).await;
        let encoder = Picture { video, audio, ..Picture::default() }.publish(&platform.rtmp(0, &stream.key));
        let multivariant = platform.plays(&stream).await;
        let mut names: Vec<_> = renditions(&multivariant).into_iter().collect();
        if names.is_empty() {
            // An audio-only multivariant playlist has its audio as a variant.
            let path = multivariant.variants[0].uri.clone();
            names.push(super::hls::Rendition { name: "audio".into(), path });
        }
        assert_eq!(names.iter().map(|rendition| rendition.name.as_str()).collect::<Vec<_>>(), expected);
        let playlist = platform.media_until(&names[0].path, |playlist| playlist.segments.len() >= 3).await;
        let joined = platform.join(&names[0].name, &playlist).await;
        decodes_cleanly(&joined).await;
        let required = Profile::Live.rules_of(tracks);
        platform.conforms_as(&stream.playback, &required, &Options::default()).await;
        encoder.kill().await;
    }
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_codecs_are_refused_with_a_word() {
    let platform = Platform::start().await;
    let stream = platform.create(small()).await;
    let url = platform.rtmp(0, &stream.key);
    let encoder = Running::start(
        "ffmpeg",
        &[
            "-loglevel",
            "error",
            "-re",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=320x180:rate=25",
            "-t",
            "30",
            "-c:v",
            "flv1",
            "-f",
            "flv",
            &url,
        ],
    );
    let (ok, said) = encoder.end().await;
    assert!(!ok, "{said}");
    assert!(platform.logs().contains("H.264"), "the log says what to do:\n{}", platform.logs());
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_on_the_rtmp_port_is_closed_and_harms_nobody() {
    let platform = Platform::start().await;
    let stream = platform.create(small()).await;
    let encoder = Picture::default().publish(&platform.rtmp(0, &stream.key));
    platform.status(&stream, "live").await;
    let address = platform.stack.regions[0].rtmp_url().replace("rtmp://", "").replace("/live", "");
    let http = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec();
    let noise: Vec<u8> = (0..200_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for bytes in [http, noise, vec![0x16, 3, 1, 2, 0, 1], vec![3]] {
        let mut socket = TcpStream::connect(&address).await.unwrap();
        let _ = socket.write_all(&bytes).await;
        let closed = tokio::time::timeout(PATIENCE, async {
            let mut rest = [0; 4096];
            while matches!(socket.read(&mut rest).await, Ok(count) if count > 0) {}
        });
        closed.await.expect("the connection is closed");
    }
    let path = renditions(&platform.plays(&stream).await)[0].path.clone();
    let before = platform.media(&path).await;
    let seen = before.media_sequence + before.segments.len() as u64;
    platform.media_until(&path, |now| now.media_sequence + now.segments.len() as u64 > seen).await;
    platform.conforms(&stream.playback).await;
    encoder.kill().await;
    platform.stop().await;
}

/// Its pictures are wider than anything that is transcoded.
#[tokio::test(flavor = "multi_thread")]
async fn an_encoder_whose_source_cannot_be_used_is_told_and_so_is_the_history() {
    let platform = Platform::start().await;
    let mut settings = small();
    settings["reconnect_window_seconds"] = 0.into();
    let stream = platform.create(settings).await;
    let url = platform.rtmp(0, &stream.key);
    // Behind each ten messages ffmpeg looks for an answer, and the gateway waits a second with the end for that.
    let source = "testsrc2=size=4100x64:rate=25";
    let encode = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-pix_fmt", "yuv420p", "-f", "flv"];
    let arguments =
        [&["-loglevel", "error", "-re", "-f", "lavfi", "-i", source][..], &encode, &[&url]].concat();
    let (ok, said) = Running::start("ffmpeg", &arguments).end().await;
    assert!(!ok && said.contains("outside of 16..=4096 a side"), "{said}");
    let waits = format!("/live/{}/index.m3u8", stream.id);
    eventually("whoever waits for the stream reads why it is not there", || async {
        let (status, _, body) = platform.get(&waits).await;
        let answer: Value = serde_json::from_slice(&body).ok()?;
        assert_eq!(status, 404, "{answer}");
        let told = answer["source_problem"].as_str()?;
        (told.contains("4100x64") && told.contains("change the encoder's settings")).then_some(())
    })
    .await;
    let ended = eventually("the end is written down", || async {
        let shown = platform.show(0, &stream).await;
        shown["broadcast"]["reason"].is_string().then_some(shown)
    });
    let ended = ended.await;
    let reason = ended["broadcast"]["reason"].as_str().unwrap();
    assert_eq!(ended["status"], "offline");
    assert!(reason.contains("4100x64") && reason.contains("change the encoder's settings"), "{ended}");
    assert_eq!(ended["broadcast"]["problem"], reason, "{ended}");
    platform.stop().await;
}
