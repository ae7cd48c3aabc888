//! A repeated POST with an `Idempotency-Key` is the same request.

use serde_json::json;

use crate::support::{Event, World, later};

fn create(key: &str) -> Event {
    Event::sample("api-create-stream").header("idempotency-key", key)
}

#[tokio::test]
async fn the_same_key_and_body_get_the_same_stream_and_stream_key() {
    let world = World::empty();
    let first = world.ask(&Event::sample("api-create-stream")).await.expect(201);
    later(30);
    assert_eq!(world.ask(&Event::sample("api-create-stream")).await.expect(201), first);
    assert_eq!(
        world.other_region().ask(&Event::sample("api-create-stream")).await.expect(201)["stream_key"],
        first["stream_key"]
    );
    let listed = world.ask(&Event::sample("api-list-streams")).await.expect(200);
    assert_eq!(listed["streams"].as_array().unwrap().len(), 1);
    let other = world.ask(&create("another")).await.expect(201);
    assert_ne!((&other["id"], &other["stream_key"]), (&first["id"], &first["stream_key"]));
    let path = format!("/v1/streams/{}/keys", first["id"].as_str().unwrap());
    let keys = world.ask(&Event::sample("api-list-keys").path(&path)).await.expect(200);
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn without_a_key_every_request_makes_a_stream() {
    let world = World::empty();
    let plain = Event::sample("api-create-stream").without_header("idempotency-key");
    let (one, two) = (world.ask(&plain).await.expect(201), world.ask(&plain).await.expect(201));
    assert_ne!(one["id"], two["id"]);
    assert_ne!(one["stream_key"]["value"], two["stream_key"]["value"]);
}

#[tokio::test]
async fn a_key_with_another_body_is_a_mistake() {
    let world = World::empty();
    world.ask(&create("k")).await.expect(201);
    let other = create("k").body(&json!({ "name": "Monday" }));
    world.ask(&other).await.problem(422, "idempotency-key-reused");
    let listed = world.ask(&Event::sample("api-list-streams")).await.expect(200);
    assert_eq!(listed["streams"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn keys_of_streams_and_stream_keys_do_not_meet() {
    let world = World::seeded().await;
    let key = |path: &str| Event::sample("api-create-key").path(path).header("idempotency-key", "k");
    let here = world.ask(&key("/v1/streams/000000000001/keys")).await.expect(201);
    assert_eq!(world.ask(&key("/v1/streams/000000000001/keys")).await.expect(201), here);
    let made = world.ask(&create("k")).await.expect(201);
    let path = format!("/v1/streams/{}/keys", made["id"].as_str().unwrap());
    let there = world.ask(&key(&path)).await.expect(201);
    assert_ne!(there["value"], here["value"]);
}

#[tokio::test]
async fn a_day_later_the_key_is_new() {
    let world = World::empty();
    let first = world.ask(&create("k")).await.expect(201);
    later(24 * 3600 + 1);
    assert_ne!(world.ask(&create("k")).await.expect(201)["id"], first["id"]);
}

#[tokio::test]
async fn what_is_no_idempotency_key_is_refused() {
    let world = World::empty();
    for key in ["", &"x".repeat(256), "schlüssel", "🔑"] {
        world.ask(&create(key)).await.problem(400, "bad-idempotency-key");
    }
    world.ask(&create(&"x".repeat(255))).await.expect(201);
}

#[tokio::test]
async fn a_repetition_shows_what_the_stream_has_become() {
    let world = World::empty();
    let first = world.ask(&create("k")).await.expect(201);
    let path = format!("/v1/streams/{}", first["id"].as_str().unwrap());
    world.ask(&Event::sample("api-patch-stream").path(&path)).await.expect(200);
    let again = world.ask(&create("k")).await.expect(201);
    assert_eq!((&again["name"], &again["stream_key"]), (&json!("Evening service"), &first["stream_key"]));
}

#[tokio::test]
async fn a_repetition_does_not_bring_a_deleted_stream_back() {
    let world = World::empty();
    let first = world.ask(&create("k")).await.expect(201);
    let path = format!("/v1/streams/{}", first["id"].as_str().unwrap());
    world.ask(&Event::sample("api-delete-stream").path(&path)).await.expect(204);
    world.ask(&create("k")).await.problem(404, "not-found");
    // Not in the listing either, where it would take up places of pages.
    use headwater_domain::ports::ReadStreams;
    assert!(world.table.streams(None, 10).await.unwrap().items.is_empty());
}
