//! The gateway: takes RTMP from encoders, asks the control plane, keeps what is not committed, and serves it to
//! transcoders as HTTP-FLV.
//!
//! It relays bytes and decodes nothing. [`Gateway::start`] wires it: [`ingest`] takes encoders over the sockets of [`net`],
//! brings each to its publish request and moves the media of an accepted one into its [`spool`]; [`source_link`] serves
//! that; [`control`] asks and tells the control plane, and ECS, about the sessions in the [`registry`]; [`metrics`] are
//! for the autoscaler.
//!
//! Everything here knows the control plane only as [`headwater_domain::ports::Hooks`].

pub mod config;
pub mod context;
pub mod control;
pub mod error;
pub mod ingest;
pub mod limits;
pub mod log_throttle;
pub mod metrics;
pub mod net;
pub mod registry;
pub mod server;
pub mod session;
pub mod source_link;
pub mod spool;

pub use config::{GatewayConfig, RtmpsConfig};
pub use control::protection::Protection;
pub use error::GatewayError;
pub use ingest::codecs::Codecs;
pub use limits::Limits;
pub use server::{Gateway, run};
