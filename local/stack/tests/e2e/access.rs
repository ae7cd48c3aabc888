//! Least privilege: which AWS calls each program really makes on a tour over everything the platform does.
//!
//! The stand-ins note every call in IAM's words; here they are brought into a form that does not depend on the run,
//! compared with what is expected, and written to `calls.json` among the artifacts, where the test of template.yaml
//! compares them with the policies, both ways:
//!
//! ```json
//! { "<program>": [ { "action": "dynamodb:Query", "region": "own", "resource": "table", "leading_keys": ["KEYS#"] },
//!                  { "action": "ecs:RunTask", "region": "peer", "resource": "task-definition/transcoder",
//!                    "cluster": ["cluster/headwater"] },
//!                  { "action": "execute-api:Invoke", "region": "own", "resource": "api", "paths": ["POST/hooks/publish"] },
//!                  { "action": "s3:PutObject", "region": "own", "resource": "bucket", "prefixes": ["<own region>/media/"] },
//!                  { "action": "secretsmanager:GetSecretValue", "region": "own", "resource": "secret", "secrets": ["admin-token"] } ] }
//! ```
//!
//! `region` is that of the resource, as the program sees it. Leading keys end behind `#`. Sorted; nothing else in it.
//! What AWS calls in a program's name is not seen here: the ECS agent's `ecs:UpdateTaskProtection` with the gateway's
//! role, and `iam:PassRole`, which RunTask needs for the roles in the task definition.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use headwater_emulators::calls::Call;
use headwater_local::REGIONS;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rustix::process::Signal;
use serde_json::{Map, Value, json};

use super::hls::renditions;
use super::low_latency::Seeded;
use super::support::{Picture, Platform, Stream, artifacts, eventually, small};

const SECRET: &str = "secretsmanager:GetSecretValue";
/// The whole of what each program may do. A program that does more has to be allowed more: think first.
const EXPECTED: [(&str, &[&str]); 7] = [
    ("api", &["dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:Query", SECRET]),
    ("authorizer", &[SECRET]),
    ("gateway", &["execute-api:Invoke"]),
    ("hooks", &["dynamodb:PutItem", "dynamodb:Query", "ecs:RunTask", SECRET]),
    ("lifecycle", &["dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:Query", "ecs:RunTask", SECRET]),
    ("playlist", &["dynamodb:Query", "s3:GetObject", SECRET]),
    ("transcoder", &["dynamodb:PutItem", "execute-api:Invoke", "s3:PutObject"]),
];

/// Made only when a publish comes between two reads of a sweep, which no tour can force; a test of the function does.
const RARE: [(&str, &str, &str); 1] = [("lifecycle", "dynamodb:PutItem", "ACTIVE#")];

/// What is left of a call: program, action, region and resource, and in which detail (with its name) it may differ.
type Normal = (String, String, &'static str, String, &'static str, String);

#[tokio::test(flavor = "multi_thread")]
async fn every_program_calls_what_it_must_and_nothing_else() {
    let platform = Platform::start().await;
    tour(&platform).await;
    let mut calls = BTreeSet::new();
    for (region, name) in platform.stack.regions.iter().zip(REGIONS) {
        // What has no name is this stack and this test.
        let named = region.calls.calls().into_iter().filter(|call| call.app != "-");
        calls.extend(named.map(|call| normal(&call, name)));
        let written = platform.stack.data().join("logs").join(name).join("calls.jsonl");
        let lines = std::fs::read_to_string(written).unwrap().lines().count();
        assert_eq!(lines, region.calls.calls().len(), "the file says the same");
    }
    platform.stop().await;
    calls.extend(RARE.map(|(program, action, key)| {
        (program.to_owned(), action.to_owned(), "own", "table".to_owned(), "leading_keys", key.to_owned())
    }));
    std::fs::write(artifacts().join("calls.json"), json_of(&calls)).unwrap();

    let mut actions: BTreeMap<_, BTreeSet<_>> =
        EXPECTED.map(|(program, _)| (program, BTreeSet::new())).into();
    for (program, action, ..) in &calls {
        let known = actions.get_mut(program.as_str());
        known.unwrap_or_else(|| panic!("who is {program}?")).insert(action.as_str());
    }
    let expected: BTreeMap<_, BTreeSet<_>> =
        EXPECTED.map(|(program, actions)| (program, actions.iter().copied().collect())).into();
    assert_eq!(actions, expected);

    let details = |program: &str, action: &str, region: &str| -> Vec<&str> {
        let all = calls.iter().filter(|call| (&*call.0, &*call.1, call.2) == (program, action, region));
        all.map(|call| call.5.as_str()).collect()
    };
    for region in ["own", "peer"] {
        assert_eq!(details("transcoder", "execute-api:Invoke", region), ["POST/hooks/heartbeat"]);
        let hooks = ["POST/hooks/heartbeat", "POST/hooks/publish", "POST/hooks/unpublish"];
        assert_eq!(details("gateway", "execute-api:Invoke", region), hooks);
        assert_eq!(details("hooks", "ecs:RunTask", region), ["cluster/headwater"]);
    }
    assert_eq!(details("transcoder", "dynamodb:PutItem", "own"), ["TIMELINE#"]);
    let stored = ["<own region>/media/", "<own region>/parts/"];
    assert_eq!(details("transcoder", "s3:PutObject", "own"), stored);
    assert_eq!(details("transcoder", "s3:PutObject", "peer"), stored[..1], "parts are not mirrored");
    assert_eq!(details("playlist", "s3:GetObject", "own"), ["<own region>/parts/"]);
    for (program, secrets) in [
        ("api", &["key-pepper"][..]),
        ("authorizer", &["admin-token"]),
        ("hooks", &["key-pepper", "signing-key"]),
        ("lifecycle", &["signing-key"]),
        ("playlist", &["origin-secret"]),
    ] {
        assert_eq!(details(program, SECRET, "own"), secrets);
    }
    // Only its own region's leases are a sweep's business.
    assert_eq!(details("lifecycle", "ecs:RunTask", "own"), ["cluster/headwater"]);
    assert_eq!(details("lifecycle", "ecs:RunTask", "peer"), [""; 0]);
    for call in calls.iter().filter(|call| call.1.starts_with("dynamodb:")) {
        assert_eq!((call.2, call.3.as_str()), ("own", "table"), "each region has its own replica: {call:?}");
        assert!(call.5.ends_with('#') || call.5 == "STREAMS", "{call:?}");
    }
}

/// Everything the platform does.
async fn tour(platform: &Platform) {
    let stream = manage(platform).await;
    let encoder = Picture::default().publish(&platform.rtmp(0, &stream.key));
    let multivariant = platform.plays(&stream).await;
    let path = renditions(&multivariant)[0].path.clone();
    let playlist = platform.media_until(&path, |playlist| playlist.segments.len() >= 2).await;
    platform.object(&playlist.segments[0].uri).await;
    assert_eq!(platform.get("/live/index.json").await.0, StatusCode::OK);

    // A transcoder dies; the lifecycle function starts another one.
    let ecs = &platform.stack.regions[0].ecs;
    let first = ecs.tasks().pop().unwrap();
    assert!(ecs.kill(&first, Signal::KILL).await);
    platform
        .media_until(&path, |playlist| {
            playlist.segments.iter().any(|segment| segment.uri.contains("/2.us-east-1."))
        })
        .await;

    // The encoder leaves and comes back while the region's own API is down: the peer's answers, and starts a task here.
    platform.stack.regions[0].api.stop().await;
    encoder.kill().await;
    called(platform, 1, "gateway", "/hooks/unpublish").await;
    called(platform, 1, "transcoder", "/hooks/heartbeat").await;
    let other = create(platform, 1).await;
    let encoder = Picture::default().publish(&platform.rtmp(0, &other.key));
    called(platform, 1, "gateway", "/hooks/publish").await;
    called(platform, 1, "gateway", "/hooks/heartbeat").await;
    eventually(&format!("a task of the peer's\n{}", platform.logs()), || async {
        platform.multivariant(&other.playback).await
    })
    .await;
    platform.stack.regions[0].api.faults().start().unwrap();

    // A part that somebody was told of before it was there.
    let live = Seeded::start(platform).await;
    live.write(0, 1).await;
    live.part_from_the_api(platform, 0, 0).await;

    // The end: a stop, a recording, a stream that is no more.
    post(platform, &format!("/v1/streams/{}/stop", other.id), StatusCode::ACCEPTED).await;
    assert!(!encoder.end().await.0, "it was told to go");
    let broadcasts = format!("/v1/streams/{}/broadcasts", other.id);
    let recording = eventually(&format!("a recording\n{}", platform.logs()), || async {
        let (_, listed) = platform.api(0).call(Method::GET, &broadcasts, None).await.unwrap();
        let url = listed["broadcasts"][0]["recording_url"].as_str()?.to_owned();
        platform.multivariant(&url).await
    })
    .await;
    platform.media_until(&renditions(&recording)[0].path, |playlist| playlist.end_list).await;
    for id in [&stream.id, &other.id] {
        let (status, _) =
            platform.api(0).call(Method::DELETE, &format!("/v1/streams/{id}"), None).await.unwrap();
        assert_eq!(status, StatusCode::NO_CONTENT);
    }
    // And sweeps: what is over is no longer looked at.
    called(platform, 0, "lifecycle", "dynamodb:DeleteItem").await;
    called(platform, 1, "lifecycle", "dynamodb:DeleteItem").await;
}

/// The REST API's part; the stream that is left over.
async fn manage(platform: &Platform) -> Stream {
    let stream = platform.create(small()).await;
    let id = &stream.id;
    let api = platform.api(0);
    assert_eq!(create_once(platform, "d3b07384").await, StatusCode::CREATED);
    assert_eq!(create_once(platform, "d3b07384").await, StatusCode::CREATED);
    let patch = Some(json!({ "name": "another name" }));
    assert_eq!(api.call(Method::PATCH, &format!("/v1/streams/{id}"), patch).await.unwrap().0, StatusCode::OK);
    for path in ["/v1/streams", &format!("/v1/streams/{id}"), &format!("/v1/streams/{id}/keys")] {
        let (status, body) = api.call(Method::GET, path, None).await.unwrap();
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
    }
    let keys = format!("/v1/streams/{id}/keys");
    let (status, key) = api.call(Method::POST, &keys, Some(json!({ "label": "second" }))).await.unwrap();
    assert_eq!(status, StatusCode::CREATED, "{key}");
    let second = format!("{keys}/{}", key["id"].as_str().unwrap());
    assert_eq!(api.call(Method::DELETE, &second, None).await.unwrap().0, StatusCode::NO_CONTENT);
    let broadcasts = format!("/v1/streams/{id}/broadcasts");
    assert_eq!(api.call(Method::GET, &broadcasts, None).await.unwrap().0, StatusCode::OK);
    stream
}

/// Creates a stream, or repeats that.
async fn create_once(platform: &Platform, key: &str) -> StatusCode {
    let request = Request::post(format!("{}/v1/streams", platform.stack.regions[0].api_url()))
        .header("authorization", format!("Bearer {}", platform.stack.secrets.admin_token))
        .header("content-type", "application/json")
        .header("idempotency-key", key)
        .body(Full::new(Bytes::from_static(br#"{"name":"once"}"#)))
        .unwrap();
    Client::builder(TokioExecutor::new()).build_http().request(request).await.unwrap().status()
}

/// A stream made through the API of `region`.
async fn create(platform: &Platform, region: usize) -> Stream {
    let mut settings = small();
    settings["reconnect_window_seconds"] = json!(0);
    settings["latency"] = json!("low");
    let body = json!({ "name": "through the peer", "settings": settings });
    let (status, made) = platform.api(region).call(Method::POST, "/v1/streams", Some(body)).await.unwrap();
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let text = |pointer: &str| made.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
    Stream { id: text("/id"), key: text("/stream_key/value"), playback: text("/playback_url") }
}

async fn post(platform: &Platform, path: &str, expected: StatusCode) {
    let (status, body) = platform.api(0).call(Method::POST, path, None).await.unwrap();
    assert_eq!(status, expected, "{body}");
}

/// Waits until region A's `program` (or any region's, of a function) has called `what` in region `region`.
async fn called(platform: &Platform, region: usize, program: &str, what: &str) {
    eventually(&format!("{program} calls {what}\n{}", platform.logs()), || async {
        let calls = platform.stack.regions[region].calls.calls();
        let from = |call: &&Call| call.app.split('.').next() == Some(program);
        calls
            .iter()
            .filter(from)
            .any(|call| call.action == what || call.resource.ends_with(what))
            .then_some(())
    })
    .await;
}

/// Without what differs from run to run.
fn normal(call: &Call, region: &'static str) -> Normal {
    let (program, home) = call.app.split_once('.').expect("programs name their region, too");
    let whose = if region == home { "own" } else { "peer" };
    let (program, action) = (program.to_owned(), call.action.clone());
    let parts: Vec<_> = call.resource.splitn(6, ':').collect();
    let [_, _, service, _, _, resource] = parts[..] else { panic!("{} is no ARN", call.resource) };
    let condition = |name: &str| call.conditions.get(name).and_then(|values| values.first());
    let (resource, kind, detail) = match service {
        "dynamodb" => {
            assert_eq!(resource, "table/headwater");
            let key =
                condition("dynamodb:LeadingKeys").unwrap_or_else(|| panic!("{call:?} names no partition"));
            let prefix = key.split_inclusive('#').next().unwrap_or_default();
            ("table".to_owned(), "leading_keys", prefix.to_owned())
        }
        "s3" => {
            let (bucket, key) = resource.split_once('/').unwrap();
            assert_eq!(bucket, format!("headwater-media-{region}"));
            let folders: String = key.split_inclusive('/').take(2).collect();
            ("bucket".to_owned(), "prefixes", folders.replace(home, "<own region>"))
        }
        "ecs" => {
            let definition = resource.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(':');
            let cluster = condition("ecs:cluster").unwrap();
            (definition.to_owned(), "cluster", cluster.rsplit(':').next().unwrap().to_owned())
        }
        "execute-api" => {
            let (_, path) = resource.split_once("/$default/").unwrap();
            ("api".to_owned(), "paths", path.to_owned())
        }
        "secretsmanager" => {
            let (name, _suffix) = resource.strip_prefix("secret:").unwrap().rsplit_once('-').unwrap();
            ("secret".to_owned(), "secrets", name.rsplit('/').next().unwrap().to_owned())
        }
        other => panic!("no program calls {other}"),
    };
    (program, action, whose, resource, kind, detail)
}

/// Sorted, and the same for the same calls.
fn json_of(calls: &BTreeSet<Normal>) -> String {
    let mut programs: BTreeMap<_, Vec<Map<String, Value>>> =
        EXPECTED.map(|(program, _)| (program.to_owned(), Vec::new())).into();
    for (program, action, region, resource, kind, detail) in calls {
        let listed = programs.entry(program.clone()).or_default();
        let same = |one: &Map<_, _>| {
            one["action"] == **action && one["region"] == *region && one["resource"] == **resource
        };
        match listed.last_mut().filter(|last| same(last)) {
            Some(last) => last[*kind].as_array_mut().unwrap().push(json!(detail)),
            None => {
                let one =
                    json!({ "action": action, "region": region, "resource": resource, *kind: [detail] });
                listed.push(one.as_object().unwrap().clone());
            }
        }
    }
    serde_json::to_string_pretty(&programs).unwrap() + "\n"
}
