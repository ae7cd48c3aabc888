//! The Secrets Manager JSON 1.1 protocol: reads requests, words answers and errors. Must not know how secrets are kept.

use super::store::Store;
use crate::calls::{Call, CallLog};
use crate::fault::Failure;
use crate::listen::Handler;
use axum::body::Body;
use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response, StatusCode, header};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;

/// Longest request we read, in bytes; a SecretId has at most 2,048 characters.
const MAX_BODY: usize = 16 * 1024;

/// Longest SecretId, in characters (API reference, GetSecretValue).
const MAX_SECRET_ID: usize = 2048;

/// The prefix of every `X-Amz-Target`.
const TARGET: &str = "secretsmanager.";

/// An error answer: its code and message.
type Refusal = (&'static str, String);

/// The request side.
#[derive(Debug)]
pub(super) struct SecretsApi {
    store: Arc<Store>,
    calls: CallLog,
}

impl Handler for SecretsApi {
    fn handle(self: Arc<Self>, request: Request<Body>, _: SocketAddr) -> BoxFuture<'static, Response<Body>> {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
            let operation = target.and_then(|target| target.strip_prefix(TARGET)).unwrap_or_default();
            let body = axum::body::to_bytes(body, MAX_BODY).await.unwrap_or_default();
            let answer = match (operation, serde_json::from_slice::<Value>(&body)) {
                (_, Err(_)) => Err(("SerializationException", "the request is not JSON".to_owned())),
                ("GetSecretValue", Ok(request)) => {
                    let answer = self.get_secret_value(&request);
                    if let Ok(found) = &answer {
                        let arn = found["ARN"].as_str().unwrap_or_default();
                        self.calls.record(Call::new(&parts.headers, "secretsmanager:GetSecretValue", arn));
                    }
                    answer
                }
                _ => Err(("UnknownOperationException", "not offered by the local stack".to_owned())),
            };
            match answer {
                Ok(answer) => respond(StatusCode::OK, &answer),
                Err((kind, message)) => {
                    respond(StatusCode::BAD_REQUEST, &json!({ "__type": kind, "message": message }))
                }
            }
        })
    }

    /// API reference, GetSecretValue "Errors", and "Common errors".
    fn fail(&self, failure: Failure) -> Response<Body> {
        let (status, kind, message) = match failure {
            Failure::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalServiceError",
                "An error occurred on the server side.",
            ),
            Failure::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "Service Unavailable.")
            }
            Failure::Throttle => (StatusCode::BAD_REQUEST, "ThrottlingException", "Rate exceeded"),
        };
        respond(status, &json!({ "__type": kind, "message": message }))
    }
}

impl SecretsApi {
    pub(super) fn new(store: Arc<Store>, calls: CallLog) -> Self {
        Self { store, calls }
    }

    fn get_secret_value(&self, request: &Value) -> Result<Value, Refusal> {
        let id = request["SecretId"].as_str().unwrap_or_default();
        if id.is_empty() || id.chars().count() > MAX_SECRET_ID {
            return Err(("InvalidParameterException", "SecretId must have 1 to 2048 characters.".to_owned()));
        }
        let (stage, version) = (request["VersionStage"].as_str(), request["VersionId"].as_str());
        let found = self.store.find(id, stage, version).map_err(|is_there| {
            let message = match (is_there, version) {
                (false, _) => "Secrets Manager can't find the specified secret.".to_owned(),
                (true, Some(version)) => {
                    format!("Secrets Manager can't find the specified secret value for VersionId: {version}")
                }
                (true, None) => format!(
                    "Secrets Manager can't find the specified secret value for staging label: {}",
                    stage.unwrap_or(super::store::CURRENT)
                ),
            };
            ("ResourceNotFoundException", message)
        })?;
        Ok(json!({
            "ARN": found.arn,
            "Name": found.name,
            "VersionId": found.version.id,
            "SecretString": found.version.value,
            "VersionStages": [found.stage],
            "CreatedDate": found.version.created.as_secs_f64(),
        }))
    }
}

fn respond(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static("application/x-amz-json-1.1");
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}
