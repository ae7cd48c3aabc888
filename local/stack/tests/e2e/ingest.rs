//! Encoders: who may publish, who is refused, and how it shows.

use http::{Method, StatusCode};
use serde_json::json;

use super::support::{Picture, Platform, Running, eventually, small};

const WRONG: &str = "0123456789ab-01234567-0123456789abcdefghjkmnpqrs";

fn gstreamer(sink: &str, location: &str) -> Running {
    let location = format!("location={location}");
    let pipeline = [
        "-e",
        "videotestsrc",
        "is-live=true",
        "!",
        "video/x-raw,width=320,height=180,framerate=25/1",
        "!",
        "x264enc",
        "tune=zerolatency",
        "key-int-max=25",
        "speed-preset=ultrafast",
        "!",
        "h264parse",
        "!",
        "flvmux",
        "name=mux",
        "streamable=true",
        "!",
        sink,
        &location,
        "audiotestsrc",
        "is-live=true",
        "!",
        "audioconvert",
        "!",
        "voaacenc",
        "!",
        "mux.",
    ];
    Running::start("gst-launch-1.0", &pipeline)
}

#[tokio::test(flavor = "multi_thread")]
async fn gstreamer_publishes() {
    let platform = Platform::start().await;
    for sink in ["rtmp2sink", "rtmpsink"] {
        let stream = platform.create(small()).await;
        let encoder = gstreamer(sink, &platform.rtmp(0, &stream.key));
        platform.plays(&stream).await;
        platform.status(&stream, "live").await;
        encoder.kill().await;
        platform.status(&stream, "reconnecting").await;
    }
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_refused_where_a_person_sees_it() {
    let platform = Platform::start().await;
    let (ok, said) = Picture::for_seconds(20).publish(&platform.rtmp(0, WRONG)).end().await;
    assert!(!ok && said.contains("unknown stream key"), "{said}");
    let (ok, said) = gstreamer("rtmp2sink", &platform.rtmp(0, WRONG)).end().await;
    assert!(!ok && said.contains("unknown stream key"), "{said}");

    let stream = platform.create(small()).await;
    let wrong_app = platform.rtmp(0, &stream.key).replace("/live/", "/vod/");
    let (ok, said) = Picture::for_seconds(20).publish(&wrong_app).end().await;
    assert!(!ok && said.contains("live"), "{said}");

    let logs = platform.logs();
    assert!(!logs.contains(WRONG), "a key is in the logs");
    assert!(!logs.contains(&stream.key), "a key is in the logs");
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_and_expired_keys_and_deleted_streams_end_sessions_and_open_none() {
    let platform = Platform::start().await;
    let stream = platform.create(small()).await;
    let encoder = Picture::default().publish(&platform.rtmp(0, &stream.key));
    platform.plays(&stream).await;

    let key_id = stream.key.split('-').nth(1).unwrap();
    let path = format!("/v1/streams/{}/keys/{key_id}", stream.id);
    // Revoked through the other region's API.
    let (status, body) = eventually("region B knows the key", || async {
        let answer = platform.api(1).call(Method::DELETE, &path, None).await.unwrap();
        (answer.0 != StatusCode::NOT_FOUND).then_some(answer)
    })
    .await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{body}");
    let (ok, said) = encoder.end().await;
    assert!(!ok, "the session of a revoked key ends: {said}");
    let (ok, said) = Picture::for_seconds(20).publish(&platform.rtmp(0, &stream.key)).end().await;
    assert!(!ok && said.contains("revoked"), "{said}");

    let keys = format!("/v1/streams/{}/keys", stream.id);
    let (status, key) =
        platform.api(0).call(Method::POST, &keys, Some(json!({ "label": "second" }))).await.unwrap();
    assert_eq!(status, StatusCode::CREATED, "{key}");
    let encoder = Picture::default().publish(&platform.rtmp(0, key["value"].as_str().unwrap()));
    platform.status(&stream, "live").await;
    let (status, _) =
        platform.api(0).call(Method::DELETE, &format!("/v1/streams/{}", stream.id), None).await.unwrap();
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert!(!encoder.end().await.0, "the session of a deleted stream ends");
    let (status, ..) = platform.get(&stream.playback).await;
    eventually("the deleted stream does not play", || async {
        let (now, ..) = platform.get(&stream.playback).await;
        (now == StatusCode::NOT_FOUND || status == StatusCode::NOT_FOUND).then_some(())
    })
    .await;
    let (ok, said) =
        Picture::for_seconds(20).publish(&platform.rtmp(0, key["value"].as_str().unwrap())).end().await;
    assert!(!ok && said.contains("deleted"), "{said}");
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_publisher_takes_over_or_is_refused() {
    let platform = Platform::start().await;
    let mut reject = small();
    reject["publish_policy"] = json!("reject");
    let stream = platform.create(reject).await;
    let first = Picture::default().publish(&platform.rtmp(0, &stream.key));
    platform.status(&stream, "live").await;
    let (ok, said) = Picture::for_seconds(20).publish(&platform.rtmp(0, &stream.key)).end().await;
    assert!(!ok && said.contains("already being published"), "{said}");
    assert_eq!(platform.show(0, &stream).await["status"], "live", "the first one was not disturbed");

    let patch = Some(json!({ "settings": { "publish_policy": "takeover" } }));
    let (status, _) =
        platform.api(0).call(Method::PATCH, &format!("/v1/streams/{}", stream.id), patch).await.unwrap();
    assert_eq!(status, StatusCode::OK);
    let second = Picture::default().publish(&platform.rtmp(0, &stream.key));
    let (ok, said) = first.end().await;
    assert!(!ok, "the first one was told to go: {said}");
    platform.status(&stream, "live").await;
    second.kill().await;
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_ends_the_broadcast_at_once() {
    let platform = Platform::start().await;
    let stream = platform.create(small()).await;
    let stop = format!("/v1/streams/{}/stop", stream.id);
    assert_eq!(platform.api(0).call(Method::POST, &stop, None).await.unwrap().0, StatusCode::CONFLICT);
    let encoder = Picture::default().publish(&platform.rtmp(0, &stream.key));
    platform.status(&stream, "live").await;
    assert_eq!(platform.api(0).call(Method::POST, &stop, None).await.unwrap().0, StatusCode::ACCEPTED);
    assert!(!encoder.end().await.0);
    platform.status(&stream, "offline").await;
    eventually("the task leaves", || async {
        platform.stack.regions[0].ecs.tasks().is_empty().then_some(())
    })
    .await;
    platform.stop().await;
}
