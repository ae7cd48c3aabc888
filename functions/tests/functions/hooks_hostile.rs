//! The hooks against what no gateway sends: refused, and never with a word of the body, which may hold a stream key.

use headwater_domain::SessionId;
use headwater_domain::hooks::MAX_SESSIONS_PER_HEARTBEAT;
use headwater_domain::testing::samples;
use serde_json::{Value, json};

use crate::support::{Event, Harness, Logs};

const SECRET: &str = "000000000001-00000002-00000000000000000000000003";

#[tokio::test]
async fn garbage_is_refused_without_quoting_it() {
    let harness = Harness::seeded().await;
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
            let answer = harness.hook(&Event::sample(name).text(body)).await;
            answer.problem(400, "invalid-request");
            assert!(!answer.text().contains("00000002"), "{}", answer.text());
        }
        let large = Event::sample(name).text(&format!("\"{SECRET}{}\"", " ".repeat(256 * 1024)));
        let answer = harness.hook(&large).await;
        answer.problem(413, "too-large");
        assert!(!answer.text().contains("00000002"), "{}", answer.text());
    }
    assert!(!logs.text().contains("00000002-0000"), "{}", logs.text());
    assert!(harness.cluster.started().is_empty());
}

#[tokio::test]
async fn bad_ids_in_heartbeats_are_refused() {
    let harness = Harness::seeded().await;
    for (field, value) in [
        ("lease", json!("1.us-east-1")),
        ("lease", json!("x.us-east-1.00000002")),
        ("lease", json!("4294967296.us-east-1.00000002")),
        ("stream", json!("../../etc")),
        ("broadcast", json!("000000000001")),
        ("fencing_token", json!(7)),
        ("health", json!({})),
        ("health", json!({ "activity": "sleeping" })),
        ("from", json!("nobody")),
    ] {
        let event = Event::sample("hooks-heartbeat-transcoder").edit(|body| body[field] = value.clone());
        harness.hook(&event).await.problem(400, "invalid-request");
    }
}

#[tokio::test]
async fn one_heartbeat_names_a_bounded_number_of_sessions() {
    let harness = Harness::seeded().await;
    let heartbeat = |count: usize| {
        let one = |number: usize| {
            json!({
                "session": SessionId::from_random(number as u128), "stream": samples::stream_id(),
                "broadcast": samples::broadcast(), "order": 1,
            })
        };
        let sessions: Vec<_> = (0..count).map(one).collect();
        Event::sample("hooks-heartbeat-gateway").edit(|body| body["sessions"] = json!(sessions))
    };
    let answer = harness.hook(&heartbeat(MAX_SESSIONS_PER_HEARTBEAT)).await.expect(200);
    assert_eq!(answer["sessions"].as_object().unwrap().len(), MAX_SESSIONS_PER_HEARTBEAT);
    harness.hook(&heartbeat(MAX_SESSIONS_PER_HEARTBEAT + 1)).await.problem(413, "too-large");
}

#[tokio::test]
async fn only_posts_to_known_hooks_are_answered() {
    let harness = Harness::seeded().await;
    for method in ["GET", "PUT", "DELETE"] {
        let answer = harness.hook(&Event::sample("hooks-publish").method(method)).await;
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
        harness.hook(&Event::sample("hooks-publish").path(path)).await.problem(404, "not-found");
    }
}
