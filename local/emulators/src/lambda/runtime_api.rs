//! The Lambda Runtime API (version 2018-06-01) for all slots of a host. Each slot has its own base path,
//! `http://127.0.0.1:<port>/<slot>`, which the Rust runtime client keeps in front of the API's paths. Must not know
//! functions or quotas.

use super::error::FunctionError;
use super::slot::{Event, Slot};
use crate::listen::Handler;
use axum::body::Body;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode};
use parking_lot::RwLock;
use serde_json::json;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// Limit of a synchronous payload, either way, in bytes (Lambda quotas: 6 MB).
pub(super) const MAX_PAYLOAD: usize = 6 * 1024 * 1024;

/// The slots by id.
#[derive(Debug, Default)]
pub(super) struct RuntimeApi {
    slots: RwLock<HashMap<String, Arc<Slot>>>,
}

impl RuntimeApi {
    pub(super) fn add(&self, slot: Arc<Slot>) {
        self.slots.write().insert(slot.id.clone(), slot);
    }

    pub(super) fn remove(&self, slot: &Slot) {
        slot.close();
        self.slots.write().remove(&slot.id);
    }

    fn slot(&self, id: &str) -> Option<Arc<Slot>> {
        self.slots.read().get(id).cloned()
    }
}

impl Handler for RuntimeApi {
    fn handle(self: Arc<Self>, request: Request<Body>, _: SocketAddr) -> BoxFuture<'static, Response<Body>> {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let path: Vec<_> = parts.uri.path().split('/').skip(1).collect();
            let (Some(slot), Some(call)) = (path.first().and_then(|id| self.slot(id)), path.get(1..)) else {
                return status(StatusCode::NOT_FOUND, "no such slot");
            };
            match (&parts.method, call) {
                (&Method::GET, ["2018-06-01", "runtime", "invocation", "next"]) => match slot.next().await {
                    Some(event) => deliver(event),
                    None => status(StatusCode::GONE, "the slot is closed"),
                },
                (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "response"]) => {
                    match axum::body::to_bytes(body, MAX_PAYLOAD).await {
                        Ok(payload) => accepted(slot.finish(id, Ok(payload))),
                        Err(_) => {
                            slot.finish(id, Err(too_large()));
                            status(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge")
                        }
                    }
                }
                (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "error"]) => {
                    let error = reported(body).await;
                    accepted(slot.finish(id, Err(error)))
                }
                (&Method::POST, ["2018-06-01", "runtime", "init", "error"]) => {
                    slot.init_failed(reported(body).await);
                    accepted(true)
                }
                _ => status(StatusCode::NOT_FOUND, "no such call"),
            }
        })
    }
}

fn deliver(event: Event) -> Response<Body> {
    let trace = format!("Root=1-{:08x}-{}", event.deadline_ms / 1000, &crate::random::hex32()[..24]);
    let response = Response::builder()
        .header("content-type", "application/json")
        .header("lambda-runtime-aws-request-id", event.request_id)
        .header("lambda-runtime-deadline-ms", event.deadline_ms)
        .header("lambda-runtime-invoked-function-arn", event.function_arn)
        .header("lambda-runtime-trace-id", trace)
        .body(Body::from(event.payload));
    response.unwrap_or_else(|_| status(StatusCode::INTERNAL_SERVER_ERROR, "unsendable event"))
}

async fn reported(body: Body) -> FunctionError {
    let body = axum::body::to_bytes(body, MAX_PAYLOAD).await.unwrap_or_default();
    serde_json::from_slice(&body).unwrap_or_else(|_| FunctionError {
        error_type: "Unknown".to_owned(),
        error_message: String::from_utf8_lossy(&body).into_owned(),
    })
}

fn too_large() -> FunctionError {
    FunctionError {
        error_type: "Function.ResponseSizeTooLarge".to_owned(),
        error_message: format!(
            "Response payload size exceeded maximum allowed payload size ({MAX_PAYLOAD} bytes)."
        ),
    }
}

fn accepted(known: bool) -> Response<Body> {
    if known {
        let mut response = Response::new(Body::from(Bytes::from_static(br#"{"status":"OK"}"#)));
        *response.status_mut() = StatusCode::ACCEPTED;
        response
    } else {
        status(StatusCode::BAD_REQUEST, "InvalidRequestID")
    }
}

fn status(status: StatusCode, message: &str) -> Response<Body> {
    let body = json!({ "errorType": status.canonical_reason(), "errorMessage": message });
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response
}
