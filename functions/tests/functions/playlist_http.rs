//! Playlists as the edge sees them: status, caching, compression, CORS, which try it is, and who may ask.

use headwater_domain::hooks::SessionRef;
use headwater_domain::key::{KeyRecord, StreamKey};
use headwater_domain::ports::{WriteControl, WriteKeys, WriteStreams};
use headwater_domain::stream::StreamDocument;
use headwater_domain::testing::samples;
use headwater_domain::{KeyId, StreamId, control::State};
use serde_json::json;

use crate::support::{Event, Harness, later};

const LIVE: [&str; 2] = ["playlist-multivariant", "playlist-media"];
const SHORT: &str = "max-age=1, stale-if-error=0";

async fn live() -> (Harness, SessionRef) {
    let harness = Harness::with(|stream| stream.settings.listed = true).await;
    let session = harness.allowed(1).await;
    harness.heartbeat_live(&session).await;
    for number in 0..6 {
        harness.commit(&harness.lease().await, number).await;
    }
    (harness, session)
}

#[tokio::test]
async fn a_live_playlist_may_be_kept_for_a_second_and_by_everybody() {
    let (harness, _) = live().await;
    for name in LIVE {
        let answer = harness.view(&Event::sample(name)).await;
        assert_eq!(answer.status.as_u16(), 200);
        assert_eq!(answer.header("content-type"), "application/vnd.apple.mpegurl");
        assert_eq!(answer.header("cache-control"), SHORT);
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert_eq!(answer.header("vary"), "Accept-Encoding");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    let head = harness.view(&Event::sample("playlist-media").method("HEAD")).await;
    assert_eq!(head.status.as_u16(), 200);
}

#[tokio::test]
async fn what_is_final_may_be_kept_for_a_minute() {
    let (harness, session) = live().await;
    harness.unpublish(&session).await;
    later(60);
    for name in ["playlist-media", "playlist-recording", "playlist-recording-media"] {
        let answer = harness.view(&Event::sample(name)).await;
        assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, "max-age=60"), "{name}");
    }
    let answer = harness.view(&Event::sample("playlist-multivariant")).await;
    answer.problem(404, "not-live");
    assert_eq!(answer.header("cache-control"), SHORT, "the playback URL may be live again any moment");
}

#[tokio::test]
async fn playlists_are_packed_for_who_takes_it() {
    let (harness, _) = live().await;
    let event = Event::sample("playlist-media");
    let packed = harness.view(&event).await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    for encodings in
        ["", "br", "identity", "gzip;q=0", "gzip; q=0.0", "GZIP;Q=0.000", "br, gzip;q=0, *", "*;q=0"]
    {
        let plain = harness.view(&event.clone().header("accept-encoding", encodings)).await;
        assert_eq!(plain.header("content-encoding"), "", "{encodings}");
        assert_eq!(plain.text(), packed.text());
        assert!(packed.body.len() < plain.body.len() / 2);
        assert_eq!(plain.header("vary"), "Accept-Encoding");
    }
    let none = harness.view(&event.without_header("accept-encoding")).await;
    assert_eq!(none.text(), packed.text());
}

#[tokio::test(start_paused = true)]
async fn what_is_not_live_is_not_found_for_a_moment() {
    let harness = Harness::seeded().await;
    for name in [LIVE[0], LIVE[1], "playlist-recording", "playlist-recording-media"] {
        let answer = harness.view(&Event::sample(name)).await;
        answer.problem(404, "not-live");
        assert_eq!(answer.header("cache-control"), SHORT);
        assert_eq!(answer.header("access-control-allow-origin"), "*", "a player must be able to read why");
    }
    let session = harness.allowed(1).await;
    let problem = harness.view(&Event::sample("playlist-multivariant")).await.problem(404, "not-live");
    assert_eq!(problem["state"], "starting");
    harness.heartbeat_live(&session).await;
    harness.commit(&harness.lease().await, 0).await;
    assert_eq!(harness.view(&Event::sample("playlist-multivariant")).await.status.as_u16(), 200);
    harness.view(&Event::sample("playlist-recording")).await.problem(404, "not-live");
}

#[tokio::test]
async fn the_first_try_fails_over_when_this_region_has_lost_sight() {
    let (harness, session) = live().await;
    for name in LIVE {
        let event = |which: &str| Event::sample(name).header("x-headwater-try", which);
        later(6);
        assert_eq!(harness.view(&event("1")).await.status.as_u16(), 200, "six seconds are fine");
        later(1);
        let stale = harness.view(&event("1")).await;
        stale.problem(503, "stale");
        assert_eq!(stale.header("cache-control"), SHORT);
        for event in [event("2"), event("x"), Event::sample(name).without_header("x-headwater-try")] {
            assert_eq!(harness.view(&event).await.status.as_u16(), 200, "the second try gives its best");
        }
        later(60); // long dead, and still its best
        assert_eq!(harness.view(&event("2")).await.status.as_u16(), 200);
        harness.heartbeat_live(&session).await;
    }
}

#[tokio::test]
async fn the_first_try_does_not_fail_over_for_what_ought_to_be_silent() {
    let (harness, session) = live().await;
    harness.unpublish(&session).await;
    later(30);
    assert_eq!(harness.state().await, Some(State::Reconnecting));
    for name in LIVE {
        assert_eq!(harness.view(&Event::sample(name)).await.status.as_u16(), 200, "{name}");
    }
    later(60);
    assert_eq!(harness.view(&Event::sample("playlist-media")).await.status.as_u16(), 200);
    harness.view(&Event::sample("playlist-multivariant")).await.problem(404, "not-live");
}

#[tokio::test]
async fn only_the_edge_is_answered_if_there_is_a_secret() {
    let (harness, _) = live().await;
    let view = async |event: &Event| harness.view_with(&["example-origin-secret"], event).await;
    for name in ["playlist-multivariant", "playlist-media", "playlist-listing"] {
        let event = Event::sample(name);
        assert_eq!(view(&event).await.status.as_u16(), 200);
        for wrong in ["", "example-origin-secre", "example-origin-secretx", "EXAMPLE-ORIGIN-SECRET"] {
            let event = event.clone().header("x-headwater-origin", wrong);
            let answer = view(&event).await;
            let problem = answer.problem(403, "not-the-edge");
            assert!(!problem.to_string().contains("example-origin-secret"));
        }
        let answer = view(&event.without_header("x-headwater-origin")).await;
        answer.problem(403, "not-the-edge");
    }
}

#[tokio::test]
async fn while_the_origin_secret_is_rotated_the_old_one_is_good_as_well() {
    let (harness, _) = live().await;
    let function = harness.playlist(&["new-secret", "example-origin-secret"]);
    let ask = async |secret: &str| {
        let event = Event::sample("playlist-media").header("x-headwater-origin", secret);
        function.handle(event.request()).await.status().as_u16()
    };
    assert_eq!(ask("new-secret").await, 200);
    assert_eq!(ask("example-origin-secret").await, 200);
    for wrong in ["", "older-secret", "new-secretexample-origin-secret"] {
        assert_eq!(ask(wrong).await, 403, "{wrong}");
    }
}

#[tokio::test]
async fn hostile_paths_are_not_found() {
    let (harness, session) = live().await;
    let broadcast = session.broadcast.as_str();
    for path in [
        "/",
        "/live",
        "/live/",
        "/live/index.m3u8",
        "/live/000000000001",
        "/live/000000000001/",
        "/live/../index.m3u8",
        "/live/%2e%2e/index.m3u8",
        "/live/00000000000i/index.m3u8",
        "/live/000000000002/index.m3u8",
        "/live/000000000001/index.m3u8/",
        "/live/000000000001%00/index.m3u8",
        "/live/000000000001/index.m3u",
        "/us-east-1/playlists",
        "/us-east-1/playlists/x/720p.m3u8",
        "/us-east-1/playlists/000000000001/720p.m3u8",
        "/us-east-1/playlists/000000000001-1hf7yat00000i/720p.m3u8",
        "/us-east-1/playlists/000000000001-1hf7yat000002/720p.m3u8",
        &format!("/us-east-1/playlists/{broadcast}/"),
        &format!("/us-east-1/playlists/{broadcast}/.m3u8"),
        &format!("/us-east-1/playlists/{broadcast}/720p"),
        &format!("/us-east-1/playlists/{broadcast}/720p.m4s"),
        &format!("/us-east-1/playlists/{broadcast}/1080p.m3u8"),
        &format!("/us-east-1/playlists/{broadcast}/%2e%2e%2f720p.m3u8"),
        &format!("/us-east-1/playlists/{broadcast}/vod/../720p.ts"),
        &format!("/us-east-1/media/{broadcast}/720p.m3u8"),
        &format!("/us-east-1/playlists/{broadcast}/{}.m3u8", "x".repeat(4_000)),
        "/playlists/x/y.m3u8",
    ] {
        let answer = harness.view(&Event::sample("playlist-media").path(path)).await;
        assert_eq!(answer.status.as_u16(), 404, "{path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
        assert_eq!(answer.header("cache-control"), SHORT, "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"] {
        let answer = harness.view(&Event::sample("playlist-media").method(method)).await;
        answer.problem(405, "method-not-allowed");
        assert_eq!(answer.header("allow"), "GET, HEAD");
    }
}

#[tokio::test]
async fn a_listed_stream_is_found_behind_any_number_of_unlisted_ones() {
    let harness = Harness::empty();
    for number in 2..=202 {
        let id = StreamId::from_random(number);
        let mut document =
            StreamDocument { id: id.clone(), name: format!("other {number}"), ..samples::stream() };
        document.settings.listed = false;
        harness.table.put_stream(&document).await.unwrap();
        harness.table.mark_active(&id, &harness.region).await.unwrap();
    }
    // The last one by its id.
    let id = StreamId::from_random((1 << 60) - 1);
    let mut document = StreamDocument { id: id.clone(), ..samples::stream() };
    document.settings.listed = true;
    harness.table.put_stream(&document).await.unwrap();
    let key = StreamKey::from_random(id.clone(), KeyId::from_random(2), 3);
    let (hash, key_id) = (key.hash(&crate::support::pepper()), key.id().clone());
    let (label, created_at, expires_at) = (None, crate::support::now(), None);
    let record = KeyRecord { id: key_id, stream: id.clone(), hash, label, created_at, expires_at };
    harness.table.add_key(&record).await.unwrap();
    let publish = harness.publish_event(1).edit(|body| body["key"] = json!(key.reveal()));
    harness.hook(&publish).await.expect(200);
    let listed = harness.view(&Event::sample("playlist-listing")).await.json();
    assert_eq!((listed["streams"].as_array().unwrap().len(), &listed["streams"][0]["id"]), (1, &json!(id)));
}

#[tokio::test]
async fn the_listing_shows_listed_streams_that_are_live() {
    let (harness, session) = live().await;
    let listing = |harness: Harness| async move { harness.view(&Event::sample("playlist-listing")).await };
    // A second stream that is active, live and not listed; and a listed one that nobody publishes to.
    for (number, listed) in [(5, false), (6, true)] {
        let id = StreamId::from_random(number);
        let mut document =
            StreamDocument { id: id.clone(), name: format!("other {number}"), ..samples::stream() };
        document.settings.listed = listed;
        harness.table.put_stream(&document).await.unwrap();
        harness.table.mark_active(&id, &harness.region).await.unwrap();
    }
    let answer = listing(harness.clone()).await;
    let expected = json!({ "streams": [{
        "id": "000000000001", "name": "sample", "state": "live", "started_at": "2023-11-14T22:13:20Z",
        "playback_url": "/live/000000000001/index.m3u8",
    }]});
    assert_eq!(answer.expect(200), expected);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), SHORT);
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(listing(harness.other_region()).await.json(), expected, "both regions show the same");

    harness
        .ask(&Event::sample("api-patch-stream").body(&json!({ "settings": { "listed": false } })))
        .await
        .expect(200);
    assert_eq!(listing(harness.clone()).await.json(), json!({ "streams": [] }));
    harness
        .ask(&Event::sample("api-patch-stream").body(&json!({ "settings": { "listed": true } })))
        .await
        .expect(200);
    harness.unpublish(&session).await;
    assert_eq!(listing(harness.clone()).await.json()["streams"][0]["state"], "reconnecting");
    later(60);
    assert_eq!(listing(harness.clone()).await.json(), json!({ "streams": [] }));
}
