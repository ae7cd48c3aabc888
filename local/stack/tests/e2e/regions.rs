//! A whole region dies, or the two lose sight of each other.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use headwater_local::RegionId;
use http::{Method, StatusCode};
use serde_json::json;

use super::counted;
use super::hls::{breaks, is_gap, nothing_is_taken_back, renditions};
use super::support::{Platform, eventually, small};

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_region_s_broadcast_goes_on_in_the_other_under_the_same_url() {
    let platform = Platform::start().await;
    let mut settings = small();
    settings["dvr_window_seconds"] = json!(600);
    let stream = platform.create(settings).await;
    let encoder = counted::publish(&platform.rtmp(0, &stream.key), 25);
    let path = renditions(&platform.plays(&stream).await)[0].path.clone();
    let seen = platform.media_until(&path, |playlist| playlist.segments.len() >= 4).await;
    platform.stack.stop_region(RegionId::A).await;
    assert!(!encoder.end().await.0, "it is cut off");
    let (reconnected, encoder) = (Instant::now(), counted::publish(&platform.rtmp(1, &stream.key), 25));
    let playlist = eventually(&format!("new media\n{}", platform.logs()), || async {
        let (status, ..) = platform.get(&stream.playback).await;
        assert_eq!(status, StatusCode::OK, "no 5xx at the edge");
        // Whoever watches keeps asking for the playlist of the region that is gone.
        let playlist = platform.media(&path).await;
        assert!(playlist.media_sequence >= seen.media_sequence);
        let new = playlist.segments.iter().filter(|segment| segment.uri.contains(".eu-west-1.")).count();
        (new >= 3).then_some(playlist)
    })
    .await;
    println!("three segments {:.1} s after the encoder has reconnected", reconnected.elapsed().as_secs_f64());
    nothing_is_taken_back(&seen, &playlist);
    // Numbers that region A may have used are gaps, and may have been breaks.
    let shown = playlist.segments.iter().filter(|segment| !is_gap(segment));
    assert_eq!(shown.filter(|segment| segment.discontinuity).count(), 1, "{:?}", breaks(&playlist));
    for segment in playlist.segments.iter().filter(|segment| segment.uri.contains(".eu-west-1.")) {
        platform.object(&segment.uri).await;
    }
    let shown = platform.show(1, &stream).await;
    assert_eq!((&shown["status"], &shown["broadcast"]["region"]), (&json!("live"), &json!("eu-west-1")));

    // It comes back, disturbs nothing, and takes the next broadcast.
    platform.stack.start_region(RegionId::A).await.unwrap();
    let now = playlist.segments.len();
    platform.media_until(&path, |playlist| playlist.segments.len() >= now + 4).await;
    let shown = platform.show(0, &stream).await;
    assert_eq!((&shown["status"], &shown["broadcast"]["region"]), (&json!("live"), &json!("eu-west-1")));
    let stop = format!("/v1/streams/{}/stop", stream.id);
    let (status, body) = platform.api(0).call(Method::POST, &stop, None).await.unwrap();
    assert!(status.is_success(), "{body}");
    assert!(!encoder.end().await.0);
    platform.status(&stream, "offline").await;
    let encoder = counted::publish(&platform.rtmp(0, &stream.key), 25);
    let shown = platform.status(&stream, "live").await;
    assert_eq!(shown["broadcast"]["region"], "us-east-1");
    encoder.kill().await;
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_encoders_on_two_sides_of_a_partition_are_one_after_it() {
    let platform = Platform::start().await;
    let stream = platform.create(small()).await;
    let first = counted::publish(&platform.rtmp(0, &stream.key), 25);
    let path = renditions(&platform.plays(&stream).await)[0].path.clone();
    platform.media_until(&path, |playlist| playlist.segments.len() >= 3).await;
    platform.stack.replication.settled().await;
    platform.stack.partition().await;
    let second = counted::publish(&platform.rtmp(1, &stream.key), 25);
    eventually(&format!("region B goes its own way\n{}", platform.logs()), || async {
        let shown = platform.show(1, &stream).await;
        (shown["status"] == "live" && shown["broadcast"]["region"] == "eu-west-1").then_some(())
    })
    .await;
    let last = AtomicU64::new(0);
    let never_back = async || {
        let now = platform.media(&path).await.media_sequence;
        let before = last.swap(now, Ordering::Relaxed);
        assert!(now >= before, "{now} after {before}");
    };
    for _ in 0..8 {
        never_back().await;
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    assert_eq!(platform.show(0, &stream).await["broadcast"]["region"], "us-east-1", "each has its own");
    platform.stack.heal().unwrap();
    let agreed = eventually(&format!("both agree\n{}", platform.logs()), || async {
        let (a, b) = (platform.show(0, &stream).await, platform.show(1, &stream).await);
        never_back().await;
        let one = a["broadcast"]["lease"] == b["broadcast"]["lease"]
            && a["broadcast"]["id"] == b["broadcast"]["id"];
        let tasks: usize = platform.stack.regions.iter().map(|region| region.ecs.tasks().len()).sum();
        (one && tasks == 1).then_some(a)
    })
    .await;
    assert_eq!(agreed["broadcast"]["region"], "eu-west-1", "the higher lease, the newer publisher");
    assert!(!first.end().await.0, "the one that lost is cut off");
    let now = platform.media(&path).await;
    let until = now.media_sequence + now.segments.len() as u64 + 3;
    platform
        .media_until(&path, |playlist| playlist.media_sequence + playlist.segments.len() as u64 >= until)
        .await;
    second.kill().await;
    platform.stop().await;
}
