//! Streams over the REST API: create, show, list, change, delete, stop.

use std::collections::BTreeSet;

use headwater_domain::control::State;
use headwater_domain::hooks::SessionOrder;
use headwater_domain::testing::samples;
use serde_json::{Value, json};

use crate::support::{Event, Harness, later};

fn create(name: &str) -> Event {
    Event::sample("api-create-stream").without_header("idempotency-key").body(&json!({ "name": name }))
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn list(query: &str) -> Event {
    Event::sample("api-list-streams").query(query)
}

#[tokio::test]
async fn a_new_stream_is_shown_with_its_key_once() {
    let harness = Harness::empty();
    let answer = harness.ask(&Event::sample("api-create-stream")).await;
    let made = answer.expect(201);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");

    let id = made["id"].as_str().unwrap();
    assert_eq!(id.parse::<headwater_domain::StreamId>().unwrap().as_str(), id);
    assert_eq!(made["name"], "Sunday service");
    assert_eq!(made["status"], "offline");
    assert_eq!(made["playback_url"], format!("https://watch.example.com/live/{id}/index.m3u8"));
    let ingest = json!({
        "rtmp": ["rtmp://ingest.example.com/live"],
        "rtmps": ["rtmps://ingest.example.com/live"],
    });
    assert_eq!(made["ingest"], ingest);
    assert_eq!(made["settings"]["reconnect_window_seconds"], 120);
    assert_eq!(made["settings"]["listed"], true);
    assert_eq!(made["settings"]["dvr_window_seconds"], 60, "what is not said has its default");
    assert_eq!(made["created_at"], "2023-11-14T22:13:20Z");
    assert_eq!(made["broadcast"], Value::Null);
    let key = &made["stream_key"];
    let value = key["value"].as_str().unwrap();
    assert!(value.starts_with(&format!("{id}-{}-", key["id"].as_str().unwrap())), "{value}");
    assert!(value.parse::<headwater_domain::key::StreamKey>().is_ok());

    // From now on neither the key nor its hash is anywhere.
    for event in [
        Event::sample("api-get-stream").path(&format!("/v1/streams/{id}")),
        list("limit=10"),
        Event::sample("api-list-keys").path(&format!("/v1/streams/{id}/keys")),
        Event::sample("api-patch-stream").path(&format!("/v1/streams/{id}")),
    ] {
        let text = harness.ask(&event).await.expect(200).to_string();
        assert!(!text.contains(value) && !text.contains("value") && !text.contains("hash"), "{text}");
    }
    let shown =
        harness.ask(&Event::sample("api-get-stream").path(&format!("/v1/streams/{id}"))).await.expect(200);
    let mut all = keys(&made);
    all.remove("stream_key");
    assert_eq!(keys(&shown), all, "created and shown streams look alike");
}

#[tokio::test]
async fn the_key_of_a_new_stream_opens_it() {
    let harness = Harness::empty();
    let made = harness.ask(&create("one")).await.expect(201);
    let publish = harness.publish_event(1).edit(|body| body["key"] = made["stream_key"]["value"].clone());
    let answer = harness.hook(&publish).await.expect(200);
    assert_eq!((&answer["decision"], &answer["stream"]), (&json!("allow"), &made["id"]));
}

#[tokio::test]
async fn pages_show_every_stream_once_newest_first() {
    let harness = Harness::empty();
    for number in 0..7 {
        harness.ask(&create(&format!("stream {number}"))).await.expect(201);
        if number != 3 {
            later(1); // two of them in one millisecond
        }
    }
    let mut names = Vec::new();
    let mut ids = BTreeSet::new();
    let mut query = "limit=3".to_owned();
    let mut pages = 0;
    loop {
        let page = harness.ask(&list(&query)).await.expect(200);
        pages += 1;
        for stream in page["streams"].as_array().unwrap() {
            names.push(stream["name"].as_str().unwrap().to_owned());
            assert!(ids.insert(stream["id"].as_str().unwrap().to_owned()));
        }
        let Some(next) = page["next"].as_str() else { break };
        query = format!("limit=3&cursor={next}");
    }
    assert_eq!((pages, names.len()), (3, 7));
    assert_eq!((names[0].as_str(), names[6].as_str()), ("stream 6", "stream 0"));
    let whole = harness.ask(&list("")).await.expect(200);
    assert_eq!((whole["streams"].as_array().unwrap().len(), &whole["next"]), (7, &Value::Null));
}

#[tokio::test]
async fn a_cursor_survives_the_deletion_of_its_stream() {
    let harness = Harness::empty();
    for name in ["a", "b", "c"] {
        harness.ask(&create(name)).await.expect(201);
        later(1);
    }
    let first = harness.ask(&list("limit=1")).await.expect(200);
    let id = first["streams"][0]["id"].as_str().unwrap();
    harness.ask(&Event::sample("api-delete-stream").path(&format!("/v1/streams/{id}"))).await.expect(204);
    let second =
        harness.ask(&list(&format!("limit=1&cursor={}", first["next"].as_str().unwrap()))).await.expect(200);
    assert_eq!(second["streams"][0]["name"], "b");
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_nothing_else() {
    let harness = Harness::seeded().await;
    later(5);
    let before = harness.ask(&Event::sample("api-get-stream")).await.expect(200);
    let after = harness.ask(&Event::sample("api-patch-stream")).await.expect(200);
    assert_eq!(after["name"], "Evening service");
    assert_eq!(after["settings"]["dvr_window_seconds"], 600);
    assert_eq!(after["updated_at"], "2023-11-14T22:13:25Z");
    assert_eq!(after["created_at"], before["created_at"]);
    for setting in [
        "ladder",
        "latency",
        "passthrough",
        "record",
        "cold_start",
        "publish_policy",
        "reconnect_window_seconds",
        "listed",
        "mirror",
    ] {
        assert_eq!(after["settings"][setting], before["settings"][setting], "{setting}");
    }
    let patch = |body: Value| Event::sample("api-patch-stream").body(&body);
    let every = json!({ "settings": {
        "ladder": [{ "height": 480, "kbps": 1000 }], "latency": "low", "passthrough": "always_encode",
        "record": false, "cold_start": "first_frame", "publish_policy": "reject",
        "reconnect_window_seconds": 0, "listed": true, "mirror": false,
    }});
    let after = harness.ask(&patch(every.clone())).await.expect(200);
    for (setting, value) in every["settings"].as_object().unwrap() {
        assert_eq!(after["settings"][setting], *value);
    }
    assert_eq!(
        (&after["name"], &after["settings"]["dvr_window_seconds"]),
        (&json!("Evening service"), &json!(600))
    );
    assert_eq!(harness.ask(&patch(json!({}))).await.expect(200)["settings"], after["settings"]);
    let shown = harness.ask(&Event::sample("api-get-stream")).await.expect(200);
    assert_eq!((&shown["settings"], &shown["name"]), (&after["settings"], &after["name"]));
}

#[tokio::test]
async fn a_patch_in_one_region_holds_in_the_other() {
    let harness = Harness::seeded().await;
    let other = harness.other_region();
    harness.ask(&Event::sample("api-patch-stream")).await.expect(200);
    let patch = Event::sample("api-patch-stream").body(&json!({ "settings": { "listed": true } }));
    other.ask(&patch).await.expect(200);
    let shown = harness.ask(&Event::sample("api-get-stream")).await.expect(200);
    assert_eq!((&shown["name"], &shown["settings"]["listed"]), (&json!("Evening service"), &json!(true)));
}

#[tokio::test]
async fn a_deleted_stream_is_gone_everywhere() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    let gone = harness.ask(&Event::sample("api-delete-stream")).await;
    assert_eq!((gone.expect(204), gone.body.len()), (Value::Null, 0));

    for name in [
        "api-get-stream",
        "api-patch-stream",
        "api-delete-stream",
        "api-stop-stream",
        "api-move-stream",
        "api-create-key",
        "api-list-keys",
        "api-revoke-key",
        "api-list-broadcasts",
    ] {
        harness.ask(&Event::sample(name)).await.problem(404, "not-found");
        harness.other_region().ask(&Event::sample(name)).await.problem(404, "not-found");
    }
    assert_eq!(harness.ask(&list("")).await.expect(200)["streams"], json!([]));
    harness.view(&Event::sample("playlist-multivariant")).await.problem(404, "not-live");
    let SessionOrder::Stop { reason, .. } = harness.order(&session).await else { panic!("it goes on") };
    assert_eq!(reason, "the stream was deleted");
}

#[tokio::test]
async fn stop_ends_what_is_live_and_says_so_when_nothing_is() {
    let harness = Harness::seeded().await;
    let stop = Event::sample("api-stop-stream");
    harness.ask(&stop).await.problem(409, "not-live");
    let session = harness.allowed(1).await;
    harness.heartbeat_live(&session).await;
    assert_eq!(harness.state().await, Some(State::Live));
    assert_eq!(harness.ask(&Event::sample("api-get-stream")).await.expect(200)["status"], "live");

    assert_eq!(harness.ask(&stop).await.expect(202), json!({ "stopped": true }));
    let shown = harness.ask(&Event::sample("api-get-stream")).await.expect(200);
    assert_eq!((&shown["status"], &shown["broadcast"]["state"]), (&json!("offline"), &json!("ended")));
    assert_eq!(shown["broadcast"]["reason"], "the stream was stopped by its owner");
    harness.ask(&stop).await.problem(409, "not-live");

    let again = harness.allowed(2).await;
    assert_ne!(again.broadcast, session.broadcast, "what comes after a stop is a new broadcast");
}

#[tokio::test]
async fn stop_works_from_the_other_region() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    harness.other_region().ask(&Event::sample("api-stop-stream")).await.expect(202);
    assert!(matches!(harness.order(&session).await, SessionOrder::Stop { .. }));
    assert_eq!(harness.state().await, Some(State::Ended));
}

#[tokio::test]
async fn a_live_stream_tells_how_it_fares() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    let starting = harness.ask(&Event::sample("api-get-stream")).await.expect(200);
    assert_eq!(starting["status"], "starting");
    let health = headwater_domain::heartbeat::Health {
        decode_errors: 7,
        mirror_lag: 2,
        fast_preset: true,
        renditions_dropped: 1,
        problem: Some("the peer's bucket answers slowly".into()),
        ..crate::support::flowing(&session)
    };
    let lease = harness.lease().await;
    harness.heartbeat(&session, &lease, "process", health).await;
    let shown = harness.ask(&Event::sample("api-get-stream")).await.expect(200);
    let broadcast = &shown["broadcast"];
    assert_eq!(broadcast["id"], json!(samples::broadcast()));
    assert_eq!(broadcast["lease"], lease.to_string());
    assert_eq!(broadcast["region"], "us-east-1");
    assert_eq!((&broadcast["decode_errors"], &broadcast["mirror_lag"]), (&json!(7), &json!(2)));
    assert_eq!(broadcast["problem"], "the peer's bucket answers slowly");
    assert_eq!(broadcast["ended_at"], Value::Null);
    later(61 + 60);
    assert_ne!(
        harness.ask(&Event::sample("api-get-stream")).await.expect(200)["status"],
        "live",
        "silence is not live"
    );
}

#[tokio::test]
async fn health_names_the_region() {
    let harness = Harness::empty();
    let health = harness.other_region().ask(&Event::sample("api-health")).await.expect(200);
    assert_eq!(health, json!({ "status": "ok", "region": "eu-west-1" }));
}
