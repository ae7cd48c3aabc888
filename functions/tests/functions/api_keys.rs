//! Stream keys over the REST API.

use headwater_domain::control::State;
use headwater_domain::hooks::{DenyKind, PublishAnswer, SessionOrder};
use headwater_domain::testing::samples;
use serde_json::{Value, json};

use crate::support::{Event, Harness, later, publish_answer};

fn create(body: &Value) -> Event {
    Event::sample("api-create-key").body(body)
}

fn with_key(harness: &Harness, session: u128, key: &Value) -> Event {
    harness.publish_event(session).edit(|body| body["key"] = key.clone())
}

#[tokio::test]
async fn a_key_has_a_label_and_an_expiry_and_shows_its_value_once() {
    let harness = Harness::seeded().await;
    let made = harness.ask(&Event::sample("api-create-key")).await.expect(201);
    assert_eq!(
        (&made["label"], &made["expires_at"]),
        (&json!("spare encoder"), &json!("2030-01-31T12:00:00Z"))
    );
    assert_eq!(made["created_at"], "2023-11-14T22:13:20Z");
    let value = made["value"].as_str().unwrap();
    assert!(value.starts_with("000000000001-"));

    let listed = harness.ask(&Event::sample("api-list-keys")).await.expect(200);
    let mut shown = made.clone();
    shown.as_object_mut().unwrap().remove("value");
    assert_eq!(listed["keys"].as_array().unwrap().len(), 2, "the stream's first key and this one");
    assert_eq!(listed["keys"][1], shown);
    assert!(!listed.to_string().contains("hash"));

    let plain = harness.ask(&Event::sample("api-create-key").text("")).await.expect(201);
    assert_eq!((&plain["label"], &plain["expires_at"]), (&Value::Null, &Value::Null));
    assert_ne!(plain["value"], made["value"]);
}

#[tokio::test]
async fn a_key_opens_its_stream_until_it_expires() {
    let harness = Harness::seeded().await;
    let made = harness.ask(&create(&json!({ "expires_at": "2023-11-14T22:14:00+00:00" }))).await.expect(201);
    let answer = publish_answer(&harness.hook(&with_key(&harness, 1, &made["value"])).await);
    let PublishAnswer::Allow { stream, broadcast, order } = answer else { panic!("{answer:?}") };
    let session = headwater_domain::hooks::SessionRef {
        session: headwater_domain::SessionId::from_random(1),
        stream,
        broadcast,
        order,
    };
    assert_eq!(harness.order(&session).await, SessionOrder::Continue);
    later(40);
    let SessionOrder::Stop { reason, .. } = harness.order(&session).await else { panic!("it goes on") };
    assert!(reason.contains("expired"), "{reason}");
    let answer = publish_answer(&harness.hook(&with_key(&harness, 2, &made["value"])).await);
    assert!(matches!(answer, PublishAnswer::Deny { kind: DenyKind::ExpiredKey, .. }));
}

#[tokio::test]
async fn a_revoked_key_ends_its_session_and_is_gone() {
    let harness = Harness::seeded().await;
    let spare = harness.ask(&create(&json!({}))).await.expect(201);
    let session = harness.allowed(1).await;
    let gone = harness.ask(&Event::sample("api-revoke-key")).await;
    assert_eq!((gone.expect(204), gone.body.len()), (Value::Null, 0));
    let SessionOrder::Stop { reason, .. } = harness.order(&session).await else { panic!("it goes on") };
    assert_eq!(reason, "the stream key was revoked");
    assert_eq!(harness.state().await, Some(State::Reconnecting), "another key may go on with the broadcast");
    let left = harness.ask(&Event::sample("api-list-keys")).await.expect(200);
    assert_eq!((left["keys"].as_array().unwrap().len(), &left["keys"][0]["id"]), (1, &spare["id"]));
    let PublishAnswer::Deny { kind, .. } = harness.publish(2).await else { panic!("allowed") };
    assert_eq!(kind, DenyKind::RevokedKey);

    harness.ask(&Event::sample("api-revoke-key")).await.expect(204);
    harness.other_region().ask(&Event::sample("api-revoke-key")).await.expect(204);
}

#[tokio::test]
async fn revoking_the_last_key_ends_the_broadcast_that_nobody_could_resume() {
    let harness = Harness::seeded().await;
    harness.allowed(1).await;
    harness.ask(&Event::sample("api-revoke-key")).await.expect(204);
    assert_eq!(harness.state().await, Some(State::Ended));
}

#[tokio::test]
async fn revoking_one_key_leaves_the_session_of_another_alone() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    let other = harness.ask(&Event::sample("api-create-key")).await.expect(201);
    let path = format!("/v1/streams/000000000001/keys/{}", other["id"].as_str().unwrap());
    harness.ask(&Event::sample("api-revoke-key").path(&path)).await.expect(204);
    assert_eq!(harness.order(&session).await, SessionOrder::Continue);
}

#[tokio::test]
async fn a_revocation_in_one_region_holds_in_the_other() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    let other = harness.other_region();
    other.ask(&Event::sample("api-revoke-key")).await.expect(204);
    assert!(matches!(harness.order(&session).await, SessionOrder::Stop { .. }));
    let answer = harness.publish(2).await;
    assert!(matches!(answer, PublishAnswer::Deny { kind: DenyKind::RevokedKey, .. }), "{answer:?}");
}

#[tokio::test]
async fn what_is_no_key_of_the_stream_is_not_found() {
    let harness = Harness::seeded().await;
    for key in ["00000003", "0000000i", "", "..", "%2e%2e", "00000002%00", "000000000001-00000002"] {
        let path = format!("/v1/streams/000000000001/keys/{key}");
        harness.ask(&Event::sample("api-revoke-key").path(&path)).await.expect(if key.is_empty() {
            405
        } else {
            404
        });
    }
}

#[tokio::test]
async fn bad_labels_and_expiries_are_named() {
    let harness = Harness::seeded().await;
    for (body, slug) in [
        (json!({ "label": "x".repeat(101) }), "invalid-value"),
        (json!({ "label": "a\nb" }), "invalid-value"),
        (json!({ "expires_at": "2020-01-01T00:00:00Z" }), "invalid-value"),
        (json!({ "expires_at": "tomorrow" }), "invalid-value"),
        (json!({ "expires_at": "2030-01-31" }), "invalid-value"),
        (json!({ "expires_at": 1_900_000_000 }), "wrong-type"),
        (json!({ "labels": "x" }), "unknown-field"),
    ] {
        harness.ask(&create(&body)).await.problem(422, slug);
    }
    assert_eq!(
        harness.ask(&Event::sample("api-list-keys")).await.expect(200)["keys"].as_array().unwrap().len(),
        1
    );
}

#[tokio::test]
async fn a_stream_has_at_most_fifty_keys_that_open_it() {
    let harness = Harness::seeded().await;
    let numbered = |number: u32| create(&json!({})).header("idempotency-key", &format!("key {number}"));
    for number in 1..50 {
        harness.ask(&numbered(number)).await.expect(201);
    }
    harness.ask(&numbered(50)).await.problem(409, "too-many-keys");
    harness.ask(&numbered(49)).await.expect(201); // made before: the repetition gets it still
    harness.ask(&Event::sample("api-revoke-key")).await.expect(204);
    harness.ask(&numbered(50)).await.expect(201);
}

#[tokio::test]
async fn expired_keys_leave_room_for_others_until_they_are_very_many() {
    let harness = Harness::seeded().await;
    let soon = |number: u32| {
        let body = json!({ "expires_at": "2023-11-14T22:14:00Z", "label": format!("event {number}") });
        create(&body).header("idempotency-key", &format!("key {number}"))
    };
    for number in 1..50 {
        harness.ask(&soon(number)).await.expect(201);
    }
    harness.ask(&soon(99)).await.problem(409, "too-many-keys");
    later(60);
    let lasting = |number: u32| create(&json!({})).header("idempotency-key", &format!("key {number}"));
    harness.ask(&lasting(50)).await.expect(201);
    let listed = harness.ask(&Event::sample("api-list-keys")).await.expect(200);
    assert_eq!(listed["keys"].as_array().unwrap().len(), 51, "expired ones are shown until they are revoked");
    for number in 100..549 {
        harness.add_key(number, number, Some(crate::support::now())).await;
    }
    harness.ask(&lasting(51)).await.problem(409, "too-many-keys");
}

#[tokio::test]
async fn pages_of_keys_show_each_once_whatever_is_revoked_meanwhile() {
    let harness = Harness::seeded().await;
    for number in 10..40 {
        harness.add_key(number, number, Some(crate::support::now())).await;
    }
    let list =
        async |query: String| harness.ask(&Event::sample("api-list-keys").query(&query)).await.expect(200);
    let all = list(String::new()).await;
    let ids = |page: &serde_json::Value| -> Vec<String> {
        page["keys"].as_array().unwrap().iter().map(|key| key["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((ids(&all).len(), &all["next"]), (31, &json!(null)));
    let (mut seen, mut query) = (Vec::new(), "limit=7".to_owned());
    loop {
        let page = list(query).await;
        seen.extend(ids(&page));
        // The last one that was shown goes, and so does the place that the cursor names.
        let last = seen.last().unwrap().clone();
        let path = format!("/v1/streams/{}/keys/{last}", samples::stream_id());
        harness.ask(&Event::sample("api-revoke-key").path(&path)).await.expect(204);
        let Some(next) = page["next"].as_str() else { break };
        query = format!("limit=7&cursor={next}");
    }
    assert_eq!(seen, ids(&all));
    for bad in ["cursor=x", "cursor=1-x", "cursor=01-00000002", "limit=0", "limit=101"] {
        let slug = if bad.starts_with('c') { "bad-cursor" } else { "bad-limit" };
        harness.ask(&Event::sample("api-list-keys").query(bad)).await.problem(400, slug);
    }
}
