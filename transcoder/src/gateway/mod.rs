//! The gateway: takes RTMP from encoders, asks the control plane, keeps what is not committed, and serves it to
//! transcoders as HTTP-FLV.
//!
//! It relays bytes and decodes nothing. [`Gateway::start`] wires it: [`listener`] takes connections, [`connection`]
//! brings each to its publish request, the [`auth_limiter`] keeps
//! guessers away, [`admission`] asks the hook, [`relay`] moves the media of an accepted one
//! over its [`socket`] through [`media_validator`] (what may come in, in the form that readers expect, cut into [`runs`]) into its [`spool`], [`source_link`] serves it. [`heartbeats`] and
//! [`unpublish`] talk to the control plane about the sessions in the [`registry`], [`protection`] to ECS; [`metrics`] are
//! for the autoscaler.
//!
//! Everything here knows the control plane only as [`headwater_domain::ports::Hooks`].

pub mod admission;
pub mod auth_limiter;
pub mod codecs;
pub mod config;
pub mod connection;
pub mod connection_limiter;
pub mod context;
pub mod error;
pub mod handshake;
pub mod heartbeats;
pub mod listener;
pub mod log_throttle;
pub mod media_validator;
pub mod metrics;
pub mod protection;
pub mod rate;
pub mod registry;
pub mod relay;
pub mod rtmp_connection;
pub mod runs;
pub mod server;
pub mod session;
pub mod skew;
mod socket;
pub mod source_link;
pub mod spool;
pub mod tls;
pub mod unpublish;
mod usefulness;
pub mod withdrawals;

pub use codecs::Codecs;
pub use config::{GatewayConfig, Limits, RtmpsConfig};
pub use error::GatewayError;
pub use protection::Protection;
pub use server::{Gateway, run};

use std::time::SystemTime;

use headwater_domain::Timestamp;

/// The wall clock; the one place where the gateway reads it.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
