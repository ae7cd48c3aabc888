//! The real program, and a peer region that comes, is exchanged for another one and goes while it runs.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use headwater_domain::BroadcastId;
use headwater_rtmp::amf::Properties;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::Child;

use crate::hooks::stream;
use crate::program::{listens, program};
use crate::rtmp_client::Publisher;
use crate::support::PATIENCE;

/// One region's control plane: allows everybody, and says who its peer is.
#[derive(Clone)]
struct Control {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    /// Added to each answer; `None`: not said.
    peer: Option<Value>,
    fault: Option<Fault>,
    /// Publish requests that came, answered or not.
    asked: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    Fails,
    Hangs,
}

impl Control {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let control = Self { address: listener.local_addr().unwrap(), shared: Arc::default() };
        let router = Router::new().route("/hooks/{hook}", post(answer)).with_state(control.shared.clone());
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        control
    }

    fn facts(&self) -> Value {
        json!({ "region": "us-east-1", "api": format!("http://{}", self.address), "media_bucket": "media-of-it" })
    }

    fn says(&self, peer: Value) {
        self.shared.lock().unwrap().peer = Some(peer);
    }

    fn has(&self, fault: Option<Fault>) {
        self.shared.lock().unwrap().fault = fault;
    }

    fn asked(&self) -> usize {
        self.shared.lock().unwrap().asked
    }
}

async fn answer(
    State(shared): State<Arc<Mutex<Shared>>>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    let is_publish = body.get("key").is_some();
    let (peer, fault) = {
        let mut shared = shared.lock().unwrap();
        shared.asked += usize::from(is_publish);
        (shared.peer.clone(), shared.fault)
    };
    match fault {
        Some(Fault::Fails) => return Err(StatusCode::SERVICE_UNAVAILABLE),
        Some(Fault::Hangs) => std::future::pending().await,
        None => {}
    }
    let broadcast = BroadcastId::new(&stream(), 1_000, 7);
    let mut answer = match is_publish {
        true => json!({ "decision": "allow", "stream": stream(), "broadcast": broadcast, "order": 1 }),
        false => json!({ "sessions": {} }),
    };
    if let Some(peer) = peer {
        answer["peer"] = peer;
    }
    Ok(Json(answer))
}

/// A gateway whose own control plane is `own`, told of `peer` when it starts.
async fn gateway(own: &Control, peer: &Value, spool: &std::path::Path) -> (Child, SocketAddr) {
    let mut command = program(own.address, spool);
    command.env("SOURCE_URL", "http://192.0.2.3:8936").env("PEER", peer.to_string());
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let (rtmp, _) = listens(&mut child).await;
    (child, rtmp)
}

/// An encoder that is let in, and goes.
async fn is_let_in(rtmp: SocketAddr) {
    Publisher::start(rtmp).await.finish().await;
}

async fn is_told_to_come_again(rtmp: SocketAddr) {
    let mut refused = Publisher::ask(rtmp, Properties::default()).await;
    refused.hears("the service cannot check stream keys just now").await;
}

#[tokio::test]
async fn a_gateway_that_runs_hears_of_its_peer_and_of_the_next_one() {
    let (own, first, second) = (Control::start().await, Control::start().await, Control::start().await);
    let spool = tempfile::tempdir().unwrap();
    let (_gateway, rtmp) = gateway(&own, &Value::Null, spool.path()).await;
    // Nobody to ask: there is no peer yet.
    own.has(Some(Fault::Fails));
    is_told_to_come_again(rtmp).await;
    own.has(None);

    // The regions are joined; the gateway is not started anew for it.
    own.says(first.facts());
    // What another region says of itself is no news of this one.
    first.says(second.facts());
    is_let_in(rtmp).await;
    assert_eq!(first.asked(), 0, "the own region answers");
    for fault in [Fault::Fails, Fault::Hangs] {
        own.has(Some(fault));
        let before = first.asked();
        is_let_in(rtmp).await;
        assert_eq!((first.asked(), second.asked()), (before + 1, 0));
    }

    // Another one takes its place. What was said in between and makes no sense changes nothing.
    own.has(None);
    own.says(json!({ "region": "us-east-1", "api": "file:///etc/passwd", "media_bucket": "media-of-it" }));
    answers_again(&own, rtmp).await;
    own.has(Some(Fault::Fails));
    let before = first.asked();
    is_let_in(rtmp).await;
    assert_eq!(first.asked(), before + 1, "what was known stays");
    own.has(None);
    own.says(second.facts());
    answers_again(&own, rtmp).await;
    own.has(Some(Fault::Fails));
    let before = first.asked();
    is_let_in(rtmp).await;
    assert_eq!((first.asked(), second.asked()), (before, 1));

    // It goes.
    own.has(None);
    own.says(Value::Null);
    answers_again(&own, rtmp).await;
    own.has(Some(Fault::Fails));
    is_told_to_come_again(rtmp).await;
    assert_eq!((first.asked(), second.asked()), (before, 1));
}

/// Lets encoders in until the own control plane is the one that is asked: after it was slow it is asked last for a while.
async fn answers_again(own: &Control, rtmp: SocketAddr) {
    let before = own.asked();
    let again = async {
        while own.asked() == before {
            is_let_in(rtmp).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.expect("the own region is asked again");
}

#[tokio::test]
async fn a_gateway_that_starts_while_its_own_region_is_down_knows_its_peer() {
    let (own, peer) = (Control::start().await, Control::start().await);
    own.has(Some(Fault::Fails));
    let spool = tempfile::tempdir().unwrap();
    let (_gateway, rtmp) = gateway(&own, &peer.facts(), spool.path()).await;
    is_let_in(rtmp).await;
    assert_eq!(peer.asked(), 1);
}
