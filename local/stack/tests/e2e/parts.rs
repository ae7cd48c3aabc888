//! Low latency with a real encoder and a real transcoder: parts come as they are made, the judge finds nothing, ordinary
//! players play the same URL, and a transcoder that dies in mid-segment leaves no trace.

use headwater_conformance::Profile;
use std::collections::BTreeMap;

use http::StatusCode;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::hls::{breaks, renditions};
use super::media::{decodes_cleanly, packets};
use super::support::{LOOK, Picture, Platform, Running, Stream, eventually, patience, small};

fn low(passthrough: &str) -> Value {
    let mut settings = small();
    settings["latency"] = json!("low");
    // So much that the encoder's picture is fit to be copied.
    settings["ladder"] = json!([{ "height": 180, "kbps": 800 }, { "height": 90, "kbps": 100 }]);
    settings["passthrough"] = json!(passthrough);
    settings["dvr_window_seconds"] = json!(600);
    settings
}

/// A live stream, its encoder, and the playlist of its best rendition.
async fn live(platform: &Platform, passthrough: &str) -> (Stream, Running, String) {
    let stream = platform.create(low(passthrough)).await;
    let encoder = Picture::default().publish(&platform.rtmp(0, &stream.key));
    let path = renditions(&platform.plays(&stream).await)[0].path.clone();
    assert!(path.contains("/low-latency/"), "{path}");
    (stream, encoder, path)
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_conform_while_they_come_and_play_everywhere() {
    let platform = Platform::start().await;
    let (stream, encoder, path) = live(&platform, "auto").await;
    platform.media_until(&path, |playlist| playlist.segments.len() >= 6).await;
    platform.conforms_for(&stream.playback, 6, Profile::LowLatency).await;
    // A player that knows nothing of parts.
    let played = Running::start(
        "ffmpeg",
        &["-v", "error", "-xerror", "-i", &platform.edge(&stream.playback), "-t", "4", "-f", "null", "-"],
    );
    let (ok, said) = played.end().await;
    assert!(ok && said.trim().is_empty(), "{said}");
    encoder.kill().await;
    platform.stop().await;
}

/// What viewers were told of each part, by its place: once told, never changed.
#[derive(Default)]
struct Told(BTreeMap<(u64, usize), String>);

impl Told {
    fn note(&mut self, playlist: &str) {
        let number = |tag: &str| {
            playlist.lines().find_map(|line| line.strip_prefix(tag)).and_then(|n| n.parse::<u64>().ok())
        };
        let mut segment = number("#EXT-X-MEDIA-SEQUENCE:").unwrap();
        let mut part = 0;
        for line in playlist.lines() {
            if let Some(attributes) = line.strip_prefix("#EXT-X-PART:") {
                let known = self.0.entry((segment, part)).or_insert_with(|| attributes.to_owned());
                assert_eq!(known, attributes, "part {part} of segment {segment}");
                part += 1;
            } else if !line.starts_with('#') {
                (segment, part) = (segment + 1, 0);
            }
        }
    }
}

async fn a_transcoder_that_dies_in_mid_segment_leaves_no_trace(passthrough: &str) {
    let platform = Platform::start().await;
    let (stream, encoder, path) = live(&platform, passthrough).await;
    let mut told = Told::default();
    platform.media_until(&path, |playlist| playlist.segments.len() >= 2).await;
    // Parts of a segment are out, and the segment is not.
    eventually("an open segment", || async {
        // Not whatever there is: the edge keeps that for a second, which is how long a copied segment is, and would show
        // the same phase for ever. The first part of the segment behind the last whole one is answered when it is there.
        let playlist = platform.media(&path).await;
        let open = playlist.media_sequence + playlist.segments.len() as u64;
        let (status, _, body) = platform.get(&format!("{path}?_HLS_msn={open}&_HLS_part=0")).await;
        assert_eq!(status, StatusCode::OK);
        let text = String::from_utf8(body.to_vec()).unwrap();
        told_now(&text).then_some(())
    })
    .await;
    let ecs = &platform.stack.regions[0].ecs;
    assert!(ecs.kill(&ecs.tasks().pop().unwrap(), Signal::KILL).await);
    let going_on = async {
        loop {
            let (status, _, body) = platform.get(&path).await;
            assert_eq!(status, StatusCode::OK);
            told.note(std::str::from_utf8(&body).unwrap());
            let playlist = platform.media(&path).await;
            let by_second = playlist.segments.iter().filter(|segment| segment.uri.contains("/2.us-east-1."));
            if by_second.count() >= 3 {
                break playlist;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let going_on = tokio::time::timeout(patience(), going_on).await;
    let playlist = going_on.unwrap_or_else(|_| panic!("no segment of the second lease\n{}", platform.logs()));
    assert!(breaks(&playlist).iter().all(|(_, broken)| !broken), "{:?}", breaks(&playlist));
    let joined = platform.join("180p", &playlist).await;
    decodes_cleanly(&joined).await;
    let mut times: Vec<i64> = packets(&joined).await.iter().map(|packet| packet.pts).collect();
    times.sort_unstable();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 3_600), "each frame of 1/25 s is there once");
    platform.conforms_for(&stream.playback, 4, Profile::LowLatency).await;
    encoder.kill().await;
    platform.stop().await;
}

/// Whether the playlist ends in the middle of a segment.
fn told_now(playlist: &str) -> bool {
    let open = playlist.rsplit("#EXTINF").next().unwrap_or_default();
    (1..=3).contains(&open.matches("#EXT-X-PART:").count())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_transcoder_leaves_no_trace_when_encoding() {
    a_transcoder_that_dies_in_mid_segment_leaves_no_trace("always_encode").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_transcoder_leaves_no_trace_when_copying() {
    a_transcoder_that_dies_in_mid_segment_leaves_no_trace("auto").await;
}
