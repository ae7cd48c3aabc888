//! Every part of a running platform can be made to fail, is told, and can be put right.

use std::time::Duration;

use headwater_emulators::fault::{Failure, Fault};
use headwater_local::{Component, RegionId};
use http::{Method, StatusCode};
use serde_json::json;

use super::hls::renditions;
use super::support::{Picture, Platform, eventually, small};

/// All that can be wrong with `component`, one after the other.
fn possible(component: Component) -> Vec<Fault> {
    let all = [
        Fault::Slow(Duration::from_millis(10)),
        Fault::Dripping(Duration::from_millis(1)),
        Fault::Narrow(1 << 20),
        Fault::Mute,
        Fault::Resetting,
        Fault::always(Failure::Unavailable),
        Fault::Frozen,
        Fault::Stopped,
    ];
    all.into_iter().filter(|fault| component.takes(fault)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_part_fails_is_listed_and_is_put_right() {
    let platform = Platform::start().await;
    let stack = &platform.stack;
    assert_eq!(stack.list().await, []);
    for region in RegionId::ALL {
        for component in Component::ALL {
            for fault in possible(component) {
                stack.apply(region, component, fault).await.unwrap();
                // Without a task there is none that could be frozen.
                if (component, fault) == (Component::Transcoders, Fault::Frozen) {
                    continue;
                }
                let listed = eventually(&format!("{region}/{component} {fault}"), || async {
                    let listed = stack.list().await;
                    (!listed.is_empty()).then_some(listed)
                })
                .await;
                let told: Vec<_> = listed.iter().map(ToString::to_string).collect();
                assert_eq!(told, [format!("{region}/{component} {fault}")]);
                stack.clear(region, component).await.unwrap();
                eventually(&format!("{region}/{component} is right"), || async {
                    stack.list().await.is_empty().then_some(())
                })
                .await;
            }
        }
    }
    let refused =
        stack.apply(RegionId::A, Component::Gateway, Fault::always(Failure::Internal)).await.unwrap_err();
    assert!(refused.to_string().contains("stopped or frozen"), "{refused}");
    // After all that it still works.
    let stream = platform.create(small()).await;
    let encoder = Picture::default().publish(&platform.rtmp(0, &stream.key));
    platform.plays(&stream).await;
    encoder.kill().await;
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_edge_s_listeners_fail_alone() {
    let platform = Platform::start().await;
    let stream = platform.create(small()).await;
    let encoder = Picture::default().publish(&platform.rtmp(0, &stream.key));
    let path = renditions(&platform.plays(&stream).await)[0].path.clone();
    platform.stack.replication.settled().await;
    for component in [Component::EdgeApi, Component::EdgeS3] {
        platform.stack.apply(RegionId::A, component, Fault::Stopped).await.unwrap();
    }
    let served = platform.stack.regions[1].s3.faults().requests();
    let before = platform.media(&path).await.segments.len();
    let playlist = platform.media_until(&path, |playlist| playlist.segments.len() >= before + 3).await;
    platform.object(&playlist.segments.last().unwrap().uri).await;
    assert!(platform.stack.regions[1].s3.faults().requests() > served, "the mirror served it");
    // Everybody else still reaches region A.
    assert_eq!(platform.show(0, &stream).await["broadcast"]["region"], "us-east-1");
    assert_eq!(platform.stack.regions[0].ecs.tasks().len(), 1);
    encoder.kill().await;
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_parts_the_regions_and_heals() {
    let platform = Platform::start().await;
    let created = platform.create(small()).await;
    platform.stack.replication.settled().await;
    platform.stack.partition().await;
    assert_eq!(platform.stack.list().await.len(), 8, "three ways and one direction of writes, twice");
    let change = json!({ "name": "changed" });
    let path = format!("/v1/streams/{}", created.id);
    let (status, _) = platform.api(0).call(Method::PATCH, &path, Some(change)).await.unwrap();
    assert_eq!(status, StatusCode::OK);
    assert_eq!(platform.show(0, &created).await["name"], "changed");
    assert_eq!(platform.show(1, &created).await["name"], "test", "nothing crosses");
    platform.stack.heal().unwrap();
    assert_eq!(platform.stack.list().await, []);
    platform.stack.replication.settled().await;
    assert_eq!(platform.show(1, &created).await["name"], "changed");
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_is_lost_and_comes_back() {
    let platform = Platform::start().await;
    let stream = platform.create(small()).await;
    let encoder = Picture::default().publish(&platform.rtmp(0, &stream.key));
    platform.plays(&stream).await;
    let pid = platform.stack.regions[0].gateway.pid().await.unwrap();
    platform.stack.stop_region(RegionId::A).await;
    assert!(!encoder.end().await.0, "the encoder is cut off");
    let (api, gateway) = (platform.api(0), &platform.stack.regions[0].gateway);
    assert!(api.call(Method::GET, "/health", None).await.is_err() && gateway.pid().await.is_none());
    eventually("no task lives", || async { platform.stack.regions[0].ecs.tasks().is_empty().then_some(()) })
        .await;
    assert_eq!(platform.get(&stream.playback).await.0, StatusCode::OK, "the other region answers");

    platform.stack.start_region(RegionId::A).await.unwrap();
    assert_eq!(platform.stack.list().await, []);
    assert_ne!(gateway.pid().await.unwrap(), pid);
    let encoder = Picture::default().publish(&platform.rtmp(0, &stream.key));
    platform.status(&stream, "live").await;
    encoder.kill().await;
    platform.stop().await;
}
