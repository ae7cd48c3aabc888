//! Connections before anybody has said a word: who gets a place, and how bytes are read. Knows nothing of RTMP.

pub mod accept;
pub mod connection_limiter;
pub(super) mod socket;
pub mod tls;
