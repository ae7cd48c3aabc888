//! From an encoder's connection into the spool: its publish request, what of its media may come in, and in which form.

pub mod codecs;
pub mod connection;
pub mod handshake;
pub mod listener;
pub mod media_validator;
mod opening;
pub mod rate;
pub mod relay;
pub mod rtmp_connection;
mod skew;
mod standstill;
mod usefulness;
