//! The ECS JSON 1.1 protocol: reads requests, words answers and errors. Must not know how tasks live.

use super::cluster::{Cluster, Ran};
use super::refusal::{Refusal, refusal};
use super::run_task::RunTask;
use super::task::{Status, Task, Times};
use crate::calls::{Call, CallLog};
use crate::fault::Failure;
use crate::listen::Handler;
use axum::body::Body;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;

/// Longest request we read, in bytes. Overrides may be 8,192 characters; the rest is small.
const MAX_BODY: usize = 64 * 1024;

/// The prefix of every `X-Amz-Target`.
const TARGET: &str = "AmazonEC2ContainerServiceV20141113.";

/// The request side.
#[derive(Debug)]
pub(super) struct EcsApi {
    cluster: Arc<Cluster>,
    calls: CallLog,
}

impl Handler for EcsApi {
    fn handle(self: Arc<Self>, request: Request<Body>, _: SocketAddr) -> BoxFuture<'static, Response<Body>> {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
            let operation = target.and_then(|target| target.strip_prefix(TARGET)).unwrap_or_default();
            let body = axum::body::to_bytes(body, MAX_BODY).await.unwrap_or_default();
            let answer = match serde_json::from_slice(&body) {
                Ok(request) => {
                    self.calls.record(self.call(&parts.headers, operation, &request));
                    self.answer(operation, request)
                }
                Err(_) => Err(refusal("SerializationException", "the request is not JSON")),
            };
            match answer {
                Ok(answer) => respond(StatusCode::OK, &answer),
                Err(refusal) => respond(StatusCode::BAD_REQUEST, &refusal.json()),
            }
        })
    }

    /// API reference, RunTask "Errors", and "Common errors".
    fn fail(&self, failure: Failure) -> Response<Body> {
        let (status, kind, message) = match failure {
            Failure::Internal => {
                (StatusCode::INTERNAL_SERVER_ERROR, "ServerException", "Service Unavailable.")
            }
            Failure::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "Service Unavailable.")
            }
            Failure::Throttle => (StatusCode::BAD_REQUEST, "ThrottlingException", "Rate exceeded"),
        };
        respond(status, &refusal(kind, message).json())
    }
}

impl EcsApi {
    pub(super) fn new(cluster: Arc<Cluster>, calls: CallLog) -> Self {
        Self { cluster, calls }
    }

    /// Under the cluster as condition; its own resource only where that is a task definition.
    fn call(&self, headers: &HeaderMap, operation: &str, request: &Value) -> Call {
        let definition = request["taskDefinition"].as_str().and_then(|name| self.cluster.definition(name));
        let definition = definition.map(|definition| self.cluster.definition_arn(definition));
        let resource = definition.unwrap_or_else(|| self.cluster.arn());
        Call::new(headers, format!("ecs:{operation}"), resource)
            .condition("ecs:cluster", [self.cluster.arn()])
    }

    fn answer(&self, operation: &str, request: Value) -> Result<Value, Refusal> {
        if !self.cluster.is_named(request["cluster"].as_str().unwrap_or("default")) {
            return Err(refusal("ClusterNotFoundException", "Cluster not found."));
        }
        match operation {
            "RunTask" => self.run_task(request),
            "StopTask" => self.stop_task(&request),
            "DescribeTasks" => Ok(self.describe_tasks(&request)),
            "ListTasks" => Ok(self.list_tasks(&request)),
            _ => Err(refusal("UnknownOperationException", "not offered by the local stack")),
        }
    }

    fn run_task(&self, request: Value) -> Result<Value, Refusal> {
        let name = request["taskDefinition"].as_str().unwrap_or_default();
        let definition = self.cluster.definition(name);
        let definition = definition.ok_or_else(|| refusal("ClientException", "TaskDefinition not found."))?;
        match self.cluster.run(definition, RunTask::read(request)?) {
            Ran::Started(tasks) => Ok(json!({ "tasks": described(&tasks), "failures": [] })),
            Ran::Failed(reason) => Ok(json!({ "tasks": [], "failures": [{ "reason": reason }] })),
            Ran::Conflict(tasks) => Err(Refusal {
                resource_ids: tasks.iter().map(|task| task.arn.clone()).collect(),
                ..refusal(
                    "ConflictException",
                    "The clientToken is already in use with a different RunTask request.",
                )
            }),
        }
    }

    fn stop_task(&self, request: &Value) -> Result<Value, Refusal> {
        let task = request["task"].as_str().and_then(|task| self.cluster.find(task));
        let task =
            task.ok_or_else(|| refusal("InvalidParameterException", "The referenced task was not found."))?;
        task.ask_to_stop(request["reason"].as_str().unwrap_or("Task stopped by user"));
        Ok(json!({ "task": task.describe(Times::Epoch) }))
    }

    fn describe_tasks(&self, request: &Value) -> Value {
        let (mut tasks, mut failures) = (Vec::new(), Vec::new());
        for name in request["tasks"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            match self.cluster.find(name) {
                Some(task) => tasks.push(task),
                None => failures.push(json!({ "arn": name, "reason": "MISSING" })),
            }
        }
        json!({ "tasks": described(&tasks), "failures": failures })
    }

    fn list_tasks(&self, request: &Value) -> Value {
        let wants_stopped = request["desiredStatus"] == Status::Stopped.name();
        let matches = |task: &Arc<Task>| {
            let stopped = task.status() == Status::Stopped || task.stop.borrow().is_some();
            let equal =
                |name: &str, value: Option<&str>| request[name].as_str().is_none_or(|v| Some(v) == value);
            stopped == wants_stopped
                && equal("startedBy", task.started_by.as_deref())
                && equal("family", Some(&task.definition.family))
        };
        let tasks = self.cluster.all();
        json!({ "taskArns": tasks.iter().filter(|task| matches(task)).map(|task| &task.arn).collect::<Vec<_>>() })
    }
}

fn described(tasks: &[Arc<Task>]) -> Vec<Value> {
    tasks.iter().map(|task| task.describe(Times::Epoch)).collect()
}

fn respond(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static("application/x-amz-json-1.1");
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}
