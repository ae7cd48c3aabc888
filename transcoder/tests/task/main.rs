//! One task from outside: scripted orders, a source server on loopback, a timeline and buckets in memory.
#![allow(clippy::unwrap_used, reason = "test code; clippy knows helpers of integration tests only by this")]

#[path = "../media/support/check.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with other test binaries")]
mod check;
#[path = "../media/support/enhanced.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with other test binaries")]
mod enhanced;
#[path = "../media/support/flv.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with other test binaries")]
mod flv;

mod bad_sources;
mod handover;
mod hooks;
mod leases;
mod low_latency;
mod orders;
mod ordinary;
mod runs;
mod server;
mod storage;
mod stores;
mod support;
