//! A task that lives hands over to its standby, because the owner moves the stream. Pictures carry their numbers (`counted`).

use std::time::Duration;

use headwater_emulators::fault::Fault;
use headwater_local::{Component, RegionId};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::counted;
use super::hls::renditions;
use super::support::{Platform, Stream, eventually, small};

/// From RunTask to the task's first words, as on Fargate at its best.
const TASK_START: Duration = Duration::from_secs(20);

fn kept(passthrough: &str, latency: &str) -> Value {
    let mut settings = small();
    settings["dvr_window_seconds"] = json!(600);
    settings["passthrough"] = json!(passthrough);
    settings["latency"] = json!(latency);
    settings
}

async fn order(platform: &Platform, stream: &Stream) -> (StatusCode, Value) {
    let path = format!("/v1/streams/{}/move", stream.id);
    platform.api(0).call(Method::POST, &path, None).await.unwrap()
}

fn lease_of(shown: &Value) -> &str {
    shown["broadcast"]["lease"].as_str().unwrap_or_default()
}

/// A stream in each way to make its top rendition is moved; viewers are shown every picture once, and no break.
async fn is_moved(latency: &str) {
    let platform = Platform::start().await;
    let mut watched = Vec::new();
    for passthrough in ["auto", "always_encode"] {
        let stream = platform.create(kept(passthrough, latency)).await;
        let encoder = counted::publish(&platform.rtmp(0, &stream.key), 25);
        watched.push((stream, encoder));
    }
    for (stream, _) in &watched {
        platform.status(stream, "live").await;
    }
    platform.stack.apply(RegionId::A, Component::Transcoders, Fault::Slow(TASK_START)).await.unwrap();
    for (stream, _) in &watched {
        let (status, moving) = order(&platform, stream).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{moving}");
        assert!(moving["lease"].as_str().unwrap().starts_with("1."), "{moving}");
    }
    for (stream, encoder) in watched {
        eventually(&format!("the next lease\n{}", platform.logs()), || async {
            let shown = platform.show(0, &stream).await;
            assert_eq!(shown["status"], "live", "throughout: {shown}");
            lease_of(&shown).starts_with("2.").then_some(())
        })
        .await;
        let names = renditions(&platform.plays(&stream).await);
        for rendition in names.iter().filter(|rendition| rendition.name != "audio") {
            let path = rendition.path.replace("/low-latency/", "/playlists/");
            let playlist = platform
                .media_until(&path, |playlist| {
                    let of_second = playlist.segments.iter().filter(|one| one.uri.contains("/2.us-east-1."));
                    of_second.count() >= 3
                })
                .await;
            platform.nothing_is_lost(&rendition.name, &playlist, 0).await;
            assert!(playlist.segments[0].uri.contains("/1.us-east-1."), "{}", playlist.segments[0].uri);
        }
        eventually("who has handed over leaves by itself", || async {
            let running = platform.stack.regions[0].ecs.running();
            let works = |value: &String| value.contains(&stream.id);
            let own = running.iter().filter(|task| task.environment.values().any(works));
            (own.count() == 1).then_some(())
        })
        .await;
        encoder.kill().await;
    }
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_moved_loses_no_picture_and_breaks_nowhere() {
    is_moved("standard").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_in_parts_that_is_moved_loses_no_picture_and_breaks_nowhere() {
    is_moved("low").await;
}
