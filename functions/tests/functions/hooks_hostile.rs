//! The hooks against what no gateway sends: refused, and never with a word of the body, which may hold a stream key.

use headwater_domain::SessionId;
use headwater_domain::hooks::MAX_SESSIONS_PER_BEAT;
use headwater_domain::testing::samples;
use serde_json::{Value, json};

use crate::support::{Event, Logs, World};

const SECRET: &str = "000000000001-00000002-00000000000000000000000003";

#[tokio::test]
async fn garbage_is_refused_without_quoting_it() {
    let world = World::seeded().await;
    let logs = Logs::capture();
    let publish: Value = {
        let event = crate::support::sample("hooks-publish");
        serde_json::from_str(event["body"].as_str().unwrap()).unwrap()
    };
    let with = |change: fn(&mut Value)| {
        let mut body = publish.clone();
        change(&mut body);
        body.to_string()
    };
    let bodies = [
        String::new(),
        "{}".into(),
        "null".into(),
        format!("\"{SECRET}\""),
        SECRET.into(),
        format!("{{\"key\":\"{SECRET}\""),
        format!("{{\"{SECRET}\":1}}"),
        "[".repeat(5_000),
        with(|body| body["session"] = json!("000000000001-00000002-00000000000000000000000003")),
        with(|body| body["gateway"]["region"] = json!("000000000001-00000002-00000000000000000000000003")),
        with(|body| body["gateway"] = json!("000000000001-00000002-00000000000000000000000003")),
        with(|body| body["key"] = json!({ "000000000001-00000002-00000000000000000000000003": 1 })),
        with(|body| body["key"] = Value::Null),
        with(|body| body["query"] = json!("000000000001-00000002-00000000000000000000000003")),
    ];
    for name in ["hooks-publish", "hooks-unpublish", "hooks-heartbeat-gateway", "hooks-heartbeat-transcoder"]
    {
        for body in &bodies {
            let answer = world.hook(&Event::sample(name).text(body)).await;
            answer.problem(400, "invalid-request");
            assert!(!answer.text().contains("00000002"), "{}", answer.text());
        }
        let large = Event::sample(name).text(&format!("\"{SECRET}{}\"", " ".repeat(256 * 1024)));
        let answer = world.hook(&large).await;
        answer.problem(413, "too-large");
        assert!(!answer.text().contains("00000002"), "{}", answer.text());
    }
    assert!(!logs.text().contains("00000002-0000"), "{}", logs.text());
    assert!(world.cluster.started().is_empty());
}

#[tokio::test]
async fn bad_ids_in_heartbeats_are_refused() {
    let world = World::seeded().await;
    for (field, value) in [
        ("lease", json!("1.us-east-1")),
        ("lease", json!("x.us-east-1.00000002")),
        ("lease", json!("4294967296.us-east-1.00000002")),
        ("stream", json!("../../etc")),
        ("broadcast", json!("000000000001")),
        ("boot", json!(7)),
        ("health", json!({})),
        ("health", json!({ "activity": "sleeping" })),
        ("from", json!("nobody")),
    ] {
        let event = Event::sample("hooks-heartbeat-transcoder").edit(|body| body[field] = value.clone());
        world.hook(&event).await.problem(400, "invalid-request");
    }
}

#[tokio::test]
async fn one_heartbeat_names_a_bounded_number_of_sessions() {
    let world = World::seeded().await;
    let beat = |count: usize| {
        let one = |number: usize| {
            json!({
                "session": SessionId::from_random(number as u128), "stream": samples::stream_id(),
                "broadcast": samples::broadcast(), "order": 1,
            })
        };
        let sessions: Vec<_> = (0..count).map(one).collect();
        Event::sample("hooks-heartbeat-gateway").edit(|body| body["sessions"] = json!(sessions))
    };
    let answer = world.hook(&beat(MAX_SESSIONS_PER_BEAT)).await.expect(200);
    assert_eq!(answer["sessions"].as_object().unwrap().len(), MAX_SESSIONS_PER_BEAT);
    world.hook(&beat(MAX_SESSIONS_PER_BEAT + 1)).await.problem(413, "too-large");
}

#[tokio::test]
async fn only_posts_to_known_hooks_are_answered() {
    let world = World::seeded().await;
    for method in ["GET", "PUT", "DELETE"] {
        let answer = world.hook(&Event::sample("hooks-publish").method(method)).await;
        answer.problem(405, "method-not-allowed");
        assert_eq!(answer.header("allow"), "POST");
    }
    for path in [
        "/hooks",
        "/hooks/",
        "/hooks/publish/",
        "/hooks/Publish",
        "/publish",
        "/hooks/publish%2f",
        "/v1/streams",
    ] {
        world.hook(&Event::sample("hooks-publish").path(path)).await.problem(404, "not-found");
    }
}
