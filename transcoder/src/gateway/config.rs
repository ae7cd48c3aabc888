//! What the gateway is told when it starts.

use std::net::SocketAddr;
use std::path::PathBuf;

use headwater_domain::hooks;
use headwater_domain::metrics::Metrics;
use headwater_domain::tokens::SigningKey;
use headwater_domain::{ClockReader, Region};

use super::control::protection::Protection;
use super::ingest::codecs::Codecs;
use super::limits::Limits;

/// Settings of a gateway. Ports may be 0: [`super::Gateway`] tells which were taken.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// Where encoders connect with `rtmp://`.
    pub rtmp: SocketAddr,
    /// Where encoders connect with `rtmps://`, if the gateway itself ends TLS.
    pub rtmps: Option<RtmpsConfig>,
    /// Where transcoders (and health checks) connect.
    pub source_listen: SocketAddr,
    /// Base URL under which a transcoder of the region reaches `source_listen`.
    pub source_url: String,
    /// The region the gateway stands in.
    pub region: Region,
    /// Folder for media that is not yet committed. One gateway has it to itself.
    pub spool_dir: PathBuf,
    /// Source tokens are checked with it.
    pub signing_key: SigningKey,
    /// What the transcoders can decode.
    pub codecs: Codecs,
    /// What peers may make the gateway do.
    pub limits: Limits,
    /// Which deployment it is of.
    pub revision: Option<String>,
    /// Its protection from being stopped, if ECS offers that.
    pub protection: Option<Protection>,
    /// Takes its figures.
    pub metrics: Option<Metrics>,
    /// The wall clock.
    pub clock: ClockReader,
}

impl GatewayConfig {
    /// How the gateway names itself to the control plane.
    pub fn identity(&self) -> hooks::Gateway {
        hooks::Gateway { region: self.region.clone(), source: self.source_url.clone() }
    }
}

/// RTMP over TLS.
#[derive(Debug, Clone)]
pub struct RtmpsConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// PEM file: the certificate, then those that vouch for it.
    pub certificate: PathBuf,
    /// PEM file: its private key.
    pub private_key: PathBuf,
}
