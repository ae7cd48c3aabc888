//! Why a gateway cannot start or go on.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;

/// The gateway as a whole failed; a single connection's trouble is not among these.
#[derive(Debug, Error)]
pub enum GatewayError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says of it.
        #[source]
        source: io::Error,
    },
    /// The spool folder cannot be used.
    #[error("cannot use the spool folder {}", path.display())]
    SpoolFolder {
        /// The path.
        path: PathBuf,
        /// What the system says of it.
        #[source]
        source: io::Error,
    },
    /// The certificate or its key cannot be used.
    #[error("cannot use {} for rtmps", path.display())]
    Certificate {
        /// Which file.
        path: PathBuf,
        /// What of it cannot be used.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A task of the gateway's own panicked.
    #[error("the gateway's {task} broke")]
    Broken {
        /// The task.
        task: &'static str,
        /// Its panic.
        #[source]
        source: tokio::task::JoinError,
    },
}
