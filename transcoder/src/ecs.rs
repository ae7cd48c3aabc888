//! What ECS offers inside a task: its metadata, and protection from being stopped. Plain HTTP to addresses that ECS puts
//! into the environment; the calls that follow are the agent's, with the task's role. Knows nothing of media.
//!
//! Amazon ECS Developer Guide, "Amazon ECS task metadata endpoint version 4 for tasks on Fargate" and "Amazon ECS task
//! scale-in protection endpoint".

use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::time::{sleep, timeout};

/// For one answer; the endpoints are on the task's own link.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Longest answer we read, bytes; real ones have two kilobytes.
const MAX_ANSWER: usize = 64 * 1024;
/// Tries to learn the own address: the endpoint may come up a moment after the container.
const METADATA_TRIES: u32 = 5;
/// Between them.
const METADATA_PAUSE: Duration = Duration::from_secs(1);

/// An endpoint of ECS does not do what it is asked.
#[derive(Debug, Error)]
pub enum EcsError {
    /// It cannot be reached, or its answer not be read.
    #[error("the endpoint cannot be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It took too long.
    #[error("the endpoint does not answer")]
    Silent,
    /// Its answer makes no sense.
    #[error("the endpoint's answer is not understood")]
    Garbled(#[from] serde_json::Error),
    /// The task has no private address.
    #[error("the metadata names no IPv4 address")]
    NoAddress,
    /// It says no, in its own words.
    #[error("refused: {0}")]
    Refused(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    #[serde(default)]
    networks: Vec<Network>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TaskMetadata {
    family: String,
    revision: String,
}

#[derive(Deserialize)]
struct Network {
    #[serde(default, rename = "IPv4Addresses")]
    ipv4_addresses: Vec<Ipv4Addr>,
}

/// The task's private address, from `ECS_CONTAINER_METADATA_URI_V4`.
pub async fn private_address(metadata_uri: &str) -> Result<Ipv4Addr, EcsError> {
    let metadata: Metadata = serde_json::from_slice(&metadata(metadata_uri).await?)?;
    let mut addresses =
        metadata.networks.into_iter().filter_map(|network| network.ipv4_addresses.into_iter().next());
    addresses.next().ok_or(EcsError::NoAddress)
}

/// The task's definition, `family:revision` as its ARN ends: another one means that a deployment has replaced this task.
pub async fn task_definition(metadata_uri: &str) -> Result<String, EcsError> {
    let answer = metadata(&format!("{}/task", metadata_uri.trim_end_matches('/'))).await?;
    let TaskMetadata { family, revision } = serde_json::from_slice(&answer)?;
    Ok(format!("{family}:{revision}"))
}

async fn metadata(uri: &str) -> Result<Bytes, EcsError> {
    let mut tries = 1;
    loop {
        match ask(Method::GET, uri, Bytes::new()).await {
            Err(error) if tries < METADATA_TRIES => {
                tracing::debug!(error = &error as &dyn std::error::Error, "no task metadata yet");
                tries += 1;
                sleep(METADATA_PAUSE).await;
            }
            answer => return answer,
        }
    }
}

/// The ECS agent of the task, as `ECS_AGENT_URI` names it.
#[derive(Debug, Clone)]
pub struct Agent {
    state: String,
}

impl Agent {
    /// The agent at `uri`.
    pub fn new(uri: &str) -> Self {
        Self { state: format!("{}/task-protection/v1/state", uri.trim_end_matches('/')) }
    }

    /// Protects the task from scale-in and deployments for so many minutes from now on.
    pub async fn protect(&self, minutes: u32) -> Result<(), EcsError> {
        self.set(&json!({ "ProtectionEnabled": true, "ExpiresInMinutes": minutes }), true).await
    }

    /// Lets the task be stopped.
    pub async fn release(&self) -> Result<(), EcsError> {
        self.set(&json!({ "ProtectionEnabled": false }), false).await
    }

    /// The endpoint answers with what is so now, or with `failure` or `error`; the status alone does not tell.
    async fn set(&self, request: &Value, wanted: bool) -> Result<(), EcsError> {
        let answer = ask(Method::PUT, &self.state, Bytes::from(request.to_string())).await?;
        let answer: Value = serde_json::from_slice(&answer)?;
        if answer["protection"]["ProtectionEnabled"] == wanted {
            return Ok(());
        }
        let told = ["/failure/Reason", "/error/Message", "/error/Code"];
        let told = told.iter().find_map(|place| answer.pointer(place)?.as_str());
        Err(EcsError::Refused(told.unwrap_or("no reason is given").to_owned()))
    }
}

async fn ask(method: Method, uri: &str, body: Bytes) -> Result<Bytes, EcsError> {
    let unreachable = |error: Box<dyn std::error::Error + Send + Sync>| EcsError::Unreachable(error);
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(body))
        .map_err(|error| unreachable(error.into()))?;
    let answering = async {
        // A client for each call: they are minutes apart.
        let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
        let answer = client.request(request).await.map_err(|error| unreachable(error.into()))?;
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await.map_err(unreachable)?;
        Ok(body.to_bytes())
    };
    timeout(ANSWER_WITHIN, answering).await.map_err(|_| EcsError::Silent)?
}
