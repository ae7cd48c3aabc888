//! The other region, as a program that runs for long knows it: from its start, and from what its own control plane says since.
//!
//! A task is told when ECS starts it (`PEER`, from a parameter of its region that ECS reads then, so that its definition
//! stays as it is whoever the peer is). From then on every answer of a hook says it anew.

use std::sync::Arc;

use headwater_domain::peer::{Peer, PeerNow};
use parking_lot::RwLock;

use crate::settings::{self, SettingError};

/// What `PEER` says ([`PeerNow`] as JSON: `null` says that there is none); `None` if it is not set, so that nothing is known.
pub fn from_env() -> Result<Option<PeerNow>, SettingError> {
    let parse = |text: String| serde_json::from_str(&text).map_err(|error| settings::invalid("PEER", &error));
    settings::optional("PEER").map(parse).transpose()
}

/// The peer that is known; all clones know the same.
#[derive(Debug, Clone, Default)]
pub struct KnownPeer(Arc<RwLock<Option<Peer>>>);

impl KnownPeer {
    /// With what `PEER` says.
    pub fn from_env() -> Result<Self, SettingError> {
        let known = from_env()?.and_then(|PeerNow(peer)| peer);
        Ok(Self(Arc::new(RwLock::new(known))))
    }

    /// The peer now.
    pub fn get(&self) -> Option<Peer> {
        self.0.read().clone()
    }

    /// Notes what the own control plane says. Whether that is news.
    pub fn note(&self, PeerNow(peer): PeerNow) -> bool {
        let mut known = self.0.write();
        if *known == peer {
            return false;
        }
        match &peer {
            Some(peer) => tracing::info!(%peer, "this region has a peer"),
            None => tracing::info!("this region has no peer any more"),
        }
        *known = peer;
        true
    }
}
