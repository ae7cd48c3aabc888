//! Secrets Manager of one region, as far as reading goes: GetSecretValue by ARN or name, with the version stages of a
//! rotation. Everything is in memory; who starts it puts the secrets in. Must not know what the secrets are for.

mod api;
mod store;

use crate::calls::CallLog;
use crate::listen::{Faults, ListenError, Server};
use std::net::SocketAddr;
use std::sync::Arc;
use store::Store;

/// One region's Secrets Manager.
#[derive(Debug, Clone)]
pub struct SecretsManagerConfig {
    /// Region name; part of every ARN.
    pub region: String,
    /// Port to listen on; 0 for any free one.
    pub port: u16,
    /// Notes who calls what.
    pub calls: CallLog,
}

/// A running Secrets Manager. Dropping it closes the listener.
#[derive(Debug)]
pub struct SecretsManager {
    server: Server,
    store: Arc<Store>,
}

impl SecretsManager {
    /// Listens, without any secrets.
    pub fn start(config: SecretsManagerConfig) -> Result<Self, ListenError> {
        let name = format!("secrets manager {}", config.region);
        let store = Arc::new(Store::new(config.region));
        let api = Arc::new(api::SecretsApi::new(store.clone(), config.calls));
        let server = Server::start(&name, config.port, api)?;
        Ok(Self { server, store })
    }

    /// Creates a secret and gives its ARN, which ends in `<name>-<suffix>`. AWS makes the suffix up (six characters); a
    /// replica in another region has the same.
    pub fn create(&self, name: &str, suffix: &str, value: &str) -> String {
        self.store.create(name, suffix, value)
    }

    /// Makes `value` the current version of the secret with this name or ARN; what was current is the previous one.
    /// False if there is no such secret.
    pub fn rotate(&self, secret: &str, value: &str) -> bool {
        self.store.rotate(secret, value)
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// Refuses connections from now on. `faults().start()` undoes it.
    pub async fn stop(&self) {
        self.server.faults().stop().await;
    }

    /// Makes it fail, and counts.
    pub fn faults(&self) -> Faults {
        self.server.faults()
    }
}
