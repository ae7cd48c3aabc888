//! The real program in the environment of an ECS task: what it learns from there, and what it prints.

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use headwater_domain::hooks::Secret;
use headwater_domain::testing::samples;
use headwater_domain::tokens::SigningKey;
use headwater_domain::{SessionId, Timestamp};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use crate::hooks::stream;
use crate::rtmp_client::Publisher;
use crate::support::{PATIENCE, output};

pub(crate) type Asked = Arc<Mutex<Vec<(HeaderMap, Value)>>>;

/// Task metadata and control plane. What the hooks were asked: publish requests, and heartbeats that name a revision.
pub(crate) async fn surroundings() -> (SocketAddr, Asked) {
    let asked = Asked::default();
    // As the developer guide shows it for Fargate, without what does not matter.
    let metadata = json!({
        "DockerId": "cd189a933e5849daa93386466019ab50-2495160603",
        "Networks": [{ "NetworkMode": "awsvpc", "IPv4Addresses": ["192.0.2.3"], "AttachmentIndex": 0 }],
    });
    let task = json!({ "Cluster": "headwater", "Family": "headwater-gateway", "Revision": "7" });
    let heartbeat = |State(asked): State<Asked>, headers: HeaderMap, Json(body): Json<Value>| async move {
        if body.get("revision").is_some() {
            asked.lock().unwrap().push((headers, body));
        }
        Json(json!({ "sessions": {} }))
    };
    let publish = |State(asked): State<Asked>, headers: HeaderMap, Json(body): Json<Value>| async move {
        asked.lock().unwrap().push((headers, body));
        let broadcast = headwater_domain::BroadcastId::new(&stream(), 1_000, 7);
        Json(json!({ "decision": "allow", "stream": stream(), "broadcast": broadcast, "order": 1 }))
    };
    let router = Router::new()
        .route("/v4/0f9e8d7c", get(|| async { Json(metadata) }))
        .route("/v4/0f9e8d7c/task", get(|| async { Json(task) }))
        .route("/hooks/publish", post(publish))
        .route("/hooks/unpublish", post(|| async { Json(json!({})) }))
        .route("/hooks/heartbeat", post(heartbeat))
        .with_state(asked.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
    (address, asked)
}

pub(crate) fn program(surroundings: SocketAddr, spool: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_transcoder"));
    command.arg("gateway").env_clear().stdin(Stdio::null()).kill_on_drop(true);
    command.env("SPOOL_DIR", spool).env("API_URL", format!("http://{surroundings}")).envs([
        ("RTMP_LISTEN", "127.0.0.1:0"),
        ("SOURCE_LISTEN", "127.0.0.1:0"),
        ("SIGNING_KEY", "signing"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_SDK_UA_APP_ID", "gateway"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("LOG_FORMAT", "json"),
        ("NO_PROXY", "*"),
    ]);
    command
}

/// Where the program listens for encoders and for transcoders, from its log.
pub(crate) async fn listens(child: &mut Child) -> (SocketAddr, SocketAddr) {
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let found = async {
        while let Some(line) = log.next_line().await.unwrap() {
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["fields"]["message"] == "gateway listens" {
                let address = |name: &str| line["fields"][name].as_str().unwrap().parse().unwrap();
                return (address("rtmp"), address("source"));
            }
        }
        panic!("it ended");
    };
    let found = tokio::time::timeout(PATIENCE, found).await.expect("it says where it listens");
    // Read on, or the program would wait with a full pipe.
    tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
    found
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story, told in its order")]
async fn a_gateway_in_an_ecs_task_finds_its_address_and_prints_its_metrics() {
    let (surroundings, asked) = surroundings().await;
    let dir = tempfile::tempdir().unwrap();
    let mut command = program(surroundings, dir.path());
    command.env("ECS_CONTAINER_METADATA_URI_V4", format!("http://{surroundings}/v4/0f9e8d7c"));
    command.envs([("METRICS_NAMESPACE", "Headwater"), ("DEPLOYMENT", "live-1")]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (rtmp, source) = listens(&mut child).await;
    let mut publisher = Publisher::start(rtmp).await;
    publisher.headers().await;
    publisher.gops(0, 2, 1_000).await;
    // It says which deployment's it is; it learned that from ECS, too.
    let heartbeat = async {
        loop {
            let found = asked.lock().unwrap().iter().position(|(_, body)| body.get("revision").is_some());
            match found {
                Some(at) => break asked.lock().unwrap().remove(at).1,
                None => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            }
        }
    };
    let heartbeat = tokio::time::timeout(PATIENCE, heartbeat).await.expect("a heartbeat");
    assert_eq!(heartbeat["revision"], "headwater-gateway:7");
    publisher.finish().await;

    let published = |asked: &Asked| {
        let mut asked = asked.lock().unwrap();
        let at = asked.iter().position(|(_, body)| body.get("session").is_some()).expect("it has asked");
        asked.remove(at)
    };
    let (headers, request) = published(&asked);
    assert_eq!(request["gateway"], json!({ "region": "eu-west-1", "source": "http://192.0.2.3:0" }));
    let agent = concat!("headwater/", env!("CARGO_PKG_VERSION"), " app/gateway");
    assert_eq!(headers["user-agent"], agent);
    assert!(headers["authorization"].to_str().unwrap().starts_with("AWS4-HMAC-SHA256"));

    // It does not leave before the media has been read.
    let session: SessionId = request["session"].as_str().unwrap().parse().unwrap();
    let key = SigningKey::new(Secret::new("signing"));
    let token = key.source_token(&session, &samples::writer(1), Timestamp(4_000_000_000_000));
    let media = Request::get(format!("http://{source}/sources/{session}"))
        .header("authorization", format!("Bearer {}", token.expose()))
        .body(Empty::<Bytes>::new())
        .unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let media = tokio::time::timeout(PATIENCE, client.request(media)).await.expect("an answer").unwrap();
    tokio::time::timeout(PATIENCE, media.into_body().collect()).await.expect("an end").expect("a clean end");

    let pid = child.id().unwrap().to_string();
    assert!(output(Command::new("kill").arg(&pid)).await.status.success());
    let mut printed = String::new();
    let mut stdout = child.stdout.take().unwrap();
    let read = tokio::time::timeout(PATIENCE, stdout.read_to_string(&mut printed));
    read.await.expect("it leaves").unwrap();
    assert!(child.wait().await.unwrap().success());
    // What came since the last line is written when it leaves; this program had no line before.
    let mut line: Value = serde_json::from_str(&printed).expect("one line, nothing else");
    assert!(line["_aws"]["Timestamp"].take().as_u64().unwrap() > 1_700_000_000_000);
    let ingest = line["IngestBytes"].take().as_u64().unwrap();
    assert!((4_000..20_000).contains(&ingest), "{ingest} bytes of media in");
    assert!(line["BufferedBytes"].take().as_u64().unwrap() > 4_000, "read, but not committed");
    let metric = |name: &str, unit: &str| json!({ "Name": name, "Unit": unit });
    let expected = json!({
        "Deployment": "live-1",
        "Sessions": 0,
        "IngestBytes": null,
        "BufferedBytes": null,
        "LostMessages": 0,
        "Refusals": 0,
        "DiskErrors": 0,
        "_aws": {
            "Timestamp": null,
            "CloudWatchMetrics": [{
                "Namespace": "Headwater",
                "Dimensions": [["Deployment"]],
                "Metrics": [
                    metric("Sessions", "Count"),
                    metric("IngestBytes", "Bytes"),
                    metric("BufferedBytes", "Bytes"),
                    metric("LostMessages", "Count"),
                    metric("Refusals", "Count"),
                    metric("DiskErrors", "Count"),
                ],
            }],
        },
    });
    assert_eq!(line, expected);
}

#[tokio::test]
async fn a_gateway_that_cannot_know_its_address_says_what_to_do() {
    let (surroundings, _) = surroundings().await;
    let dir = tempfile::tempdir().unwrap();
    let ended = output(&mut program(surroundings, dir.path())).await;
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success() && said.contains("set SOURCE_URL"), "{said}");
}
