//! What the REST API says to mistakes and to hostile input.

use base64::Engine as _;
use headwater_domain::ports::FaultKind;
use serde_json::{Value, json};

use crate::support::{Answer, Event, Harness, Shim};

const ID: &str = "000000000001";

fn create(body: &str) -> Event {
    Event::sample("api-create-stream").without_header("idempotency-key").text(body)
}

#[tokio::test]
async fn every_mistake_in_a_body_has_its_own_type() {
    let harness = Harness::seeded().await;
    let rung = |height: u32, kbps: u32| json!({ "height": height, "kbps": kbps });
    let settings = |settings: Value| json!({ "name": "x", "settings": settings }).to_string();
    for (body, status, slug) in [
        ("", 422, "missing-field"),
        ("{}", 422, "missing-field"),
        ("{", 400, "invalid-json"),
        ("name=x", 400, "invalid-json"),
        ("{\"name\":\"x\"} trailing", 400, "invalid-json"),
        (&format!("{{\"name\":{}", "[".repeat(2_000)), 422, "wrong-type"),
        ("null", 422, "wrong-type"),
        ("[]", 422, "wrong-type"),
        ("[\"x\"]", 422, "wrong-type"),
        (&settings(json!([])), 422, "wrong-type"),
        (&settings(json!(null)), 422, "wrong-type"),
        (&settings(json!({ "ladder": [[480, 900]] })), 422, "wrong-type"),
        ("{\"name\":7}", 422, "wrong-type"),
        ("{\"name\":\"x\",\"colour\":\"red\"}", 422, "unknown-field"),
        ("{\"name\":\"\"}", 422, "invalid-value"),
        ("{\"name\":\"a\\u0000b\"}", 422, "invalid-value"),
        (&json!({ "name": "x".repeat(101) }).to_string(), 422, "invalid-value"),
        (&settings(json!({ "colour": 1 })), 422, "unknown-field"),
        (&settings(json!({ "listed": "yes" })), 422, "wrong-type"),
        (&settings(json!({ "dvr_window_seconds": -1 })), 422, "wrong-type"),
        (&settings(json!({ "dvr_window_seconds": 1 })), 422, "invalid-value"),
        (&settings(json!({ "reconnect_window_seconds": 901 })), 422, "invalid-value"),
        (&settings(json!({ "publish_policy": "first" })), 422, "wrong-type"),
        (&settings(json!({ "publish_policy": 1 })), 422, "wrong-type"),
        (&settings(json!({ "publish_policy": { "reject": null } })), 422, "wrong-type"),
        (&settings(json!({ "ladder": [] })), 422, "invalid-value"),
        (&settings(json!({ "ladder": [rung(480, 1), rung(360, 800)] })), 422, "invalid-value"),
        (&settings(json!({ "ladder": [rung(360, 800), rung(480, 900)] })), 422, "invalid-value"),
        (&settings(json!({ "ladder": [{ "height": 480, "kbps": 900, "fps": 1 }] })), 422, "unknown-field"),
    ] {
        let short = &body[..body.len().min(60)];
        let answer = harness.ask(&create(body)).await;
        assert_eq!(answer.status.as_u16(), status, "{short}: {}", answer.text());
        answer.problem(status, slug);
    }
    let page = harness.ask(&Event::sample("api-list-streams")).await.expect(200);
    assert_eq!(page["streams"].as_array().unwrap().len(), 1, "none of them made a stream");
}

#[tokio::test]
async fn a_byte_order_mark_is_passed_over_or_named() {
    let harness = Harness::seeded().await;
    let made = harness.ask(&create("\u{feff}{\"name\":\"from PowerShell\"}")).await.expect(201);
    assert_eq!(made["name"], "from PowerShell");
    for only in ["\u{feff}", "\u{feff}\u{feff}{\"name\":\"x\"}"] {
        harness.ask(&create(only)).await.problem(400, "invalid-json");
    }
    let mark_and_text = |mark: [u8; 2], bytes: fn(u16) -> [u8; 2]| {
        let text = "{\"name\":\"x\"}".encode_utf16().flat_map(bytes);
        base64::engine::general_purpose::STANDARD.encode(mark.into_iter().chain(text).collect::<Vec<u8>>())
    };
    for utf_16 in
        [mark_and_text([0xff, 0xfe], u16::to_le_bytes), mark_and_text([0xfe, 0xff], u16::to_be_bytes)]
    {
        let event = Event::sample("api-create-stream").without_header("idempotency-key").binary(&utf_16);
        let problem = harness.ask(&event).await.problem(400, "invalid-json");
        assert!(problem["detail"].as_str().unwrap().contains("byte order mark of UTF-16"), "{problem}");
    }
}

#[tokio::test]
async fn a_bad_value_names_its_field() {
    let harness = Harness::seeded().await;
    let patch = json!({ "settings": { "dvr_window_seconds": 1 } });
    let problem =
        harness.ask(&Event::sample("api-patch-stream").body(&patch)).await.problem(422, "invalid-value");
    assert_eq!(problem["field"], "settings.dvr_window_seconds");
    for body in
        [json!({ "name": null }), json!({ "settings": null }), json!({ "settings": { "listed": null } })]
    {
        harness.ask(&Event::sample("api-patch-stream").body(&body)).await.problem(422, "wrong-type");
    }
    let problem = harness.ask(&Event::sample("api-create-key").body(&json!({ "label": "\n" }))).await;
    assert_eq!(problem.problem(422, "invalid-value")["field"], "label");
    for body in [json!({ "id": "x" }), json!({ "settings": { "id": 1 } })] {
        harness.ask(&Event::sample("api-patch-stream").body(&body)).await.problem(422, "unknown-field");
    }
}

#[tokio::test]
async fn bodies_have_a_size_and_a_type() {
    let harness = Harness::seeded().await;
    let padded = |length: usize| format!("{{\"name\":\"x\"{}}}", " ".repeat(length - 12));
    harness.ask(&create(&padded(16 * 1024))).await.expect(201);
    harness.ask(&create(&padded(16 * 1024 + 1))).await.problem(413, "too-large");
    let body = "{\"name\":\"x\"}";
    for kind in
        ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonp", "multipart/form-data"]
    {
        harness.ask(&create(body).header("content-type", kind)).await.problem(415, "not-json");
    }
    harness.ask(&create(body).without_header("content-type")).await.problem(415, "not-json");
    for kind in ["application/json; charset=utf-8", "Application/JSON", "application/merge-patch+json"] {
        harness.ask(&create(body).header("content-type", kind)).await.expect(201);
    }
}

#[tokio::test]
async fn a_cursor_is_taken_as_it_was_given_or_not_at_all() {
    let harness = Harness::seeded().await;
    let long = format!("1-{}", "0".repeat(5_000));
    for cursor in [
        "x",
        "1",
        "-",
        "1-",
        "-000000000001",
        "1-00000000000i",
        "1-000000000001-1",
        "10000000000000000000-000000000001",
        "99999999999999999999-000000000001",
        "01-000000000001",
        "%2B1-000000000001",
        "-1-000000000001",
        "1.5-000000000001",
        "%00",
        "1-000000000001%0a",
        "..%2f..",
        "%F0%9F%94%91",
        "1%2C000000000001",
        "%7B%22PK%22%3A1%7D",
        "STREAM%23x",
        &long,
    ] {
        let event = Event::sample("api-list-streams").query(&format!("limit=2&cursor={cursor}"));
        harness.ask(&event).await.problem(400, "bad-cursor");
    }
    for cursor in ["x", "000000000001-1hf7yat000001", "000000000001", "1hf7yat00000i"] {
        let event = Event::sample("api-list-broadcasts").query(&format!("cursor={cursor}"));
        harness.ask(&event).await.problem(400, "bad-cursor");
    }
    // Well-formed though made up: an empty or whole page, never an error.
    for (cursor, streams) in [("", 1), ("0-000000000001", 0), ("9999999999999999999-zzzzzzzzzzzz", 1)] {
        let event = Event::sample("api-list-streams").query(&format!("cursor={cursor}"));
        assert_eq!(
            harness.ask(&event).await.expect(200)["streams"].as_array().unwrap().len(),
            streams,
            "{cursor}"
        );
    }
}

#[tokio::test]
async fn a_limit_is_a_number_within_bounds() {
    let harness = Harness::seeded().await;
    for name in ["api-list-streams", "api-list-broadcasts"] {
        for limit in [
            "0",
            "101",
            "-1",
            "",
            "ten",
            "1e2",
            "1.5",
            "%2B5",
            "05",
            "99999999999999999999",
            "%31%00",
            "1&limit=1",
        ] {
            harness
                .ask(&Event::sample(name).query(&format!("limit={limit}")))
                .await
                .problem(400, "bad-limit");
        }
        for limit in ["1", "100"] {
            harness.ask(&Event::sample(name).query(&format!("limit={limit}"))).await.expect(200);
        }
    }
}

#[tokio::test]
async fn ids_and_paths_cannot_be_tricked() {
    let harness = Harness::seeded().await;
    for id in [
        "000000000002",
        "00000000000",
        "0000000000001",
        "00000000000I",
        "00000000000%31",
        "%2e%2e%2f",
        "000000000001%00",
        "000000000001%2fkeys",
        "000000000001;x",
        "STREAM%23000000000001",
        "*",
        "%F0%9F%94%91",
        "undefined",
        "null",
    ] {
        for suffix in ["", "/keys", "/broadcasts"] {
            let event = Event::sample("api-get-stream").path(&format!("/v1/streams/{id}{suffix}"));
            harness.ask(&event).await.problem(404, "not-found");
        }
        harness
            .ask(&Event::sample("api-delete-stream").path(&format!("/v1/streams/{id}")))
            .await
            .problem(404, "not-found");
    }
    for path in [
        "/",
        "/v1",
        "/v2/streams",
        "/v1/stream",
        "/V1/STREAMS",
        "/v1//streams",
        "/v1/streams/000000000001/secret",
        "/hooks/publish",
    ] {
        harness.ask(&Event::sample("api-get-stream").path(path)).await.problem(404, "not-found");
    }
    harness.ask(&Event::sample("api-get-stream").path("/v1/streams/000000000001/")).await.expect(200);
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let harness = Harness::seeded().await;
    let stream = format!("/v1/streams/{ID}");
    for (path, allow, wrong) in [
        ("/health".to_owned(), "GET, HEAD, OPTIONS", ["POST", "DELETE"]),
        ("/v1/streams".to_owned(), "GET, HEAD, OPTIONS, POST", ["PUT", "DELETE"]),
        (stream.clone(), "DELETE, GET, HEAD, OPTIONS, PATCH", ["PUT", "POST"]),
        (format!("{stream}/keys"), "GET, HEAD, OPTIONS, POST", ["DELETE", "PATCH"]),
        (format!("{stream}/keys/00000002"), "DELETE, OPTIONS", ["GET", "POST"]),
        (format!("{stream}/stop"), "OPTIONS, POST", ["GET", "DELETE"]),
        (format!("{stream}/broadcasts"), "GET, HEAD, OPTIONS", ["POST", "TRACE"]),
    ] {
        for method in wrong {
            let answer = harness.ask(&Event::sample("api-get-stream").path(&path).method(method)).await;
            answer.problem(405, "method-not-allowed");
            assert_eq!(answer.header("allow"), allow, "{method} {path}");
        }
    }
    harness.ask(&Event::sample("api-get-stream")).await.expect(200);
}

#[tokio::test]
async fn trouble_of_the_store_is_said_without_its_details() {
    for (kind, status, slug) in [
        (FaultKind::Throttled, 429, "throttled"),
        (FaultKind::Unavailable, 503, "unavailable"),
        (FaultKind::TimedOut, 503, "unavailable"),
        (FaultKind::Corrupt, 500, "internal"),
        (FaultKind::Refused, 500, "internal"),
        (FaultKind::Forbidden, 500, "internal"),
    ] {
        let harness = Harness::seeded().await;
        let table =
            Shim::new(&harness.table, move |action, _| (action == "replicated_state").then_some(kind));
        let answer = harness.ask_over(table, &Event::sample("api-get-stream")).await;
        let problem = answer.problem(status, slug);
        assert!(!problem.to_string().contains("as the test wanted"), "{problem}");
        assert_eq!(answer.header("retry-after"), if status == 500 { "" } else { "1" });
    }
}

/// The edge asks the other region after a 503, never after a 429.
#[tokio::test]
async fn viewers_are_sent_to_the_other_region_when_a_store_throttles() {
    let harness = Harness::seeded().await;
    for name in ["playlist-multivariant", "playlist-media"] {
        let table = Shim::new(&harness.table, |action, _| {
            (action == "replicated_state").then_some(FaultKind::Throttled)
        });
        let answer =
            Answer::of(harness.playlist_over(table, &[]).handle(Event::sample(name).request()).await);
        assert_eq!(answer.problem(503, "throttled")["status"], 503);
    }
}
