//! What hangs, is slow, or drips: a dependency that fails says so, one that does not answer must be found out.

use std::collections::BTreeSet;
use std::time::Duration;

use headwater_aws::tasks::ENV_BROADCAST;
use headwater_domain::control::SessionRecord;
use headwater_domain::ports::ReadControl as _;
use headwater_emulators::ecs::RunningTask;
use headwater_emulators::fault::Fault;
use headwater_local::{Component, RegionId};
use http::StatusCode;
use m3u8_rs::MediaPlaylist;
use serde_json::json;

use super::counted;
use super::hls::{is_gap, renditions};
use super::outages::{self, Memory};
use super::support::{Picture, Platform, Running, Stream, eventually, small};

/// A byte each fifth of a second: the head of an answer takes half a minute.
const DRIPPING: Fault = Fault::Dripping(Duration::from_millis(200));

/// A stream that is live, and the path of its first rendition.
async fn live(platform: &Platform) -> (Stream, Running, String) {
    let mut settings = small();
    settings["dvr_window_seconds"] = json!(600);
    let stream = platform.create(settings).await;
    let encoder = counted::publish(&platform.rtmp(0, &stream.key), 25);
    let path = renditions(&platform.plays(&stream).await)[0].path.clone();
    (stream, encoder, path)
}

impl Platform {
    /// Waits for `more` segments; the last one's object is there for viewers.
    async fn goes_on(&self, path: &str, more: usize) {
        let now = self.media(path).await.segments.len();
        let playlist = self.media_until(path, |playlist| playlist.segments.len() >= now + more).await;
        self.object(&playlist.segments.last().unwrap().uri).await;
    }

    /// The session that both regions say holds.
    async fn one_session(&self, stream: &Stream) -> SessionRecord {
        self.stack.replication.settled().await;
        let id = stream.id.parse().unwrap();
        let mut seen = Vec::new();
        for region in 0..2 {
            let replicated = self.table(region).replicated_state(&id).await.unwrap();
            let sessions: BTreeSet<_> = replicated
                .records
                .iter()
                .filter_map(|record| record.session.as_ref())
                .map(|one| one.id.clone())
                .collect();
            assert_eq!(sessions.len(), 1, "{sessions:?}");
            seen.push(replicated.session().unwrap().clone());
        }
        assert_eq!(seen[0].id, seen[1].id);
        seen.remove(0)
    }

    /// Waits until a broadcast that began in a time of trouble is live.
    async fn becomes_live(&self, stream: &Stream) {
        eventually(&format!("live\n{}", self.logs()), || async {
            (self.show(1, stream).await["status"] == "live").then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_does_not_answer_is_not_waited_for() {
    let platform = Platform::start().await;
    let (stream, encoder, path) = live(&platform).await;
    // Each object would be waited for as long as patience lasts, were it not for the mirror.
    for fault in
        [Fault::Frozen, Fault::Slow(Duration::from_secs(20)), DRIPPING, Fault::Mute, Fault::Resetting]
    {
        platform.stack.apply(RegionId::A, Component::S3, fault).await.unwrap();
        platform.goes_on(&path, 7).await;
        if fault == Fault::Frozen {
            let told = platform.show(0, &stream).await["broadcast"]["problem"].to_string();
            assert!(told.contains("media bucket of this region does not answer in time"), "{told}");
        }
        platform.stack.clear(RegionId::A, Component::S3).await.unwrap();
    }
    // And a mirror that does not answer is nobody's trouble.
    for fault in [Fault::Frozen, DRIPPING] {
        platform.stack.apply(RegionId::B, Component::S3, fault).await.unwrap();
        platform.goes_on(&path, 7).await;
        platform.stack.clear(RegionId::B, Component::S3).await.unwrap();
    }
    // It is used again: what is new is there without the mirror.
    let own = platform.stack.regions[0].s3.faults();
    let asked = own.requests();
    eventually("the own bucket is asked again", || async { (own.requests() > asked + 12).then_some(()) })
        .await;
    let playlist = platform.media(&path).await;
    platform.nothing_is_lost("180p", &playlist, 0).await;
    encoder.kill().await;
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_buckets_hang_and_what_cannot_be_stored_is_a_gap() {
    let platform = Platform::start().await;
    let (_, encoder, path) = live(&platform).await;
    platform.goes_on(&path, 2).await;
    let mut memory = Memory::default();
    memory.look(&platform).await;
    for region in RegionId::ALL {
        platform.stack.apply(region, Component::S3, Fault::Frozen).await.unwrap();
    }
    // Gaps are told while nothing can be stored: the stream does not stand still behind them.
    let told = outages::segments(8) / 2;
    let gaps = |playlist: &MediaPlaylist| playlist.segments.iter().filter(|one| is_gap(one)).count();
    platform.media_until(&path, |playlist| gaps(playlist) >= told).await;
    memory.look(&platform).await;
    platform.stack.clear_all().await.unwrap();
    let playlist = platform.media_until(&path, |playlist| {
        playlist.segments.iter().rev().take(4).all(|segment| !is_gap(segment))
    });
    platform.object(&playlist.await.segments.last().unwrap().uri).await;
    memory.look(&platform).await;
    memory.is_bounded();
    encoder.kill().await;
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_does_not_answer_holds_up_and_loses_nothing() {
    let platform = Platform::start().await;
    let (stream, encoder, path) = live(&platform).await;
    // A little late is late by that, with each fault that is.
    for fault in [Fault::Slow(Duration::from_millis(400)), Fault::Dripping(Duration::from_millis(1))] {
        platform.stack.apply(RegionId::A, Component::Dynamodb, fault).await.unwrap();
        platform.goes_on(&path, 4).await;
        platform.stack.clear(RegionId::A, Component::Dynamodb).await.unwrap();
    }
    for fault in [Fault::Frozen, DRIPPING, Fault::Mute] {
        let other = platform.create(small()).await;
        platform.stack.replication.settled().await;
        platform.stack.apply(RegionId::A, Component::Dynamodb, fault).await.unwrap();
        // Who comes is taken through the other region; who watches is served from there.
        let late = Picture::default().publish(&platform.rtmp(0, &other.key));
        eventually(&format!("a broadcast\n{}", platform.logs()), || async {
            assert_eq!(platform.get(&path).await.0, StatusCode::OK);
            assert_eq!(platform.get(&stream.playback).await.0, StatusCode::OK);
            (platform.show(1, &other).await["status"] == "starting").then_some(())
        })
        .await;
        platform.stack.clear(RegionId::A, Component::Dynamodb).await.unwrap();
        platform.becomes_live(&other).await;
        late.kill().await;
    }
    platform.goes_on(&path, 3).await;
    platform.nothing_is_lost("180p", &platform.media(&path).await, 1).await;
    encoder.kill().await;
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_that_does_not_answer_starts_one_task_and_refuses_nobody() {
    let platform = Platform::start().await;
    let ecs = &platform.stack.regions[0].ecs;
    let tasks = |stream: &Stream| {
        let of = |task: &RunningTask| task.environment[ENV_BROADCAST].starts_with(&stream.id);
        ecs.running().iter().filter(|task| of(task)).count()
    };
    // Nothing is heard; all is done and nothing is said; the same, a byte at a time.
    for fault in [Fault::Frozen, Fault::Mute, DRIPPING] {
        let stream = platform.create(small()).await;
        let before = ecs.faults().requests();
        platform.stack.apply(RegionId::A, Component::Ecs, fault).await.unwrap();
        let encoder = Picture::default().publish(&platform.rtmp(0, &stream.key));
        if fault == Fault::Frozen {
            // Nobody hears the first; another attempt is heard.
            eventually("RunTask is asked for", || async { (ecs.faults().requests() > before).then_some(()) })
                .await;
            platform.stack.clear(RegionId::A, Component::Ecs).await.unwrap();
        }
        platform.status(&stream, "live").await;
        platform.stack.clear(RegionId::A, Component::Ecs).await.unwrap();
        assert_eq!(tasks(&stream), 1, "{fault}: {:?}", ecs.running());
        encoder.kill().await;
    }

    // All is decided, and said when the gateway has given it up and asked the other region as well: that decides the same.
    let stream = platform.create(small()).await;
    platform.stack.replication.settled().await;
    platform.stack.apply(RegionId::A, Component::Api, Fault::Slow(Duration::from_secs(5))).await.unwrap();
    let encoder = Picture::default().publish(&platform.rtmp(0, &stream.key));
    platform.becomes_live(&stream).await;
    platform.stack.clear(RegionId::A, Component::Api).await.unwrap();
    let calls = platform.stack.regions[0].calls.calls();
    let starts = calls.iter().filter(|call| call.action == "ecs:RunTask");
    let deciders: BTreeSet<_> = starts.map(|call| call.app.as_str()).collect();
    assert_eq!(deciders, ["hooks.eu-west-1", "hooks.us-east-1"].into(), "both have asked for the task");
    assert_eq!(tasks(&stream), 1, "{:?}", ecs.running());
    assert_eq!(platform.one_session(&stream).await.order, 1, "it was granted once");
    encoder.kill().await;
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_does_not_answer_is_left_for_the_other_one() {
    let platform = Platform::start().await;
    let (stream, encoder, path) = live(&platform).await;
    platform.stack.replication.settled().await;
    // The edge's own ways: playlists and objects come from the other region.
    for fault in [Fault::Frozen, Fault::Slow(Duration::from_secs(20)), Fault::Mute, Fault::Resetting] {
        for component in [Component::EdgeApi, Component::EdgeS3] {
            platform.stack.apply(RegionId::A, component, fault).await.unwrap();
        }
        platform.goes_on(&path, 2).await;
        assert_eq!(platform.get(&stream.playback).await.0, StatusCode::OK);
        for component in [Component::EdgeApi, Component::EdgeS3] {
            platform.stack.clear(RegionId::A, component).await.unwrap();
        }
    }
    // The API itself: encoders are taken through the other region's, and so are heartbeats.
    for fault in [Fault::Frozen, DRIPPING] {
        let other = platform.create(small()).await;
        platform.stack.replication.settled().await;
        platform.stack.apply(RegionId::A, Component::Api, fault).await.unwrap();
        let late = Picture::default().publish(&platform.rtmp(0, &other.key));
        platform.becomes_live(&other).await;
        platform.goes_on(&path, 2).await;
        platform.stack.clear(RegionId::A, Component::Api).await.unwrap();
        late.kill().await;
    }
    // The other region's alone is missed by nobody.
    platform.stack.apply(RegionId::B, Component::PeerApi, Fault::Frozen).await.unwrap();
    let other = platform.create(small()).await;
    let late = Picture::default().publish(&platform.rtmp(0, &other.key));
    platform.status(&other, "live").await;
    late.kill().await;
    encoder.kill().await;
    platform.stop().await;
}
