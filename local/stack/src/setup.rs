//! What a region is started with.

use std::path::Path;

use headwater_emulators::credentials::LocalCredentials;
use headwater_emulators::process::Spawner;

use super::StackConfig;
use super::layout::Plan;
use super::secrets::Secrets;

/// What a region is started with.
pub(super) struct Setup<'a> {
    pub(super) index: usize,
    pub(super) plans: &'a Plan,
    pub(super) config: &'a StackConfig,
    pub(super) data: &'a Path,
    pub(super) secrets: &'a Secrets,
    pub(super) credentials: &'a LocalCredentials,
    pub(super) spawner: &'a Spawner,
}

/// A region's media bucket.
pub(super) fn bucket(region: &str) -> String {
    format!("headwater-media-{region}")
}
