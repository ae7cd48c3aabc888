//! A repeated POST with an `Idempotency-Key` is the same request.

use headwater_domain::ports::{ReadKeys, ReadStreams, WriteKeys, WriteStreams};
use serde_json::json;

use crate::support::{Event, Harness, later};

fn create(key: &str) -> Event {
    Event::sample("api-create-stream").header("idempotency-key", key)
}

#[tokio::test]
async fn the_same_key_and_body_get_the_same_stream_and_stream_key() {
    let harness = Harness::empty();
    let first = harness.ask(&Event::sample("api-create-stream")).await.expect(201);
    later(30);
    assert_eq!(harness.ask(&Event::sample("api-create-stream")).await.expect(201), first);
    assert_eq!(
        harness.other_region().ask(&Event::sample("api-create-stream")).await.expect(201)["stream_key"],
        first["stream_key"]
    );
    let listed = harness.ask(&Event::sample("api-list-streams")).await.expect(200);
    assert_eq!(listed["streams"].as_array().unwrap().len(), 1);
    let other = harness.ask(&create("another")).await.expect(201);
    assert_ne!((&other["id"], &other["stream_key"]), (&first["id"], &first["stream_key"]));
    let path = format!("/v1/streams/{}/keys", first["id"].as_str().unwrap());
    let keys = harness.ask(&Event::sample("api-list-keys").path(&path)).await.expect(200);
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1);
}

/// Both regions before either has heard of the other.
fn apart() -> (Harness, Harness) {
    let here = Harness::empty();
    let mut there = here.other_region();
    there.table = Default::default();
    (here, there)
}

/// What `from` holds of a stream arrives in `to`.
async fn replicate(from: &Harness, to: &Harness, stream: &str) {
    let id = stream.parse().unwrap();
    let document = from.table.stream(&id).await.unwrap().unwrap();
    to.table.put_stream(&document).await.unwrap();
    to.table.list_stream(&document).await.unwrap();
    for key in from.table.key_ring(&id).await.unwrap().keys {
        to.table.add_key(&key).await.unwrap();
    }
}

#[tokio::test]
async fn regions_that_do_not_know_of_each_other_make_the_same_stream_and_the_same_key() {
    let (here, there) = apart();
    let first = here.ask(&create("k")).await.expect(201);
    later(3);
    let second = there.ask(&create("k")).await.expect(201);
    assert_eq!(
        (&second["id"], &second["stream_key"]["value"]),
        (&first["id"], &first["stream_key"]["value"])
    );

    let id = first["id"].as_str().unwrap();
    replicate(&here, &there, id).await;
    replicate(&there, &here, id).await;
    for harness in [&here, &there] {
        let again = harness.ask(&create("k")).await.expect(201);
        assert_eq!(
            (&again["id"], &again["stream_key"]["value"]),
            (&first["id"], &first["stream_key"]["value"])
        );
        let listed = harness.ask(&Event::sample("api-list-streams")).await.expect(200);
        assert_eq!(listed["streams"].as_array().unwrap().len(), 1, "{listed}");
        let keys = Event::sample("api-list-keys").path(&format!("/v1/streams/{id}/keys"));
        assert_eq!(harness.ask(&keys).await.expect(200)["keys"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn regions_that_do_not_know_of_each_other_make_the_same_further_key() {
    let (here, there) = apart();
    let stream = here.ask(&create("stream")).await.expect(201);
    let id = stream["id"].as_str().unwrap();
    replicate(&here, &there, id).await;
    let add = Event::sample("api-create-key").path(&format!("/v1/streams/{id}/keys"));
    let add = add.header("idempotency-key", "k");
    let first = here.ask(&add).await.expect(201);
    later(3);
    let second = there.ask(&add).await.expect(201);
    assert_eq!((&second["id"], &second["value"]), (&first["id"], &first["value"]));
    replicate(&here, &there, id).await;
    assert_eq!(there.ask(&add).await.expect(201)["value"], first["value"]);
}

#[tokio::test]
async fn another_body_is_a_mistake_as_soon_as_the_regions_know_of_each_other() {
    let (here, there) = apart();
    let other = create("k").body(&json!({ "name": "Monday" }));
    let first = here.ask(&create("k")).await.expect(201);
    later(1);
    let second = there.ask(&other).await.expect(201);
    assert_ne!(second["id"], first["id"], "nobody gets half of what he asked for");
    // One table: what each region remembers is there for both.
    let both = here.other_region();
    later(1);
    both.ask(&other).await.problem(422, "idempotency-key-reused");
    assert_eq!(both.ask(&create("k")).await.expect(201)["id"], first["id"]);
}

#[tokio::test]
async fn without_a_key_every_request_makes_a_stream() {
    let harness = Harness::empty();
    let plain = Event::sample("api-create-stream").without_header("idempotency-key");
    let (one, two) = (harness.ask(&plain).await.expect(201), harness.ask(&plain).await.expect(201));
    assert_ne!(one["id"], two["id"]);
    assert_ne!(one["stream_key"]["value"], two["stream_key"]["value"]);
}

#[tokio::test]
async fn a_key_with_another_body_is_a_mistake() {
    let harness = Harness::empty();
    harness.ask(&create("k")).await.expect(201);
    let other = create("k").body(&json!({ "name": "Monday" }));
    harness.ask(&other).await.problem(422, "idempotency-key-reused");
    let listed = harness.ask(&Event::sample("api-list-streams")).await.expect(200);
    assert_eq!(listed["streams"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn keys_of_streams_and_stream_keys_do_not_meet() {
    let harness = Harness::seeded().await;
    let key = |path: &str| Event::sample("api-create-key").path(path).header("idempotency-key", "k");
    let here = harness.ask(&key("/v1/streams/000000000001/keys")).await.expect(201);
    assert_eq!(harness.ask(&key("/v1/streams/000000000001/keys")).await.expect(201), here);
    let made = harness.ask(&create("k")).await.expect(201);
    let path = format!("/v1/streams/{}/keys", made["id"].as_str().unwrap());
    let there = harness.ask(&key(&path)).await.expect(201);
    assert_ne!(there["value"], here["value"]);
}

#[tokio::test]
async fn a_day_later_the_key_is_new() {
    let harness = Harness::empty();
    let first = harness.ask(&create("k")).await.expect(201);
    later(24 * 3600 + 1);
    let second = harness.ask(&create("k")).await.expect(201);
    assert_ne!(second["id"], first["id"]);
    later(60);
    assert_eq!(harness.ask(&create("k")).await.expect(201), second, "and holds for a day again");
    later(24 * 3600 + 1);
    let third = harness.ask(&create("k")).await.expect(201);
    assert!(third["id"] != second["id"] && third["id"] != first["id"]);
}

#[tokio::test]
async fn a_day_later_the_key_of_a_deleted_stream_is_new_too() {
    let harness = Harness::empty();
    let first = harness.ask(&create("k")).await.expect(201);
    let path = format!("/v1/streams/{}", first["id"].as_str().unwrap());
    harness.ask(&Event::sample("api-delete-stream").path(&path)).await.expect(204);
    later(24 * 3600 + 1);
    harness.ask(&create("k")).await.expect(201);
}

#[tokio::test]
async fn what_is_no_idempotency_key_is_refused() {
    let harness = Harness::empty();
    for key in ["", &"x".repeat(256), "schlüssel", "🔑"] {
        harness.ask(&create(key)).await.problem(400, "bad-idempotency-key");
    }
    harness.ask(&create(&"x".repeat(255))).await.expect(201);
}

#[tokio::test]
async fn a_repetition_shows_what_the_stream_has_become() {
    let harness = Harness::empty();
    let first = harness.ask(&create("k")).await.expect(201);
    let path = format!("/v1/streams/{}", first["id"].as_str().unwrap());
    harness.ask(&Event::sample("api-patch-stream").path(&path)).await.expect(200);
    let again = harness.ask(&create("k")).await.expect(201);
    assert_eq!((&again["name"], &again["stream_key"]), (&json!("Evening service"), &first["stream_key"]));
}

#[tokio::test]
async fn a_repetition_does_not_bring_a_deleted_stream_back() {
    let harness = Harness::empty();
    let first = harness.ask(&create("k")).await.expect(201);
    let path = format!("/v1/streams/{}", first["id"].as_str().unwrap());
    harness.ask(&Event::sample("api-delete-stream").path(&path)).await.expect(204);
    harness.ask(&create("k")).await.problem(404, "not-found");
    // Not in the listing either, where it would take up places of pages.
    assert!(harness.table.streams(None, 10).await.unwrap().items.is_empty());
}
