//! Rotating the origin secret, in the steps of `make rotate`: a new value, functions that start anew, and then the edge.

use headwater_emulators::edge::EdgeError;

use super::Stack;
use super::distribution::ORIGIN_HEADER;
use super::secrets::ORIGIN_SECRET;

impl Stack {
    /// Stores another value in both regions' Secrets Managers; what it was stays readable as the version before. Functions
    /// that run know nothing of it: [`Region::restart_functions`](super::Region::restart_functions).
    pub fn store_origin_secret(&self, value: &str) {
        for region in &self.regions {
            region.secrets_manager.rotate(ORIGIN_SECRET, value);
        }
    }

    /// Has the edge send `value` from now on.
    pub async fn send_origin_secret(&self, value: &str) -> Result<(), EdgeError> {
        let set = |headers: &mut Vec<(String, String)>| {
            headers.iter_mut().filter(|(name, _)| name == ORIGIN_HEADER).for_each(|(_, sent)| {
                value.clone_into(sent);
            });
        };
        self.edge
            .update(|distribution| {
                distribution.origins.values_mut().for_each(|origin| set(&mut origin.headers));
            })
            .await
    }
}
