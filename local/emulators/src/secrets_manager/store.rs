//! Secrets and their versions. Must not know how they are asked for.

use crate::clock;
use crate::random;
use std::fmt;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

/// The stages that Secrets Manager moves by itself (user guide, "Secret versions").
pub(super) const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";

/// One value of a secret.
#[derive(Clone)]
pub(super) struct Version {
    pub(super) id: String,
    pub(super) value: String,
    /// Since the Unix epoch.
    pub(super) created: Duration,
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Version({}, ****)", self.id)
    }
}

/// A version, and whose it is.
#[derive(Debug)]
pub(super) struct FoundSecret {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) version: Version,
    pub(super) stage: &'static str,
}

#[derive(Debug)]
struct StoredSecret {
    name: String,
    arn: String,
    current: Version,
    previous: Option<Version>,
}

impl StoredSecret {
    /// By name, by ARN, or by ARN without its suffix (API reference, GetSecretValue, SecretId).
    fn is_called(&self, id: &str) -> bool {
        let partial = self.arn.rsplit_once('-').map(|(partial, _)| partial);
        self.name == id || self.arn == id || partial == Some(id)
    }
}

/// One region's secrets.
#[derive(Debug)]
pub(super) struct Store {
    region: String,
    secrets: Mutex<Vec<StoredSecret>>,
}

impl Store {
    pub(super) fn new(region: String) -> Self {
        Self { region, secrets: Mutex::new(Vec::new()) }
    }

    pub(super) fn create(&self, name: &str, suffix: &str, value: &str) -> String {
        let arn = format!("arn:aws:secretsmanager:{}:000000000000:secret:{name}-{suffix}", self.region);
        let held =
            StoredSecret { name: name.to_owned(), arn: arn.clone(), current: version(value), previous: None };
        let mut secrets = self.secrets();
        secrets.retain(|other| other.name != name);
        secrets.push(held);
        arn
    }

    pub(super) fn rotate(&self, id: &str, value: &str) -> bool {
        let mut secrets = self.secrets();
        let Some(held) = secrets.iter_mut().find(|held| held.is_called(id)) else { return false };
        held.previous = Some(std::mem::replace(&mut held.current, version(value)));
        true
    }

    /// The version with this stage, and with this id if one is asked for. Says whether the secret itself is there.
    pub(super) fn find(
        &self,
        id: &str,
        stage: Option<&str>,
        version: Option<&str>,
    ) -> Result<FoundSecret, bool> {
        let secrets = self.secrets();
        let held = secrets.iter().find(|held| held.is_called(id)).ok_or(false)?;
        let stage = stage.or(if version.is_none() { Some(CURRENT) } else { None });
        let versions =
            std::iter::once((CURRENT, &held.current)).chain(held.previous.iter().map(|v| (PREVIOUS, v)));
        let (stage, found) = versions
            .into_iter()
            .find(|(name, one)| {
                stage.is_none_or(|stage| stage == *name) && version.is_none_or(|id| id == one.id)
            })
            .ok_or(true)?;
        Ok(FoundSecret { name: held.name.clone(), arn: held.arn.clone(), version: found.clone(), stage })
    }

    fn secrets(&self) -> MutexGuard<'_, Vec<StoredSecret>> {
        self.secrets.lock()
    }
}

fn version(value: &str) -> Version {
    Version { id: random::uuid(), value: value.to_owned(), created: clock::since_epoch() }
}
