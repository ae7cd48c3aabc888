//! Things die while people watch.

use headwater_conformance::Profile;
use std::time::Duration;

use http::StatusCode;
use rustix::process::Signal;
use serde_json::json;

use super::hls::{breaks, renditions};
use super::media::{decodes_cleanly, packets};
use super::support::{Picture, Platform, eventually, small};

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_that_comes_back_goes_on_under_the_same_url() {
    let platform = Platform::start().await;
    let stream = platform.create(small()).await;
    let first = Picture::default().publish(&platform.rtmp(0, &stream.key));
    let path = renditions(&platform.plays(&stream).await)[0].path.clone();
    platform.media_until(&path, |playlist| playlist.segments.len() >= 2).await;
    first.kill().await;
    platform.status(&stream, "reconnecting").await;
    // The encoder is away for five seconds.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!platform.media(&path).await.end_list, "it is waited for");
    let second = Picture::default().publish(&platform.rtmp(0, &stream.key));
    let playlist = platform
        .media_until(&path, |playlist| {
            let breaks = breaks(playlist);
            breaks.iter().position(|(_, broken)| *broken).is_some_and(|at| breaks.len() >= at + 3)
        })
        .await;
    let broken: Vec<_> = breaks(&playlist).into_iter().filter(|(_, broken)| *broken).collect();
    assert_eq!(broken.len(), 1, "one discontinuity, where the encoder changed: {:?}", breaks(&playlist));
    assert_eq!(playlist.discontinuity_sequence, 0);
    let audio = renditions(&platform.plays(&stream).await).pop().unwrap();
    let audio =
        platform.media_until(&audio.path, |audio| audio.segments.len() >= playlist.segments.len()).await;
    assert_eq!(
        breaks(&audio)[..playlist.segments.len()],
        breaks(&playlist)[..],
        "at the same place in all renditions"
    );
    for segment in platform.fetch("180p", &playlist).await {
        decodes_cleanly(&segment.file).await;
    }
    platform.conforms_for(&stream.playback, 3, Profile::Watched).await;
    assert_eq!(platform.stack.regions[0].ecs.tasks().len(), 1, "the same task went on");
    second.kill().await;
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_transcoder_loses_no_frame_and_shows_none_twice() {
    a_transcoder_that_goes_loses_no_frame(Signal::KILL).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transcoder_asked_to_leave_loses_no_frame_and_shows_none_twice() {
    a_transcoder_that_goes_loses_no_frame(Signal::TERM).await;
}

async fn a_transcoder_that_goes_loses_no_frame(signal: Signal) {
    let platform = Platform::start().await;
    let mut settings = small();
    settings["dvr_window_seconds"] = json!(600);
    let stream = platform.create(settings).await;
    let encoder = Picture::default().publish(&platform.rtmp(0, &stream.key));
    let path = renditions(&platform.plays(&stream).await)[0].path.clone();
    platform.media_until(&path, |playlist| playlist.segments.len() >= 2).await;
    let ecs = &platform.stack.regions[0].ecs;
    let first = ecs.tasks().pop().unwrap();
    assert!(ecs.kill(&first, signal).await);
    let second =
        eventually("another task", || async { ecs.tasks().into_iter().find(|task| *task != first) }).await;
    assert_ne!(first, second);
    let shown = eventually("the next lease", || async {
        let shown = platform.show(0, &stream).await;
        shown["broadcast"]["lease"].as_str().unwrap_or_default().starts_with("2.").then_some(shown)
    })
    .await;
    assert_eq!(shown["broadcast"]["region"], "us-east-1");
    let playlist = platform
        .media_until(&path, |playlist| {
            let by_second = playlist.segments.iter().filter(|segment| segment.uri.contains("/2.us-east-1."));
            by_second.count() >= 3
        })
        .await;
    assert!(
        breaks(&playlist).iter().all(|(_, broken)| !broken),
        "viewers notice nothing: {:?}",
        breaks(&playlist)
    );
    platform.conforms(&stream.playback).await;
    let joined = platform.join("180p", &playlist).await;
    decodes_cleanly(&joined).await;
    let packets = packets(&joined).await;
    for pair in packets.windows(2) {
        assert_eq!(pair[1].pts - pair[0].pts, 3_600, "each frame of 1/25 s is there once");
    }
    let audio = renditions(&platform.plays(&stream).await).pop().unwrap();
    let audio = platform.media(&audio.path).await;
    let joined = platform.join("audio", &audio).await;
    decodes_cleanly(&joined).await;
    for pair in super::media::packets(&joined).await.windows(2) {
        assert_eq!(pair[1].pts - pair[0].pts, 1_024, "the audio grid goes on");
    }
    encoder.kill().await;
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn region_a_loses_api_and_s3_and_viewers_go_on() {
    let platform = Platform::start().await;
    let stream = platform.create(small()).await;
    let encoder = Picture::default().publish(&platform.rtmp(0, &stream.key));
    let path = renditions(&platform.plays(&stream).await)[0].path.clone();
    platform.media_until(&path, |playlist| playlist.segments.len() >= 3).await;
    platform.stack.regions[0].api.stop().await;
    platform.stack.regions[0].s3.stop().await;
    // A viewer who loads every new segment, until five more have come.
    let start = platform.media(&path).await;
    let seen: Vec<_> = start.segments.iter().map(|segment| segment.uri.clone()).collect();
    eventually(&format!("five more segments\n{}", platform.logs()), || async {
        let (status, ..) = platform.get(&stream.playback).await;
        assert_eq!(status, StatusCode::OK, "no 5xx at the edge");
        let playlist = platform.media(&path).await;
        assert!(playlist.media_sequence >= start.media_sequence, "it never goes backwards");
        let new: Vec<_> = playlist.segments.iter().filter(|segment| !seen.contains(&segment.uri)).collect();
        for segment in &new {
            platform.object(&segment.uri).await;
        }
        (new.len() >= 5).then_some(())
    })
    .await;
    platform.conforms(&stream.playback).await;
    encoder.kill().await;
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_start_loses_nothing() {
    let platform = Platform::start_with(|config| config.task_start_delay = Duration::from_secs(6)).await;
    let mut settings = small();
    settings["reconnect_window_seconds"] = json!(0);
    let stream = platform.create(settings).await;
    // Over before the task has even started: everything comes from the gateway's buffer.
    let (ok, said) = Picture::for_seconds(4).publish(&platform.rtmp(0, &stream.key)).end().await;
    assert!(ok, "{said}");
    let path = format!("/v1/streams/{}/broadcasts", stream.id);
    let (url, recording) = eventually(&format!("a recording\n{}", platform.logs()), || async {
        let (_, listed) = platform.api(0).call(http::Method::GET, &path, None).await.unwrap();
        let url = listed["broadcasts"][0]["recording_url"].as_str()?.to_owned();
        let recording = platform.multivariant(&url).await?;
        Some((url, recording))
    })
    .await;
    let rendition = renditions(&recording).remove(0);
    let playlist = platform.media_until(&rendition.path, |playlist| playlist.segments.len() >= 2).await;
    let joined = platform.join("180p", &playlist).await;
    decodes_cleanly(&joined).await;
    assert_eq!(packets(&joined).await.len(), 100, "every frame of 4 s at 25 fps");
    platform.conforms_as_recording(&url).await;
    platform.stop().await;
}
