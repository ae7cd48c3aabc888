//! Answers one request: counts it, forwards it, and brackets writes so that replication sees each one exactly once.
//! Must not know where changes go.

use super::changes::Changes;
use super::engine::{Engine, EngineError};
use super::journal::JournalEntry;
use super::leading_keys::leading_keys;
use super::writes::{Effect, Touched, effect};
use crate::calls::{Call, CallLog};
use crate::fault::Failure;
use crate::listen::Handler;
use axum::body::Body;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response, StatusCode};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

/// DynamoDB's own limit on a request body, in bytes (BatchWriteItem: 16 MB).
const MAX_BODY: usize = 16 * 1024 * 1024;

/// The account id in every ARN of the local stack.
const ACCOUNT: &str = "000000000000";

/// The request side of one region.
#[derive(Debug)]
pub(super) struct TableFront {
    engine: Engine,
    changes: Changes,
    region: String,
    calls: CallLog,
    /// Names of the tables' partition keys: they never change.
    hash_keys: Mutex<HashMap<String, String>>,
    operations: Mutex<BTreeMap<String, u64>>,
    tables: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Handler for TableFront {
    fn handle(self: Arc<Self>, request: Request<Body>, _: SocketAddr) -> BoxFuture<'static, Response<Body>> {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
                return failure(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "ValidationException",
                    "Request body is too large",
                );
            };
            // A client that goes away must not leave a write without its replication record.
            match tokio::spawn(async move { self.answer(parts.headers, body).await }).await {
                Ok(response) => response,
                Err(_) => {
                    failure(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "the request died")
                }
            }
        })
    }

    /// Developer guide, "Error handling with DynamoDB".
    fn fail(&self, with: Failure) -> Response<Body> {
        let (status, kind, message) = match with {
            Failure::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalServerError",
                "The request processing has failed because of an unknown error",
            ),
            Failure::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceUnavailable",
                "The service is temporarily unavailable",
            ),
            Failure::Throttle => (
                StatusCode::BAD_REQUEST,
                "ProvisionedThroughputExceededException",
                "The level of configured provisioned throughput for the table was exceeded",
            ),
        };
        failure(status, kind, message)
    }
}

impl TableFront {
    pub(super) fn new(engine: Engine, changes: Changes, region: String, calls: CallLog) -> Self {
        Self {
            engine,
            changes,
            region,
            calls,
            hash_keys: Mutex::default(),
            operations: Mutex::default(),
            tables: Mutex::default(),
        }
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(super) fn changes(&self) -> &Changes {
        &self.changes
    }

    pub(super) fn operations(&self) -> BTreeMap<String, u64> {
        self.operations.lock().clone()
    }

    /// Held while an item of `table` is written and its image read back, here or by replication.
    pub(super) async fn lock(&self, table: &str) -> tokio::sync::OwnedMutexGuard<()> {
        let lock = {
            let mut tables = self.tables.lock();
            tables.entry(table.to_owned()).or_default().clone()
        };
        lock.lock_owned().await
    }

    async fn answer(&self, headers: HeaderMap, body: Bytes) -> Response<Body> {
        let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        self.count(&operation);
        let effect = match serde_json::from_slice::<Value>(&body) {
            Ok(request) => {
                self.calls.record(self.call(&headers, &operation, &request));
                effect(&operation, &request, |table| self.engine.key_names(table).unwrap_or_default())
            }
            Err(_) => Effect::Reads, // not JSON: the engine words the refusal
        };
        let answered = match effect {
            Effect::Reads => self.engine.forward(headers, body).await,
            Effect::Writes(items) => self.write(headers, body, items).await,
            Effect::Unsupported => {
                let message = "PartiQL is not replicated here, so it is refused";
                return failure(StatusCode::BAD_REQUEST, "ValidationException", message);
            }
        };
        answered.unwrap_or_else(|error| {
            tracing::warn!(operation, %error, "request failed");
            failure(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", &error.to_string())
        })
    }

    async fn write(
        &self,
        headers: HeaderMap,
        body: Bytes,
        items: Vec<Touched>,
    ) -> Result<Response<Body>, EngineError> {
        let tables: BTreeSet<_> = items.iter().map(|item| item.table.clone()).collect();
        let mut locks = Vec::with_capacity(tables.len());
        for table in &tables {
            locks.push(self.lock(table).await); // in name order, so two transactions cannot wait for each other
        }
        let entries = match self.changes.begin(items) {
            Ok(entries) => entries,
            Err(error) => {
                tracing::warn!(%error, "write refused");
                return Ok(failure(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "InternalServerError",
                    &error.to_string(),
                ));
            }
        };
        let answered = self.engine.forward(headers, body).await;
        let happened = answered.as_ref().is_ok_and(|response| response.status().is_success());
        entries.into_iter().for_each(|entry| self.conclude(entry, happened));
        answered
    }

    fn conclude(&self, entry: JournalEntry, happened: bool) {
        let image = if happened { self.engine.read(&entry.table, &entry.key).map(Some) } else { Ok(None) };
        let settled = match image {
            Ok(Some(image)) => {
                self.changes.commit(entry, image);
                Ok(())
            }
            Ok(None) => self.changes.cancel(&entry).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = settled {
            tracing::error!(error, "a write is not replicated until the next start");
        }
    }

    fn call(&self, headers: &HeaderMap, operation: &str, request: &Value) -> Call {
        let table = request["TableName"].as_str().unwrap_or("*");
        let mut arn = format!("arn:aws:dynamodb:{}:{ACCOUNT}:table/{table}", self.region);
        if let Some(index) = request["IndexName"].as_str() {
            arn.push_str(&format!("/index/{index}"));
        }
        let call = Call::new(headers, format!("dynamodb:{operation}"), arn);
        let keys =
            self.hash_key(table).map(|hash| leading_keys(operation, request, &hash)).unwrap_or_default();
        if keys.is_empty() { call } else { call.condition("dynamodb:LeadingKeys", keys) }
    }

    fn hash_key(&self, table: &str) -> Option<String> {
        let mut known = self.hash_keys.lock();
        if let Some(name) = known.get(table) {
            return Some(name.clone());
        }
        // The partition key is the first of the schema (API reference, KeySchemaElement).
        let name = self.engine.key_names(table).ok()?.into_iter().next()?;
        known.insert(table.to_owned(), name.clone());
        Some(name)
    }

    fn count(&self, operation: &str) {
        let mut operations = self.operations.lock();
        *operations.entry(operation.to_owned()).or_default() += 1;
    }
}

fn failure(status: StatusCode, kind: &str, message: &str) -> Response<Body> {
    let body = json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{kind}"), "message": message });
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let content_type = http::HeaderValue::from_static("application/x-amz-json-1.0");
    response.headers_mut().insert(http::header::CONTENT_TYPE, content_type);
    response
}
