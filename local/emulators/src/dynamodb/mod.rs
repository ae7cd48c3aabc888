//! DynamoDB of one region: an embedded engine behind our own loopback listener, which sees every write and so can
//! replicate it. Must not know what any table is for.
//!
//! The engine checks the requests and executes them; it is reached over HTTP on a private port, because that is its
//! only interface that takes a request as the SDK sent it. The front counts operations, serialises writes per table
//! and notes each written item for [`replication`].

mod changes;
mod engine;
mod front;
mod journal;
mod leading_keys;
pub mod replication;
mod stamp;
mod writes;

pub use replication::{Direction, Replication};

use crate::calls::CallLog;
use crate::listen::{Faults, ListenError, Server};
use changes::Changes;
use engine::{Engine, EngineError};
use front::TableFront;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use thiserror::Error;

/// Why the service could not be started.
#[derive(Debug, Error)]
pub enum DynamoDbError {
    /// The listener.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The embedded engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The data folder or the journal in it.
    #[error("cannot use the data folder {folder}")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
}

/// One region's DynamoDB.
#[derive(Debug, Clone)]
pub struct DynamoDbConfig {
    /// Region name; part of the last-writer-wins order.
    pub region: String,
    /// Port to listen on; 0 for any free one.
    pub port: u16,
    /// Folder for its data; created if missing.
    pub folder: PathBuf,
    /// Notes who calls what.
    pub calls: CallLog,
}

/// A running DynamoDB. Dropping it closes the listener; the data stays in the folder.
#[derive(Debug)]
pub struct DynamoDb {
    server: Server,
    front: Arc<TableFront>,
}

impl DynamoDb {
    /// Opens the data folder and listens.
    pub async fn start(config: DynamoDbConfig) -> Result<Self, DynamoDbError> {
        let folder_error = |source| DynamoDbError::Folder { folder: config.folder.clone(), source };
        std::fs::create_dir_all(&config.folder).map_err(folder_error)?;
        let engine = Engine::open(&config.folder.join("dynamodb.sqlite")).await?;
        let (changes, interrupted) =
            Changes::open(&config.folder.join("replication.jsonl"), &config.region).map_err(folder_error)?;
        for change in interrupted {
            let image = engine.read(&change.table, &change.key)?;
            changes.resume(change, image);
        }
        let front = Arc::new(TableFront::new(engine, changes, config.region.clone(), config.calls));
        let server = Server::start(&format!("dynamodb {}", config.region), config.port, front.clone())?;
        Ok(Self { server, front })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// Refuses connections from now on; what is stored stays. `faults().start()` undoes it.
    pub async fn stop(&self) {
        self.server.faults().stop().await;
    }

    /// Makes it fail, and counts.
    pub fn faults(&self) -> Faults {
        self.server.faults()
    }

    /// Requests by operation (`Query`, `PutItem`, ...) since the start.
    pub fn operations(&self) -> BTreeMap<String, u64> {
        self.front.operations()
    }

    /// Deletes items whose TTL has passed, as DynamoDB does some time after it. Not replicated: both regions sweep.
    pub fn sweep_ttl(&self) -> Result<usize, DynamoDbError> {
        Ok(self.front.engine().sweep_ttl()?)
    }
}
