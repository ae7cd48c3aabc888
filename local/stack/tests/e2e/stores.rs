//! Tables and buckets fail, and the playlist still never names what is not there.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use headwater_emulators::fault::{Failure, Fault, Rate};
use headwater_local::{Component, RegionId};
use http::StatusCode;
use m3u8_rs::MediaPlaylist;
use serde_json::json;

use super::counted;
use super::hls::{is_gap, renditions};
use super::outages::{self, Memory};
use super::support::{LOOK, Platform, Running, Stream, eventually, small};

/// A viewer of all renditions who loads all that is new, and whom nothing may go wrong for.
struct Viewer<'a> {
    platform: &'a Platform,
    stream: &'a Stream,
    paths: Vec<String>,
    loaded: BTreeSet<String>,
    sequence: u64,
}

impl<'a> Viewer<'a> {
    async fn new(platform: &'a Platform, stream: &'a Stream) -> Self {
        let playlist = platform.plays(stream).await;
        let paths = renditions(&playlist).into_iter().map(|rendition| rendition.path).collect();
        Self { platform, stream, paths, loaded: BTreeSet::new(), sequence: 0 }
    }

    /// Looks once; the first rendition's playlist.
    async fn look(&mut self) -> MediaPlaylist {
        let (status, ..) = self.platform.get(&self.stream.playback).await;
        assert_eq!(status, StatusCode::OK, "{}", self.platform.logs());
        let mut first = None;
        for path in self.paths.clone() {
            let playlist = self.platform.media(&path).await;
            for segment in playlist.segments.iter().filter(|segment| !is_gap(segment)) {
                if self.loaded.insert(segment.uri.clone()) {
                    self.platform.object(&segment.uri).await;
                }
            }
            first.get_or_insert(playlist);
        }
        let first = first.unwrap();
        assert!(first.media_sequence >= self.sequence, "it never goes backwards");
        self.sequence = first.media_sequence;
        first
    }

    async fn until(&mut self, wanted: impl Fn(&MediaPlaylist) -> bool) -> MediaPlaylist {
        let deadline = tokio::time::Instant::now() + super::support::patience();
        loop {
            let playlist = self.look().await;
            if wanted(&playlist) {
                return playlist;
            }
            assert!(tokio::time::Instant::now() < deadline, "waited in vain\n{}", self.platform.logs());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn sees(&mut self, more: usize) -> MediaPlaylist {
        let now = self.look().await.segments.len();
        self.until(|playlist| playlist.segments.len() >= now + more).await
    }
}

async fn live(platform: &Platform) -> (Stream, Running) {
    let mut settings = small();
    settings["dvr_window_seconds"] = json!(600);
    let stream = platform.create(settings).await;
    let encoder = counted::publish(&platform.rtmp(0, &stream.key), 25);
    platform.plays(&stream).await;
    (stream, encoder)
}

fn some(share: f64, with: Failure) -> Fault {
    Fault::Failing { rate: Rate::new(share).unwrap(), with, seed: 1 }
}

#[tokio::test(flavor = "multi_thread")]
async fn throttled_tables_and_buckets_in_trouble_cost_nothing() {
    let platform = Platform::start().await;
    let (stream, encoder) = live(&platform).await;
    let mut viewer = Viewer::new(&platform, &stream).await;
    for (component, with) in [
        (Component::Dynamodb, Failure::Throttle),
        (Component::Dynamodb, Failure::Internal),
        (Component::S3, Failure::Unavailable),
        (Component::S3, Failure::Internal),
    ] {
        // What the edge itself asks the bucket for is not a writer's trouble.
        platform.stack.apply(RegionId::A, component, some(0.3, with)).await.unwrap();
        viewer.sees(3).await;
        platform.stack.clear(RegionId::A, component).await.unwrap();
    }
    let playlist = viewer.sees(2).await;
    platform.nothing_is_lost("180p", &playlist, 0).await;
    encoder.kill().await;
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_bucket_a_region_goes_on_through_the_mirror() {
    let platform = Platform::start().await;
    let (stream, encoder) = live(&platform).await;
    let mut viewer = Viewer::new(&platform, &stream).await;
    viewer.sees(2).await;
    platform.stack.apply(RegionId::A, Component::S3, Fault::Stopped).await.unwrap();
    let (lost, length, mut memory) = (Instant::now(), outages::length(5), Memory::default());
    viewer.sees(5).await;
    while lost.elapsed() < length {
        viewer.look().await;
        memory.look(&platform).await;
        tokio::time::sleep(LOOK).await;
    }
    platform.stack.clear(RegionId::A, Component::S3).await.unwrap();
    memory.look(&platform).await;
    memory.is_bounded();
    let playlist = viewer.sees(3).await;
    platform.nothing_is_lost("180p", &playlist, 0).await;
    // The mirror alone is enough, also for what was written before.
    platform.stack.apply(RegionId::A, Component::S3, Fault::Stopped).await.unwrap();
    for segment in &playlist.segments[..3] {
        platform.object(&segment.uri).await;
    }
    encoder.kill().await;
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_both_buckets_media_wait_and_nothing_is_named_that_is_not_there() {
    let platform = Platform::start().await;
    let (stream, encoder) = live(&platform).await;
    let mut viewer = Viewer::new(&platform, &stream).await;
    viewer.sees(2).await;
    for region in RegionId::ALL {
        platform.stack.apply(region, Component::S3, Fault::always(Failure::Unavailable)).await.unwrap();
        for link in [Component::EdgeS3, Component::PeerS3] {
            platform.stack.apply(region, link, Fault::always(Failure::Unavailable)).await.unwrap();
        }
    }
    let (length, mut memory) = (outages::length(6), Memory::default());
    memory.watch(&platform, length).await;
    platform.stack.clear_all().await.unwrap();
    let playlist = viewer.sees(8).await;
    memory.look(&platform).await;
    memory.is_bounded();
    let given_up = playlist.segments.iter().filter(|segment| is_gap(segment)).count();
    println!("{given_up} segments were given up in {} s", length.as_secs());
    assert!(given_up <= outages::segments(6), "only what fell into the outage: {given_up}");
    if given_up == 0 {
        platform.nothing_is_lost("180p", &playlist, 0).await;
    }
    encoder.kill().await;
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_table_a_region_loses_nothing() {
    let platform = Platform::start().await;
    let (stream, encoder) = live(&platform).await;
    let path = renditions(&platform.plays(&stream).await)[0].path.clone();
    platform.media_until(&path, |playlist| playlist.segments.len() >= 2).await;
    platform.stack.apply(RegionId::A, Component::Dynamodb, Fault::Stopped).await.unwrap();
    let before = platform.media(&path).await.segments.len();
    let (lost, length, mut memory) = (Instant::now(), outages::length(8), Memory::default());
    // Viewers are served what the other region knows.
    while lost.elapsed() < length {
        memory.watch(&platform, Duration::from_millis(500)).await;
        assert_eq!(platform.get(&path).await.0, StatusCode::OK);
        assert_eq!(platform.get(&stream.playback).await.0, StatusCode::OK);
    }
    platform.stack.clear(RegionId::A, Component::Dynamodb).await.unwrap();
    let all = before + outages::segments(8) + 4;
    let playlist = platform.media_until(&path, |playlist| playlist.segments.len() >= all).await;
    memory.look(&platform).await;
    memory.is_bounded();
    platform.nothing_is_lost("180p", &playlist, 1).await;
    eventually("one writer", || async { (platform.stack.regions[0].ecs.tasks().len() == 1).then_some(()) })
        .await;
    encoder.kill().await;
    platform.stop().await;
}
