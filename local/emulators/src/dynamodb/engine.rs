//! The embedded engine: raw requests over its private port, single items in process. Must not know who asks, nor
//! that there is a second region.

use axum::body::Body;
use bytes::Bytes;
use dynoxide::Database;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// What the engine could not do.
#[derive(Debug, Error)]
pub enum EngineError {
    /// It refused an operation.
    #[error("the database engine refused")]
    Refused(#[source] dynoxide::DynoxideError),
    /// Its private listener.
    #[error("the database engine cannot listen")]
    Listen(#[source] std::io::Error),
    /// Its request or answer types do not fit the JSON they are made from.
    #[error("the database engine and its JSON disagree")]
    Shape(#[from] serde_json::Error),
    /// The data folder's name is not UTF-8, which the engine needs.
    #[error("the data folder's name is not UTF-8")]
    FolderName,
    /// Its private port did not answer.
    #[error("the database engine does not answer")]
    Forward(#[source] hyper_util::client::legacy::Error),
    /// A request could not be built from the client's.
    #[error("malformed request")]
    Request(#[from] http::Error),
}

/// The engine; clones share the data. It is served until the last clone is gone.
pub(super) struct Engine {
    database: Database,
    client: Client<HttpConnector, Full<Bytes>>,
    private: SocketAddr,
    _serving: DropGuard,
}

impl Engine {
    /// Opens or creates the database file.
    pub(super) async fn open(file: &Path) -> Result<Self, EngineError> {
        let path = file.to_str().ok_or(EngineError::FolderName)?;
        let database = Database::new(path).map_err(EngineError::Refused)?;
        // No fsync a write: what is stored survives our death, as the replication journal does, if not the machine's.
        database.enable_bulk_loading().map_err(EngineError::Refused)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(EngineError::Listen)?;
        let private = listener.local_addr().map_err(EngineError::Listen)?;
        let serving = CancellationToken::new();
        let stopped = serving.clone().cancelled_owned();
        tokio::spawn(dynoxide::server::serve_with_shutdown(listener, database.clone(), stopped));
        let client = Client::builder(TokioExecutor::new()).build(connector());
        Ok(Self { database, client, private, _serving: serving.drop_guard() })
    }

    /// Has one request answered as it came.
    pub(super) async fn forward(
        &self,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Body>, EngineError> {
        let mut request = Request::post(format!("http://{}/", self.private))
            .body(Full::new(body))
            .map_err(EngineError::Request)?;
        *request.headers_mut() = headers;
        request.headers_mut().remove(http::header::HOST);
        let response = self.client.request(request).await.map_err(EngineError::Forward)?;
        Ok(response.map(Body::new))
    }

    /// Names of a table's key attributes.
    pub(super) fn key_names(&self, table: &str) -> Result<Vec<String>, EngineError> {
        let described =
            self.run(json!({ "TableName": table }), |request| self.database.describe_table(request))?;
        let schema = described["Table"]["KeySchema"].as_array().cloned().unwrap_or_default();
        Ok(schema.iter().filter_map(|part| part["AttributeName"].as_str().map(str::to_owned)).collect())
    }

    /// An item's present image.
    pub(super) fn read(&self, table: &str, key: &Value) -> Result<Option<Value>, EngineError> {
        let request = json!({ "TableName": table, "Key": key, "ConsistentRead": true });
        let mut answer = self.run(request, |request| self.database.get_item(request))?;
        Ok(answer.get_mut("Item").map(Value::take))
    }

    /// Makes `image` the item's present image, unconditionally; `None` deletes it.
    pub(super) fn write(&self, table: &str, key: &Value, image: Option<&Value>) -> Result<(), EngineError> {
        match image {
            Some(item) => self.run(json!({ "TableName": table, "Item": item }), |request| {
                self.database.put_item(request)
            })?,
            None => self.run(json!({ "TableName": table, "Key": key }), |request| {
                self.database.delete_item(request)
            })?,
        };
        Ok(())
    }

    /// Deletes expired items.
    pub(super) fn sweep_ttl(&self) -> Result<usize, EngineError> {
        self.database.sweep_ttl().map_err(EngineError::Refused)
    }

    fn run<Q: DeserializeOwned, A: Serialize>(
        &self,
        request: Value,
        operation: impl FnOnce(Q) -> dynoxide::Result<A>,
    ) -> Result<Value, EngineError> {
        let answer = operation(serde_json::from_value(request)?).map_err(EngineError::Refused)?;
        Ok(serde_json::to_value(answer)?)
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Engine({})", self.private)
    }
}

fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector
}
