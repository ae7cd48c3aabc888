//! What one transcoder task decides: how what its engine makes becomes the timeline of its broadcast.
//!
//! Pure: what happens is handed in, what is to be done comes out. No tokio, AWS, ffmpeg, environment or clock here, so the
//! same code runs in the product (`transcoder/src/run`: sockets, threads, buckets) and in the simulation of both regions
//! (`functions/tests/simulation`), where every way to fail is tried.

pub mod engine;
pub mod source;
pub mod timeline;
