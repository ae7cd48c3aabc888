//! The server side of RTMP as a client sees it: bytes in, bytes and events out.

#![allow(clippy::unwrap_used, reason = "test code")]

mod amf;
mod chunks;
mod encoders;
mod flv_codec;
mod foreign;
mod handshake;
mod hostile;
mod replay;
mod session;
mod support;
