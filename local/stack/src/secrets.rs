//! The deployment's secrets: made once, kept in the data folder. Each region's Secrets Manager holds those that functions
//! read, under the same names: replicas.

use std::fmt;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use headwater_emulators::secrets_manager::SecretsManager;
use serde::{Deserialize, Serialize};

/// The secrets of a deployment. `Debug` hides them.
#[derive(Clone, Serialize, Deserialize)]
pub struct Secrets {
    /// Opens the REST API.
    pub admin_token: String,
    /// Stream keys are hashed with it.
    pub key_pepper: String,
    /// Source tokens are made with it.
    pub signing_key: String,
    /// The edge proves itself to the APIs with it.
    pub origin_secret: String,
    /// The edge proves itself to the buckets with it (stands for origin access control).
    pub oac_secret: String,
    /// The one AWS secret key of the local stack.
    pub aws_secret_key: String,
}

/// Name of the secret that the edge proves itself to the APIs with.
pub(super) const ORIGIN_SECRET: &str = "headwater/origin-secret";

/// Where functions of one region read them.
#[derive(Debug)]
pub(super) struct Arns {
    pub(super) admin_token: String,
    pub(super) key_pepper: String,
    pub(super) signing_key: String,
    pub(super) origin_secret: String,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(****)")
    }
}

impl Secrets {
    /// Reads `path`, or makes new secrets and writes them there, readable by their owner only.
    pub fn load_or_make(path: &Path) -> anyhow::Result<Self> {
        match std::fs::read(path) {
            Ok(text) => {
                serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let secrets = Self::new();
                let mut file =
                    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
                file.write_all(&serde_json::to_vec_pretty(&secrets)?)?;
                Ok(secrets)
            }
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Puts them into a region's Secrets Manager.
    pub(super) fn arns(&self, manager: &SecretsManager) -> Arns {
        Arns {
            admin_token: manager.create("headwater/admin-token", "hwlc01", &self.admin_token),
            key_pepper: manager.create("headwater/key-pepper", "hwlc02", &self.key_pepper),
            signing_key: manager.create("headwater/signing-key", "hwlc03", &self.signing_key),
            origin_secret: manager.create(ORIGIN_SECRET, "hwlc04", &self.origin_secret),
        }
    }

    fn new() -> Self {
        let random = || format!("{:032x}", rand::random::<u128>());
        Self {
            admin_token: random(),
            key_pepper: random(),
            signing_key: random(),
            origin_secret: random(),
            oac_secret: random(),
            aws_secret_key: random(),
        }
    }
}
