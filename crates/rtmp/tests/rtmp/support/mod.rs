//! What the tests share: an owner for sessions, over memory and over real sockets, and a client's side of the wire.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(unreachable_pub, reason = "shared between test files")]
#![allow(clippy::unwrap_used, reason = "test code")]

pub mod client;
pub mod replay;
pub mod socket;
pub mod writer;
