//! Transcoders die, hang, are refused and come late. Pictures carry their numbers (`counted`).

use std::time::Duration;

use headwater_domain::timeline::Entry;
use headwater_emulators::fault::{Failure, Fault};
use headwater_local::{Component, RegionId};
use m3u8_rs::MediaPlaylist;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::counted;
use super::hls::{breaks, nothing_is_taken_back, renditions};
use super::outages::{self, Memory};
use super::support::{Platform, Running, Stream, eventually, small};

/// Where in a segment a transcoder dies.
#[derive(Debug, Clone, Copy)]
enum When {
    Begins,
    Middle,
    Ends,
}

fn kept(passthrough: &str, latency: &str) -> Value {
    let mut settings = small();
    settings["dvr_window_seconds"] = json!(600);
    settings["passthrough"] = json!(passthrough);
    settings["latency"] = json!(latency);
    settings
}

/// The usual playlist of the first rendition, also of a stream that is announced in parts.
async fn path_of(platform: &Platform, stream: &Stream) -> String {
    renditions(&platform.plays(stream).await)[0].path.replace("/low-latency/", "/playlists/")
}

fn by_lease(playlist: &MediaPlaylist, number: usize) -> usize {
    playlist.segments.iter().filter(|segment| segment.uri.contains(&format!("/{number}.us-east-1."))).count()
}

/// Waits until lease `number` has come to that place of a segment, and has written one before.
async fn comes_to(platform: &Platform, stream: &Stream, number: usize, low: bool, when: When) {
    let broadcast = platform.broadcast(0, stream).await;
    let newest = || async {
        let entries = platform.written(0, &broadcast).await;
        let mine: Vec<Entry> = entries
            .into_iter()
            .filter(|entry| entry.lease.to_string().starts_with(&format!("{number}.")))
            .collect();
        mine.last().cloned().filter(|_| mine.len() >= 2)
    };
    if low {
        let parts = match when {
            When::Begins => 1,
            When::Middle => 2,
            When::Ends => 3,
        };
        eventually("the part", || async {
            newest().await.filter(|entry| entry.open && entry.parts.len() == parts)
        })
        .await;
        return;
    }
    let before = eventually("an entry", newest).await.number;
    eventually("the next entry", || async { newest().await.filter(|entry| entry.number > before) }).await;
    // Segments of a second: what is waited for is a place in the media, which nobody announces.
    let into = match when {
        When::Begins => 50,
        When::Middle => 500,
        When::Ends => 900,
    };
    tokio::time::sleep(Duration::from_millis(into)).await;
}

/// Kills the transcoder of each stream three times, each time at another place of a segment.
async fn is_killed_everywhere(latency: &str) {
    let platform = Platform::start().await;
    let mut watched = Vec::new();
    for passthrough in ["auto", "always_encode"] {
        let stream = platform.create(kept(passthrough, latency)).await;
        let encoder = counted::publish(&platform.rtmp(0, &stream.key), 25);
        watched.push((stream, encoder));
    }
    for (stream, encoder) in watched {
        let path = path_of(&platform, &stream).await;
        for (lease, when) in [(1, When::Begins), (2, When::Middle), (3, When::Ends)] {
            comes_to(&platform, &stream, lease, latency == "low", when).await;
            let task = platform.task_of(0, &stream).unwrap();
            assert!(platform.stack.regions[0].ecs.kill(&task, Signal::KILL).await);
            eventually(&format!("the next lease\n{}", platform.logs()), || async {
                let shown = platform.show(0, &stream).await;
                let next = format!("{}.", lease + 1);
                shown["broadcast"]["lease"].as_str().unwrap_or_default().starts_with(&next).then_some(())
            })
            .await;
        }
        let playlist = platform.media_until(&path, |playlist| by_lease(playlist, 4) >= 3).await;
        platform.nothing_is_lost("180p", &playlist, 3).await;
        encoder.kill().await;
    }
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_in_a_segment_a_transcoder_is_killed_no_picture_is_lost() {
    is_killed_everywhere("standard").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_in_a_segment_of_parts_a_transcoder_is_killed_no_picture_is_lost() {
    is_killed_everywhere("low").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_hangs_is_replaced_and_fenced_when_it_wakes() {
    let platform = Platform::start().await;
    let stream = platform.create(kept("auto", "standard")).await;
    let encoder = counted::publish(&platform.rtmp(0, &stream.key), 25);
    let path = path_of(&platform, &stream).await;
    platform.media_until(&path, |playlist| playlist.segments.len() >= 2).await;
    let ecs = &platform.stack.regions[0].ecs;
    let hanging = platform.task_of(0, &stream).unwrap();
    assert!(ecs.kill(&hanging, Signal::STOP).await);
    platform.media_until(&path, |playlist| by_lease(playlist, 2) >= 3).await;
    let broadcast = platform.broadcast(0, &stream).await;
    let before: Vec<_> = own(&platform.written(0, &broadcast).await, "1.");
    assert!(ecs.kill(&hanging, Signal::CONT).await);
    eventually("the one that slept ends", || async { (!ecs.tasks().contains(&hanging)).then_some(()) }).await;
    let now = platform.media(&path).await.segments.len();
    let playlist = platform.media_until(&path, |playlist| playlist.segments.len() >= now + 2).await;
    platform.nothing_is_lost("180p", &playlist, 1).await;
    // Until its next heartbeat is answered it goes on, under its own keys, which nobody reads any more.
    let after = own(&platform.written(0, &broadcast).await, "1.");
    assert!(after.starts_with(&before), "{before:?} {after:?}");
    assert_eq!(ecs.tasks().len(), 1);
    encoder.kill().await;
    platform.stop().await;
}

fn own(entries: &[Entry], lease: &str) -> Vec<u64> {
    entries
        .iter()
        .filter(|entry| entry.lease.to_string().starts_with(lease))
        .map(|entry| entry.number.0)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_capacity_the_encoder_is_told_and_may_try_again() {
    let platform = Platform::start().await;
    let ecs = &platform.stack.regions[0].ecs;
    ecs.set_failure(Some("RESOURCE:FARGATE"));
    let stream = platform.create(kept("auto", "standard")).await;
    let (ok, said) = counted::publish(&platform.rtmp(0, &stream.key), 25).end().await;
    assert!(!ok && said.contains("no transcoder can be started now"), "{said}");
    assert!(!said.contains("RESOURCE"), "that is for the operator: {said}");
    ecs.set_failure(None);
    let encoder = counted::publish(&platform.rtmp(0, &stream.key), 25);
    let path = path_of(&platform, &stream).await;
    let playlist = platform.media_until(&path, |playlist| playlist.segments.len() >= 3).await;
    assert_eq!(platform.numbers("180p", &playlist).await[0], 0, "from the first picture on");
    platform.nothing_is_lost("180p", &playlist, 0).await;
    encoder.kill().await;
    platform.stop().await;
}

/// Every RunTask is answered with ThrottlingException from now on.
async fn throttle(platform: &Platform) {
    platform.stack.apply(RegionId::A, Component::Ecs, Fault::always(Failure::Throttle)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_start_is_tried_again_while_the_encoder_stays() {
    let platform = Platform::start().await;
    throttle(&platform).await;
    let stream = platform.create(kept("auto", "standard")).await;
    let encoder = counted::publish(&platform.rtmp(0, &stream.key), 25);
    // The first try, and one by the sweep.
    eventually(&format!("a second try\n{}", platform.logs()), || async {
        let shown = platform.show(0, &stream).await;
        let lease = shown["broadcast"]["lease"].as_str().unwrap_or_default();
        (shown["status"] == "starting" && lease.starts_with("2.")).then_some(())
    })
    .await;
    platform.stack.clear(RegionId::A, Component::Ecs).await.unwrap();
    let path = path_of(&platform, &stream).await;
    platform.status(&stream, "live").await;
    let playlist = platform.media_until(&path, |playlist| playlist.segments.len() >= 6).await;
    assert_eq!(platform.numbers("180p", &playlist).await[0], 0, "from the first picture on");
    platform.nothing_is_lost("180p", &playlist, 0).await;
    encoder.kill().await;
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_stays_throttled_waits_for_its_turn() {
    let platform = Platform::start().await;
    throttle(&platform).await;
    let stream = platform.create(kept("auto", "standard")).await;
    let encoder = counted::publish(&platform.rtmp(0, &stream.key), 25);
    // More often than a task may fail.
    eventually("seven tries", || async {
        let log = platform.stack.data().join("logs/us-east-1/functions/lifecycle.log");
        let log = std::fs::read_to_string(log).unwrap_or_default();
        let tries = log.matches("a task is not started yet").count();
        (tries >= 7).then_some(())
    })
    .await;
    assert_eq!(platform.show(0, &stream).await["status"], "starting", "{}", platform.logs());
    platform.stack.clear(RegionId::A, Component::Ecs).await.unwrap();
    let path = path_of(&platform, &stream).await;
    platform.status(&stream, "live").await;
    let playlist = platform.media_until(&path, |playlist| playlist.segments.len() >= 3).await;
    assert_eq!(platform.numbers("180p", &playlist).await[0], 0, "from the first picture on");
    encoder.kill().await;
    platform.stop().await;
}

/// A live stream whose task has died when no other one can be started.
async fn cannot_be_replaced(platform: &Platform) -> (Stream, Running, String) {
    let stream = platform.create(kept("auto", "standard")).await;
    let encoder = counted::publish(&platform.rtmp(0, &stream.key), 25);
    let path = path_of(platform, &stream).await;
    platform.media_until(&path, |playlist| playlist.segments.len() >= 2).await;
    let ecs = &platform.stack.regions[0].ecs;
    ecs.set_failure(Some("RESOURCE:FARGATE"));
    assert!(ecs.kill(&platform.task_of(0, &stream).unwrap(), Signal::KILL).await);
    (stream, encoder, path)
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_replacements_are_tried_again_and_nothing_is_lost() {
    let platform = Platform::start().await;
    let (stream, encoder, path) = cannot_be_replaced(&platform).await;
    eventually(&format!("a second try\n{}", platform.logs()), || async {
        let shown = platform.show(0, &stream).await;
        shown["broadcast"]["lease"].as_str().unwrap_or_default().starts_with("3.").then_some(())
    })
    .await;
    platform.stack.regions[0].ecs.set_failure(None);
    let now = platform.media(&path).await.segments.len();
    let playlist = platform.media_until(&path, |playlist| playlist.segments.len() >= now + 4).await;
    platform.nothing_is_lost("180p", &playlist, 1).await;
    encoder.kill().await;
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_that_stays_impossible_fails_the_broadcast_where_one_sees_it() {
    let platform = Platform::start().await;
    let (stream, encoder, _) = cannot_be_replaced(&platform).await;
    let shown = platform.status(&stream, "failed").await;
    let reason = shown["broadcast"]["reason"].as_str().unwrap();
    assert!(reason.contains("no transcoder could be kept running"), "{reason}");
    let (ok, said) = encoder.end().await;
    assert!(!ok, "the encoder is told by being cut off: {said}");
    platform.stack.regions[0].ecs.set_failure(None);
    let encoder = counted::publish(&platform.rtmp(0, &stream.key), 25);
    platform.status(&stream, "live").await;
    encoder.kill().await;
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_dies_leaves_what_was_seen_and_the_encoder_goes_on() {
    let platform = Platform::start().await;
    let stream = platform.create(kept("auto", "standard")).await;
    let encoder = counted::publish(&platform.rtmp(0, &stream.key), 25);
    let path = path_of(&platform, &stream).await;
    let seen = platform.media_until(&path, |playlist| playlist.segments.len() >= 3).await;
    let gateway = &platform.stack.regions[0].gateway;
    gateway.kill().await;
    assert!(!encoder.end().await.0);
    platform.status(&stream, "reconnecting").await;
    gateway.start().await.unwrap();
    let encoder = counted::publish(&platform.rtmp(0, &stream.key), 25);
    let playlist = platform
        .media_until(&path, |playlist| {
            let breaks = breaks(playlist);
            breaks.iter().position(|(_, broken)| *broken).is_some_and(|at| breaks.len() >= at + 3)
        })
        .await;
    nothing_is_taken_back(&seen, &playlist);
    assert_eq!(breaks(&playlist).iter().filter(|(_, broken)| *broken).count(), 1);
    let numbers = platform.numbers("180p", &playlist).await;
    let cut = numbers.iter().rposition(|number| *number == 0).unwrap();
    for run in [&numbers[..cut], &numbers[cut..]] {
        assert!(run.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    }
    assert_eq!(platform.stack.regions[0].ecs.tasks().len(), 1, "the same task goes on");
    encoder.kill().await;
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_start_that_takes_long_everything_is_there() {
    let platform = Platform::start().await;
    let delay = outages::length(12);
    platform.stack.apply(RegionId::A, Component::Transcoders, Fault::Slow(delay)).await.unwrap();
    let stream = platform.create(kept("auto", "standard")).await;
    let encoder = counted::publish(&platform.rtmp(0, &stream.key), 25);
    platform.status(&stream, "starting").await;
    let path = path_of(&platform, &stream).await;
    platform.status(&stream, "live").await;
    let all = outages::segments(12) + 4;
    let playlist = platform.media_until(&path, |playlist| playlist.segments.len() >= all).await;
    let mut memory = Memory::default();
    memory.look(&platform).await;
    memory.is_bounded();
    let numbers = platform.numbers("180p", &playlist).await;
    assert_eq!(numbers[0], 0, "from the first picture on");
    println!("{} pictures after a start of {} s", numbers.len(), delay.as_secs());
    platform.nothing_is_lost("180p", &playlist, 0).await;
    encoder.kill().await;
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_came_and_went_before_the_task_are_all_there() {
    let platform = Platform::start().await;
    platform
        .stack
        .apply(RegionId::A, Component::Transcoders, Fault::Slow(Duration::from_secs(15)))
        .await
        .unwrap();
    let stream = platform.create(kept("auto", "standard")).await;
    let address = platform.rtmp(0, &stream.key);
    // Each encoder counts its pictures from 0.
    for _ in 0..2 {
        let (left, said) = counted::publish_for(&address, 25, 4).end().await;
        assert!(left, "{said}");
    }
    let encoder = counted::publish(&address, 25);
    let path = path_of(&platform, &stream).await;
    let playlist = platform
        .media_until(&path, |playlist| {
            let broken: Vec<_> = breaks(playlist).iter().map(|(_, broken)| *broken).collect();
            broken.iter().filter(|broken| **broken).count() == 2
                && broken.iter().rev().take_while(|broken| !**broken).count() >= 2
        })
        .await;
    let numbers = platform.numbers("180p", &playlist).await;
    let sessions: Vec<_> = numbers.chunk_by(|before, next| *next == before + 1).collect();
    let [first, second, third] = sessions[..] else { panic!("{numbers:?}") };
    let whole: Vec<_> = (0..100).collect();
    assert_eq!((first, second, third[0]), (&whole[..], &whole[..], 0), "all of each");
    encoder.kill().await;
    platform.stop().await;
}
