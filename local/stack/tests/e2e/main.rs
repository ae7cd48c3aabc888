//! The platform from outside: real encoders, the real binaries in both regions, independent readers of what viewers get.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod access;
mod browser;
mod cli;
mod conformance;
mod corpus;
mod counted;
mod ctl;
mod drains;
mod events;
mod failures;
mod faults;
mod handover;
mod hangs;
mod hls;
mod http;
mod ingest;
mod kept;
mod low_latency;
mod media;
mod odd;
mod outages;
mod parts;
mod playback;
mod publishers;
mod questions;
mod regions;
mod rotation;
mod sources;
mod stores;
mod support;
mod table;
mod tasks;
mod waiters;
