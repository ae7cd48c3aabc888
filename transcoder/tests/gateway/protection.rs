//! Task protection, against an HTTP server in the role of the ECS agent.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::routing::put;
use axum::{Json, Router};
use headwater_transcoder::ecs::Agent;
use headwater_transcoder::gateway::Protection;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::hooks::Policy;
use crate::rtmp_client::Publisher;
use crate::support::*;

/// An ECS agent that does as it is told, or refuses.
struct FakeAgent {
    uri: String,
    asked: Arc<watch::Sender<Vec<Value>>>,
    refuses: Arc<Mutex<bool>>,
}

impl FakeAgent {
    async fn start() -> Self {
        let asked = Arc::new(watch::Sender::default());
        let refuses = Arc::new(Mutex::new(false));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/api/0f9e8d7c", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/api/0f9e8d7c/task-protection/v1/state", put(set))
            .with_state((asked.clone(), refuses.clone()));
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        Self { uri, asked, refuses }
    }

    /// Waits until it was asked as wanted; everything it was asked.
    async fn until(&self, wanted: impl FnMut(&Vec<Value>) -> bool) -> Vec<Value> {
        let mut asked = self.asked.subscribe();
        let waiting = asked.wait_for(wanted);
        tokio::time::timeout(PATIENCE, waiting).await.expect("the gateway asks the agent").unwrap().clone()
    }

    fn protection(&self) -> Protection {
        Protection {
            expires_minutes: 7,
            renew_every: PATIENCE,
            release_after: Duration::from_millis(50),
            retry_every: Duration::from_millis(50),
            look_every: Duration::from_millis(10),
            ..Protection::new(Agent::new(&self.uri))
        }
    }
}

type Shared = (Arc<watch::Sender<Vec<Value>>>, Arc<Mutex<bool>>);

async fn set(State((asked, refuses)): State<Shared>, Json(request): Json<Value>) -> Json<Value> {
    let task = "arn:aws:ecs:eu-west-1:123456789012:task/headwater/0f9e8d7c";
    let answer = if *refuses.lock().unwrap() {
        json!({ "failure": { "Arn": task, "Detail": null, "Reason": "DEPLOYMENT_BLOCKED" } })
    } else {
        let enabled = request["ProtectionEnabled"].clone();
        json!({ "protection": { "ProtectionEnabled": enabled, "TaskArn": task } })
    };
    asked.send_modify(|asked| asked.push(request));
    Json(answer)
}

async fn rig_protected(protection: Protection) -> Rig {
    let dir = tempfile::tempdir().unwrap();
    rig_configured(Policy::Allow, dir, |config| {
        config.protection = Some(protection);
        config.limits.drain_timeout = Duration::ZERO;
        config.limits.move_timeout = Duration::ZERO;
        // Publishers here say nothing while heartbeats are waited for.
        config.limits.silence_timeout = PATIENCE;
    })
    .await
}

fn protect() -> Value {
    json!({ "ProtectionEnabled": true, "ExpiresInMinutes": 7 })
}

fn release() -> Value {
    json!({ "ProtectionEnabled": false })
}

#[tokio::test]
async fn a_gateway_is_protected_while_it_has_publishers() {
    let agent = FakeAgent::start().await;
    let rig = rig_protected(agent.protection()).await;
    for round in [1, 2] {
        let publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
        agent.until(|asked| asked.len() == 2 * round - 1).await;
        publisher.finish().await;
        agent.until(|asked| asked.len() == 2 * round).await;
    }
    assert_eq!(*agent.asked.borrow(), [protect(), release(), protect(), release()]);
    rig.leave().await;
}

#[tokio::test]
async fn protection_is_renewed_before_it_expires() {
    let agent = FakeAgent::start().await;
    let rig =
        rig_protected(Protection { renew_every: Duration::from_millis(30), ..agent.protection() }).await;
    let _publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    let asked = agent.until(|asked| asked.len() >= 4).await;
    assert_eq!(asked[..4], [protect(), protect(), protect(), protect()]);
    rig.leave().await;
}

#[tokio::test]
async fn a_gateway_that_a_deployment_replaced_can_be_stopped() {
    let agent = FakeAgent::start().await;
    let rig = rig_protected(agent.protection()).await;
    let _publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    agent.until(|asked| asked.len() == 1).await;
    rig.hooks.set_superseded(Some(true));
    agent.until(|asked| asked.len() == 2).await;
    // The peer's control plane answers instead, and cannot tell: nothing changes.
    rig.hooks.set_superseded(None);
    let heartbeats = rig.hooks.until(|record| !record.heartbeats.is_empty()).await.heartbeats.len();
    let heartbeats = rig.hooks.until(|record| record.heartbeats.len() >= heartbeats + 2).await.heartbeats;
    assert_eq!(heartbeats[0].revision.as_deref(), Some("r2"));
    assert_eq!(*agent.asked.borrow(), [protect(), release()]);
    // The deployment is undone.
    rig.hooks.set_superseded(Some(false));
    let asked = agent.until(|asked| asked.len() == 3).await;
    assert_eq!(asked[2], protect());
    rig.leave().await;
}

#[tokio::test]
async fn an_agent_that_refuses_is_asked_again_and_disturbs_nobody() {
    let agent = FakeAgent::start().await;
    *agent.refuses.lock().unwrap() = true;
    let rig = rig_protected(agent.protection()).await;
    let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    publisher.headers().await;
    publisher.gops(0, 2, 100).await;
    agent.until(|asked| asked.len() >= 2).await;
    *agent.refuses.lock().unwrap() = false;
    let asked = agent.asked.borrow().len();
    agent.until(|now| now.len() == asked + 1).await;
    publisher.finish().await;
    let asked = agent.until(|asked| asked.last() == Some(&release())).await;
    assert_eq!(asked[..asked.len() - 1], vec![protect(); asked.len() - 1]);
    let session = rig.hooks.session(0).await;
    assert_eq!(rig.read(&session, 0).await.cursors().len(), 12);
    rig.leave().await;
}

#[tokio::test]
async fn an_agent_that_is_not_there_disturbs_nobody() {
    let rig = rig_protected(Protection::new(Agent::new("http://127.0.0.1:9"))).await;
    let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    publisher.headers().await;
    publisher.gops(0, 1, 100).await;
    publisher.finish().await;
    let session = rig.hooks.session(0).await;
    assert_eq!(rig.read(&session, 0).await.cursors().len(), 6);
    rig.leave().await;
}
