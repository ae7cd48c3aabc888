//! Encoders that hang, come back elsewhere, or whose broadcast has no writer left.

use std::time::Instant;

use headwater_emulators::fault::Fault;
use headwater_local::{Component, RegionId};
use rustix::process::Signal;

use super::counted;
use super::hls::renditions;
use super::support::{Platform, eventually, small};

#[tokio::test(flavor = "multi_thread")]
async fn a_half_open_connection_never_locks_a_key() {
    let platform = Platform::start().await;
    let stream = platform.create(small()).await;
    let hanging = counted::publish(&platform.rtmp(0, &stream.key), 25);
    let path = renditions(&platform.plays(&stream).await)[0].path.clone();
    platform.media_until(&path, |playlist| playlist.segments.len() >= 2).await;
    hanging.signal(Signal::STOP);
    let encoder = counted::publish(&platform.rtmp(0, &stream.key), 25);
    let broken =
        |playlist: &m3u8_rs::MediaPlaylist| playlist.segments.iter().any(|segment| segment.discontinuity);
    platform.media_until(&path, broken).await;
    platform.status(&stream, "live").await;
    hanging.signal(Signal::CONT);
    assert!(!hanging.end().await.0, "it finds itself cut off");
    encoder.kill().await;
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encoder_that_moves_to_the_other_region_goes_on() {
    let platform = Platform::start().await;
    let stream = platform.create(small()).await;
    let first = counted::publish(&platform.rtmp(0, &stream.key), 25);
    let path = renditions(&platform.plays(&stream).await)[0].path.clone();
    platform.media_until(&path, |playlist| playlist.segments.len() >= 2).await;
    first.kill().await;
    let second = counted::publish(&platform.rtmp(1, &stream.key), 25);
    platform
        .media_until(&path, |playlist| {
            playlist.segments.iter().filter(|segment| segment.uri.contains(".eu-west-1.")).count() >= 2
        })
        .await;
    eventually("one transcoder", || async {
        let tasks: usize = platform.stack.regions.iter().map(|region| region.ecs.tasks().len()).sum();
        (tasks == 1).then_some(())
    })
    .await;
    second.kill().await;
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_lost_its_last_writer_is_not_called_live() {
    let platform = Platform::start().await;
    let stream = platform.create(small()).await;
    let encoder = counted::publish(&platform.rtmp(0, &stream.key), 25);
    platform.status(&stream, "live").await;
    let gone = Instant::now();
    platform.stack.apply(RegionId::A, Component::Transcoders, Fault::Stopped).await.unwrap();
    platform.stack.regions[0].gateway.kill().await;
    assert!(!encoder.end().await.0);
    for region in 0..2 {
        eventually("it is not live", || async {
            let shown = platform.show(region, &stream).await;
            (shown["status"] != "live").then_some(())
        })
        .await;
    }
    println!("not live {:.1} s after", gone.elapsed().as_secs_f64());
    platform.stop().await;
}
